/// Names of the files we write, from the name of the file they were made from.
package enum DerivativeName {
    /// Entities that say how a raw image was acquired and no longer hold for a map made of several echoes or parts.
    package static let acquisitionEntities = ["echo", "part", "flip", "inv", "mt"]

    /// The name of a derivative.
    ///
    /// - Parameters:
    ///   - source: what it was made from; its entities are kept unless dropped or set.
    ///   - entities: set or replaced; values are cleaned by `label(_:)`.
    ///   - dropping: entities of the source to leave out.
    package static func make(
        from source: BIDSName, suffix: String, fileExtension: String, setting entities: [String: String] = [:],
        dropping: [String] = acquisitionEntities
    ) -> BIDSName {
        var name = BIDSName(
            entities: source.entities.filter { !dropping.contains($0.key) }, suffix: suffix,
            fileExtension: fileExtension)
        for (key, value) in entities.sorted(by: { $0.key < $1.key }) { name[key] = label(value) }
        name.entities = EntityOrder.sorted(name.entities)
        return name
    }

    /// The name of a derivative of a subject and session that comes from no single file.
    package static func make(
        subject: String?, session: String?, suffix: String, fileExtension: String,
        setting entities: [String: String] = [:]
    ) -> BIDSName {
        var source = BIDSName(suffix: suffix, fileExtension: fileExtension)
        if let subject { source["sub"] = subject }
        if let session { source["ses"] = session }
        return make(from: source, suffix: suffix, fileExtension: fileExtension, setting: entities)
    }

    /// Path below the dataset's root: `sub-01/ses-2/anat/sub-01_ses-2_Chimap.nii.gz`.
    ///
    /// - Parameter datatype: nil puts the file into the subject's (or session's, or root) folder itself.
    package static func path(_ name: BIDSName, datatype: String?) -> String {
        var folders: [String] = []
        if let subject = name.subject { folders.append("sub-\(subject)") }
        if let session = name.session { folders.append("ses-\(session)") }
        if let datatype { folders.append(datatype) }
        return (folders + [name.fileName]).joined(separator: "/")
    }

    /// The path of the JSON sidecar of a file.
    package static func sidecarPath(of path: String) -> String {
        let nameStart = path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex
        guard let dot = path[nameStart...].firstIndex(of: ".") else { return path + ".json" }
        return path[..<dot] + ".json"
    }

    /// `text` as a BIDS label: ASCII letters and digits only, the letter after anything else capitalised so that words
    /// stay apart (`high-chi core` becomes `highChiCore`). Empty when nothing remains.
    package static func label(_ text: String) -> String {
        var label = ""
        var isWordStart = false
        for character in text {
            if character.isASCII, character.isLetter || character.isNumber || character == "+" {
                label += isWordStart && !label.isEmpty ? character.uppercased() : String(character)
                isWordStart = false
            } else {
                isWordStart = true
            }
        }
        return label
    }
}
