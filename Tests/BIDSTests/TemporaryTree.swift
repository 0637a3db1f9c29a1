import Foundation

/// A folder of its own for one test, removed with the value's last use.
final class TemporaryTree {
    let root: String

    /// - Parameter name: last part of the path, for trees whose path itself is under test.
    init(_ files: [String: String] = [:], name: String = "dataset") throws {
        root = NSTemporaryDirectory() + "bids-tests-\(UUID().uuidString)/\(name)"
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        for (path, text) in files { try write(path, text) }
    }

    deinit {
        let parent = URL(fileURLWithPath: root).deletingLastPathComponent()
        // A leftover in the temporary folder harms nobody, and a deinit cannot throw.
        try? FileManager.default.removeItem(at: parent)
    }

    func write(_ path: String, _ text: String) throws {
        let url = URL(fileURLWithPath: root + "/" + path)
        try FileManager.default.createDirectory(
            at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: url)
    }

    func remove(_ path: String) throws { try FileManager.default.removeItem(atPath: root + "/" + path) }

    func link(_ path: String, to target: String) throws {
        let url = URL(fileURLWithPath: root + "/" + path)
        try FileManager.default.createDirectory(
            at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(atPath: url.path, withDestinationPath: target)
    }
}

/// The data folder beside the project, used where it is present: real datasets that the project does not ship.
enum SharedData {
    static let bids = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../../shared/data/bids").standardizedFileURL.path

    static func path(_ name: String) -> String { bids + "/" + name }
    static func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: path(name)) }

    /// Unpacks an archive into a tree.
    static func unpack(_ name: String) throws -> TemporaryTree {
        let tree = try TemporaryTree()
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["tar", "-xzf", path(name), "-C", tree.root]
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw CocoaError(.fileReadCorruptFile) }
        return tree
    }
}
