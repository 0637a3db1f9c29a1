import BIDS
import CSpawn
import Foundation
import Synchronization
import Workflow

#if canImport(Glibc)
    import Glibc
#endif

/// The folder of a derivative dataset while it is written.
///
/// A replacement is written beside the folder, in `.NAME.part`, and takes its place whole: until then, and after a crash,
/// the earlier export is as it was. What an interrupted one left in `.NAME.part` is used again.
final class ExportFolder: Sendable {
    /// Where the dataset will be.
    let path: String
    /// Where it is written.
    private let root: String
    private let isReplacement: Bool
    /// Refuses a folder that holds anything but an export of this kind.
    private let check: @Sendable (String) throws -> Void
    /// Below the root, of this export.
    private let placed = Mutex<Set<String>>([])
    /// Holds the lock of the part folder.
    private let descriptor: Int32

    /// Adds to what is there.
    init(addingTo folder: String) throws {
        (path, root, isReplacement, descriptor) = (folder, folder, false, -1)
        check = { try Self.check($0) }
        try OutputFile.createFolder(folder)
    }

    /// Replaces what is there when it is published.
    ///
    /// - Parameter check: refuses a folder that holds anything but an earlier export.
    init(
        replacing folder: String, check: @escaping @Sendable (String) throws -> Void = { try ExportFolder.check($0) }
    ) throws {
        try check(folder)
        self.check = check
        // A link to the folder stays one.
        path = URL(fileURLWithPath: folder).resolvingSymlinksInPath().path
        let place = URL(fileURLWithPath: path)
        root = place.deletingLastPathComponent().path + "/.\(place.lastPathComponent).part"
        isReplacement = true
        try OutputFile.createFolder(root)
        descriptor = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw CommandFailure("\(root) cannot be opened: \(String(cString: strerror(errno))); check its rights")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            throw CommandFailure("Another export to \(folder) is at work; wait for it, or name another folder")
        }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// What an export writes at the top of its folder, besides `sub-*` and `atlas-*`.
    private static let ours: Set<String> = [
        DatasetDescription.fileName, ".bidsignore", "README.md", "cohort", "logs", "other", "tables",
    ]

    /// A folder that holds anything but an export is left alone.
    static func check(_ folder: String) throws {
        let manager = FileManager.default
        guard manager.fileExists(atPath: folder) else { return }
        let contents: [String]
        do {
            contents = try manager.contentsOfDirectory(atPath: folder)
        } catch {
            throw CommandFailure("\(folder) is not a folder that can be read; name another")
        }
        guard !contents.isEmpty else { return }
        let path = folder + "/" + DatasetDescription.fileName
        // Neither there nor readable: no dataset of ours, whatever the reason.
        guard let data = manager.contents(atPath: path), let json = try? JSONValue.parse(data) else {
            throw CommandFailure("\(folder) is not empty and holds no export of ours; name a new or empty folder")
        }
        let description = DatasetDescription.read(json, path: path).0
        guard description.isDerivative, description.generatedBy.first?.name == "qsmflow" else {
            throw CommandFailure("\(folder) holds another dataset (“\(description.name)”); name a new or empty folder")
        }
        let foreign = contents.filter { name in
            !ours.contains(name) && !["sub-", "atlas-"].contains(where: name.hasPrefix) && !name.contains(".part-")
        }
        if let name = foreign.sorted().first {
            throw CommandFailure(
                "\(folder) holds an earlier export and also \(name), which no export wrote; move that away, or name a new "
                    + "folder")
        }
    }

    /// As `check`, for a folder of tables: every export of them begins with the one that describes the others.
    static func checkTables(_ folder: String, views: Set<String>) throws {
        guard FileManager.default.fileExists(atPath: folder) else { return }
        let contents: [String]
        do {
            contents = try FileManager.default.contentsOfDirectory(atPath: folder)
        } catch {
            throw CommandFailure("\(folder) is not a folder that can be read; name another")
        }
        let endings = ["csv", "tsv", "json"]
        let ours = Set(views.flatMap { view in endings.map { "\(view).\($0)" } })
        guard !contents.isEmpty else { return }
        guard endings.contains(where: { contents.contains("documentation.\($0)") }) else {
            throw CommandFailure("\(folder) is not empty and holds no tables of ours; name a new or empty folder")
        }
        if let name = contents.sorted().first(where: { !ours.contains($0) && !$0.contains(".part-") }) {
            throw CommandFailure(
                "\(folder) holds an earlier export and also \(name), which no export wrote; move that away, or name a new "
                    + "folder")
        }
    }

    /// Where a file of the dataset is written now.
    func place(_ file: String) -> String {
        placed.withLock { _ = $0.insert(file) }
        return "\(root)/\(file)"
    }

    func createFolder(_ folder: String) throws { try OutputFile.createFolder("\(root)/\(folder)") }

    func write(_ data: Data, to file: String) throws { try OutputFile.write(data, to: place(file)) }

    /// Whether the file is there with the right bytes, or was in the earlier export, which lends it.
    func keeps(_ file: String, digest: ArtifactDigest, sizeBytes: Int64) -> Bool {
        let wanted = "\(root)/\(file)"
        if Self.holds(wanted, digest, sizeBytes) { return true }
        guard isReplacement, Self.holds("\(path)/\(file)", digest, sizeBytes) else { return false }
        unlink(wanted)
        // A file system without links: it is fetched.
        return link("\(path)/\(file)", wanted) == 0
    }

    private static func holds(_ path: String, _ digest: ArtifactDigest, _ sizeBytes: Int64) -> Bool {
        var found = stat()
        guard stat(path, &found) == 0, Int64(found.st_size) == sizeBytes else { return false }
        // A file that cannot be read is fetched anew, which tells why.
        return (try? FileDigest.sha256(of: path).hex) == digest.hex
    }

    /// Puts the dataset where it belongs.
    func publish() throws {
        guard isReplacement else { return }
        try removeLeftovers()
        guard FileManager.default.fileExists(atPath: path) else { return try move(root, path) }
        // Once more: somebody may have put something there meanwhile.
        try check(path)
        if qsm_exchange(root, path) == 0 { return try remove(root) }
        // A file system that cannot exchange: for a moment there is none, and the earlier one is beside it.
        let earlier = root + "-earlier"
        if FileManager.default.fileExists(atPath: earlier) { try remove(earlier) }
        try move(path, earlier)
        do {
            try move(root, path)
        } catch {
            try move(earlier, path)
            throw error
        }
        try remove(earlier)
    }

    /// What an interrupted export over other people, or of another run, left.
    private func removeLeftovers() throws {
        let placed = placed.withLock { $0 }
        guard let files = FileManager.default.enumerator(atPath: root) else { return }
        var folders: [String] = []
        for case let file as String in files {
            if files.fileAttributes?[.type] as? FileAttributeType == .typeDirectory {
                folders.append(file)
            } else if !placed.contains(file) {
                try remove("\(root)/\(file)")
            }
        }
        // The deepest first; those that are not empty stay.
        for folder in folders.sorted(by: >) { rmdir("\(root)/\(folder)") }
    }

    private func move(_ from: String, _ to: String) throws {
        guard rename(from, to) == 0 else {
            throw CommandFailure(
                "\(to) cannot be put in place: \(String(cString: strerror(errno))); check the rights of the folder above it"
            )
        }
    }

    private func remove(_ path: String) throws {
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch {
            throw CommandFailure("\(path) cannot be removed (\(SystemReason.of(error))); remove it by hand")
        }
    }
}
