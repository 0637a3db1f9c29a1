/// The inheritance principle: a JSON file applies to each data file at or below its own folder that has its suffix and
/// all its entities; what is nearer to the data file wins, key by key.
struct SidecarFile: Sendable {
    /// Relative to the dataset's root.
    var path: String
    var stamp: FileStamp
    var name: BIDSName

    func applies(to file: BIDSName) -> Bool {
        name.suffix == file.suffix
            && name.entities.allSatisfy { entity in
                file.entities.contains { $0.key == entity.key && $0.label == entity.label }
            }
    }
}

/// What a sidecar held when it was read, or the sentence that says why it could not be.
typealias SidecarContent = Result<[String: JSONValue], BIDSError>

enum SidecarInheritance {
    /// The sidecars that apply to `file`, farthest first.
    ///
    /// - Parameter levels: the JSON files of each folder from the root down to that of the file.
    static func applicable(to file: BIDSName, levels: [[SidecarFile]]) -> [[SidecarFile]] {
        levels.map { level in
            let found = level.filter { $0.applies(to: file) }
            // Within a folder the one with more entities is the more specific.
            return found.count < 2 ? found : found.sorted { $0.name.entities.count < $1.name.entities.count }
        }
    }

    /// A text that changes when any of the sidecars is added, removed or changed. Not cryptographic (FNV-1a): it guards
    /// against editing, as the stamps it is made of do.
    static func stamp(_ levels: [[SidecarFile]]) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        func mix(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        func mix(number: Int64) {
            for shift in stride(from: 0, to: 64, by: 8) {
                mix(UInt8(truncatingIfNeeded: UInt64(bitPattern: number) >> UInt64(shift)))
            }
        }
        for level in levels {
            for sidecar in level {
                for byte in sidecar.path.utf8 { mix(byte) }
                mix(0)
                mix(number: sidecar.stamp.sizeBytes)
                mix(number: sidecar.stamp.modifiedNanoseconds)
                mix(number: sidecar.stamp.inode)
            }
        }
        return String(hash, radix: 16)
    }

    /// Merges what applies.
    ///
    /// - Parameter content: reads a sidecar, or gives what was read before.
    /// - Returns: the merged object (nil when nothing applies), and why it cannot be trusted when a sidecar is
    ///   unreadable or two sidecars of one folder, neither more specific, disagree.
    static func merge(
        _ levels: [[SidecarFile]], content: (SidecarFile) -> SidecarContent
    ) -> (metadata: JSONValue?, problem: String?) {
        var merged: [String: JSONValue] = [:]
        var isEmpty = true
        var problem: String?
        for level in levels {
            var origin: [String: SidecarFile] = [:]
            for sidecar in level {
                switch content(sidecar) {
                case .failure(let error): problem = problem ?? error.description
                case .success(let members):
                    if isEmpty, level.count == 1 {
                        merged = members
                    } else {
                        for (key, value) in members {
                            if let rival = origin[key], !rival.name.isSubset(of: sidecar.name), merged[key] != value {
                                problem =
                                    problem ?? "\(rival.path) and \(sidecar.path) both apply and give different values "
                                    + "of \(key); keep it in one of them"
                            }
                            merged[key] = value
                        }
                    }
                    if level.count > 1 { for key in members.keys { origin[key] = sidecar } }
                    isEmpty = false
                }
            }
        }
        return (isEmpty ? nil : .object(merged), problem)
    }

    /// Reads one sidecar. An empty file is unreadable: it is no JSON.
    static func read(root: String, _ sidecar: SidecarFile) -> SidecarContent {
        do throws(BIDSError) {
            let (bytes, _) = try FileSystem.read(root + "/" + sidecar.path)
            return .success(try object(in: bytes, shownAs: sidecar.path))
        } catch {
            return .failure(error)
        }
    }

    /// The JSON object that a file holds.
    static func object(in bytes: [UInt8], shownAs shown: String) throws(BIDSError) -> [String: JSONValue] {
        let value: JSONValue
        switch bytes.withUnsafeBytes({ JSONValue.parse($0) }) {
        case .success(let parsed): value = parsed
        case .failure(let error): throw .json(path: shown, error: error)
        }
        guard case .object(let members) = value else { throw .notAnObject(path: shown, found: value.kindName) }
        return members
    }
}

extension BIDSName {
    fileprivate func isSubset(of other: BIDSName) -> Bool {
        entities.count < other.entities.count && entities.allSatisfy { other.entities.contains($0) }
    }
}
