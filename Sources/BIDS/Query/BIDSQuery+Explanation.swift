/// Why a query that wants one file does not have it.
package struct BIDSQueryProblem: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Kind: Hashable, Sendable {
        case none
        case several
    }

    package var kind: Kind
    package var sentence: String
    package var description: String { sentence }
}

extension BIDSQuery: CustomStringConvertible {
    /// The query as a reader would say it: `a Chimap image in recon with desc absent`.
    package var description: String {
        var text = suffixes.isEmpty ? "a file" : "a \(suffixes.joined(separator: " or "))"
        if extensions == Self.imageExtensions {
            text += " image"
        } else if !extensions.isEmpty {
            text += " file (\(extensions.joined(separator: " or ")))"
        }
        switch source {
        case .any: break
        case .raw: text += " in the raw dataset"
        case .anyDerivative: text += " in a derivative dataset"
        case .derivative(let name): text += " in the derivative dataset \(name)"
        }
        if !datatypes.isEmpty { text += " in a folder \(datatypes.joined(separator: " or "))" }
        let conditions = entities.sorted { $0.key < $1.key }.map { key, match in
            switch match {
            case .anyOf(let labels): "\(key)-\(labels.joined(separator: "|"))"
            case .absent: "no \(key)"
            case .present: "any \(key)"
            }
        }
        if !conditions.isEmpty { text += " with \(conditions.joined(separator: ", "))" }
        return text
    }
}

extension BIDSQuery {
    private static let listedFiles = 6

    func none(in files: [BIDSFile], owner: String) -> BIDSQueryProblem {
        var sentence = "\(owner) has no \(description.droppingArticle)"
        // The most telling first: the sidecar without its image, then files that miss by one criterion, then the rest.
        var withSidecarExtension = self
        withSidecarExtension.extensions = [".json"]
        if let sidecar = files.first(where: withSidecarExtension.matches) {
            return BIDSQueryProblem(
                kind: .none,
                sentence: "\(sentence): the sidecar \(sidecar.path) is there but its image is not; "
                    + "add the image or remove the sidecar")
        }
        let near = files.filter { $0.name.fileExtension != ".json" }
            .map { (file: $0, misses: mismatches($0)) }
            .filter { $0.misses.count == 1 && $0.misses[0] != .suffix && $0.misses[0] != .fileExtension }
        if let nearest = near.first {
            let others = near.count > 1 ? " and \(near.count - 1) more" : ""
            sentence +=
                "; nearest: \(nearest.file.path) (\(why(nearest.misses[0], nearest.file)))\(others); "
                + "change the query, or rename the file"
        } else {
            let suffixesThere = Set(files.filter(\.name.isImage).map(\.name.suffix)).sorted()
            sentence +=
                suffixesThere.isEmpty
                ? "; it has no image at all; add the file or leave this participant out"
                : "; its images are \(suffixesThere.joined(separator: ", ")); add the file or leave this participant out"
        }
        return BIDSQueryProblem(kind: .none, sentence: sentence)
    }

    func several(_ found: [BIDSFile], owner: String) -> BIDSQueryProblem {
        let listed = found.prefix(Self.listedFiles).map { file in
            found.contains { $0.dataset != file.dataset } ? "\(file.dataset.label): \(file.path)" : file.path
        }
        let more = found.count > Self.listedFiles ? " and \(found.count - Self.listedFiles) more" : ""
        let sentence =
            "\(owner): \(found.count) files match \(description), one is wanted: "
            + "\(listed.joined(separator: ", "))\(more); "
            + (distinction(among: found) ?? "remove all but one")
        return BIDSQueryProblem(kind: .several, sentence: sentence)
    }

    /// What to add to the query so that it tells the candidates apart.
    private func distinction(among found: [BIDSFile]) -> String? {
        var keys: [String] = []
        for file in found {
            for entity in file.name.entities where !keys.contains(entity.key) { keys.append(entity.key) }
        }
        let differing = keys.filter { key in found.contains { $0.name[key] != found[0].name[key] } }
        // An entity that separates every candidate from every other is the better advice.
        let advice =
            differing.first { key in Set(found.map { $0.name[key] ?? "" }).count == found.count } ?? differing.first
        if let key = advice {
            if key == "ses" { return "run the step per session (scope: session)" }
            let labels = Set(found.map { $0.name[key] ?? "none" }).sorted().joined(separator: ", ")
            return "they differ in \(key) (\(labels)): say which, e.g. \(key): \(example(key, found))"
        }
        let datasets = Set(found.map(\.dataset.label)).sorted()
        if datasets.count > 1 { return "say which dataset: one of \(datasets.joined(separator: ", "))" }
        let extensions = Set(found.map(\.name.fileExtension)).sorted()
        if extensions.count > 1 {
            return "they differ in their extension only (\(extensions.joined(separator: ", "))): remove one, or say "
                + "extension: \(extensions[0])"
        }
        let datatypes = Set(found.compactMap(\.datatype)).sorted()
        if datatypes.count > 1 { return "say which folder with datatype: one of \(datatypes.joined(separator: ", "))" }
        let suffixes = Set(found.map(\.name.suffix)).sorted()
        return suffixes.count > 1 ? "say one suffix: one of \(suffixes.joined(separator: ", "))" : nil
    }

    private func example(_ key: String, _ found: [BIDSFile]) -> String {
        found.contains { $0.name[key] == nil } ? "none" : found[0].name[key] ?? "none"
    }

    private func why(_ criterion: Criterion, _ file: BIDSFile) -> String {
        switch criterion {
        case .source: return "it is in \(file.dataset.label)"
        case .suffix: return "its suffix is \(file.name.suffix)"
        case .fileExtension: return "its extension is \(file.name.fileExtension)"
        case .datatype: return "it is in the folder \(file.datatype ?? "of the subject")"
        case .entity(let key):
            guard let label = file.name[key] else { return "it has no \(key)" }
            return entities[key] == .absent ? "it has \(key)-\(label)" : "its \(key) is \(label)"
        }
    }
}

extension String {
    fileprivate var droppingArticle: Substring { hasPrefix("a ") ? dropFirst(2) : self[...] }
}
