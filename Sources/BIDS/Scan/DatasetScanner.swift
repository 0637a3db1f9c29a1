import Dispatch
import Foundation
import Synchronization

/// Walks a raw or derivative dataset and reports its files with their sidecars merged.
///
/// Every file is looked at (one `fstatat`), none but JSON and a few tables is opened, and JSON only when a file or one
/// of its sidecars is not as the index knows it. Folder times are not trusted: writing into a file does not change them.
///
/// Left out: `derivatives` (each is a dataset of its own), `sourcedata`, `code`, names that begin with a dot, folders
/// below a datatype folder, and what `.bidsignore` lists (in a derivative: its folders only).
package struct DatasetScanner: Sendable {
    package let root: String
    package let parallelism: Int
    private let statedRole: DatasetRole?

    /// - Parameters:
    ///   - root: folder with `dataset_description.json`.
    ///   - role: nil takes it from `dataset_description.json`.
    ///   - parallelism: subjects walked at a time; helps where a file system answers slowly.
    package init(root: String, role: DatasetRole? = nil, parallelism: Int = 4) {
        var root = root
        while root.count > 1, root.hasSuffix("/") { root.removeLast() }
        self.root = root
        self.parallelism = max(1, parallelism)
        statedRole = role
    }

    /// Folders directly under `derivatives/` that are datasets of their own, as absolute paths, sorted.
    package static func derivativeRoots(of root: String) throws(BIDSError) -> [String] {
        let folder = root + "/derivatives"
        guard FileSystem.isFolder(folder) else { return [] }
        return try FileSystem.list(folder).entries.compactMap { entry in
            guard case .folder = entry.kind, !entry.name.hasPrefix(".") else { return nil }
            return folder + "/" + entry.name
        }
    }

    /// The whole scan in memory.
    package func scan(known: [String: KnownFile] = [:]) throws -> DatasetScan {
        var subjects: [SubjectScan] = []
        let summary = try scan(known: known) { subjects.append($0) }
        return DatasetScan(summary: summary, subjects: subjects)
    }

    /// Scans, handing over one subject at a time in the order of their labels.
    ///
    /// - Parameters:
    ///   - known: what the index knows, by path relative to the root.
    ///   - receive: called on the caller's thread; what it throws ends the scan.
    /// - Throws: `BIDSError` when the root cannot be read; what is wrong below it is reported as problems.
    package func scan(
        known: [String: KnownFile] = [:], receive: (SubjectScan) throws -> Void
    ) throws -> DatasetSummary {
        guard FileSystem.exists(root) else { throw BIDSError.cannotRead(path: root, reason: "there is no such folder") }
        guard FileSystem.isFolder(root) else { throw BIDSError.notADirectory(path: root) }
        let top = try TopLevel.read(root: root, statedRole: statedRole, known: known)
        var summary = top.summary
        var seen = 0
        var seenPaths = Set(summary.unchanged + summary.changed.map(\.path))

        let blockSize = max(32, 8 * parallelism)
        for start in stride(from: 0, to: top.subjectFolders.count, by: blockSize) {
            let folders = Array(top.subjectFolders[start..<min(start + blockSize, top.subjectFolders.count)])
            for subject in scanBlock(folders, top: top, known: known) {
                if !known.isEmpty {
                    for path in subject.unchanged { seenPaths.insert(path) }
                    for file in subject.changed { seenPaths.insert(file.path) }
                }
                seen += subject.unchanged.count + subject.changed.count
                try receive(subject)
            }
        }
        if !known.isEmpty { summary.removed = known.keys.filter { !seenPaths.contains($0) }.sorted() }
        if seen == 0, !top.subjectFolders.isEmpty {
            summary.problems.append(
                DatasetProblem(
                    .error, "\(root): none of its \(top.subjectFolders.count) subject folders holds a BIDS file"))
        }
        return summary
    }

    /// Walks some subjects at once; results come in the order of `folders`.
    private func scanBlock(_ folders: [String], top: TopLevel, known: [String: KnownFile]) -> [SubjectScan] {
        let scanOne: @Sendable (String) -> SubjectScan = { folder in
            var walk = SubjectWalk(root: root, top: top, folder: folder, known: known)
            return walk.run()
        }
        if parallelism == 1 { return folders.map(scanOne) }
        let results = Mutex([SubjectScan?](repeating: nil, count: folders.count))
        let lanes = min(parallelism, folders.count)
        DispatchQueue.concurrentPerform(iterations: lanes) { lane in
            for index in stride(from: lane, to: folders.count, by: lanes) {
                let scan = scanOne(folders[index])
                results.withLock { $0[index] = scan }
            }
        }
        return results.withLock { $0.compactMap { $0 } }
    }
}
