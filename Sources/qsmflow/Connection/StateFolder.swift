import BIDS
import Foundation

/// The folder where one machine keeps its private server, artifacts and scratch space.
struct StateFolder {
    let path: String

    init(_ path: String) {
        let absolute = path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
        self.path = URL(fileURLWithPath: absolute).standardizedFileURL.path
    }

    /// The folder named by an option, else by the environment, else the usual one.
    static func chosen(_ option: String?) -> StateFolder {
        StateFolder(option ?? ConnectionOptions.variable("QSMFLOW_STATE") ?? ".qsmflow")
    }

    var postgres: String { path + "/postgres" }
    var artifacts: String { path + "/artifacts" }
    var scratch: String { path + "/scratch" }
    var cache: String { path + "/cache" }
    var logs: String { path + "/logs" }
    private var announcement: String { path + "/coordinator.json" }
    private var lock: String { path + "/coordinator.lock" }

    /// What a state folder holds at its top; `lost+found` is a file system's own.
    private static let parts: Set<String> = [
        "postgres", "artifacts", "scratch", "cache", "logs", "coordinator.json", "coordinator.json.part",
        "coordinator.lock", "lost+found",
    ]

    /// - Throws: `CommandFailure` for a folder that holds other things, such as a dataset.
    private func checkContents() throws {
        guard FileManager.default.fileExists(atPath: path) else { return }
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: path)
        } catch {
            throw CommandFailure(
                "The state folder \(path) cannot be read (\(SystemReason.of(error))); name another with --state")
        }
        // One that has a server, or the lock that every state folder begins with, is ours, whatever else was put there.
        guard !names.isEmpty, !names.contains("coordinator.lock"), !names.contains("postgres"),
            let other = names.sorted().first(where: { !Self.parts.contains($0) })
        else { return }
        throw CommandFailure(
            "\(path) holds other things (\(other)) and is no state folder; name a new or empty folder with --state")
    }

    func create() throws {
        try checkContents()
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
            for folder in [artifacts, scratch, cache, logs] {
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            }
        } catch {
            throw CommandFailure(
                "The state folder \(path) cannot be written (\(SystemReason.of(error))); name another with --state"
            )
        }
    }

    /// - Throws: `CommandFailure` when no run was ever made here.
    func mustHoldDatabase() throws {
        guard !FileManager.default.fileExists(atPath: postgres), announced() == nil else { return }
        throw CommandFailure(
            "There is no database in \(path) yet; run a workflow first, or name another folder with --state")
    }

    /// How other commands on this machine find the coordinator that works in this folder. Readable by its owner only.
    struct Announcement: Codable {
        var url: String
        var token: String
        var pid: Int32
        /// libpq connection string of its database, without password.
        var database: String
        /// Which command it is, such as `qsmflow run`, without what it was told: that may hold a password.
        var command: String? = "qsmflow " + (CommandLine.arguments.dropFirst().first ?? "")
        var startedAt: String? = ISO8601DateFormatter().string(from: Date())

        /// For a command that needs the folder for itself.
        func inUse(_ folder: String) -> CommandFailure {
            let what = command.map { "`\($0)`, process \(pid)" } ?? "process \(pid)"
            return CommandFailure(
                "The state folder \(folder) is in use by \(what)\(startedAt.map { ", since \($0)" } ?? ""); wait until it "
                    + "ends, hand it the run with `qsmflow submit`, or name another folder with --state")
        }
    }

    /// Makes this process the coordinator of the folder, until the lock is let go.
    ///
    /// - Returns: nil when another process is.
    func occupy() throws -> StateLock? {
        guard let held = try StateLock.take(lock) else { return nil }
        // Of a process that was killed.
        unlink(announcement)
        return held
    }

    /// Call with the folder occupied.
    func announce(_ value: Announcement) throws {
        let data = try JSONEncoder().encode(value)
        let aside = announcement + ".part"
        guard FileManager.default.createFile(atPath: aside, contents: data, attributes: [.posixPermissions: 0o600]),
            rename(aside, announcement) == 0
        else {
            throw CommandFailure("\(announcement) cannot be written; free space or name another folder with --state")
        }
    }

    /// Call with the folder occupied.
    func withdraw() { unlink(announcement) }

    /// What the coordinator of this folder says of itself; nil when none works in it, or one is only starting.
    func announced() -> Announcement? {
        guard StateLock.isHeld(lock) else { return nil }
        // No file: it has only begun to start.
        guard let data = try? Data(contentsOf: URL(fileURLWithPath: announcement)) else { return nil }
        return try? JSONDecoder().decode(Announcement.self, from: data)
    }

    /// Whether another process is the folder's coordinator.
    var worksElsewhere: Bool {
        announced().map { $0.pid != ProcessInfo.processInfo.processIdentifier } ?? false
    }

    enum Occupation {
        case ours(StateLock)
        case running(Announcement)
    }

    /// Occupies the folder, or finds out who has it, waiting for one that is only starting or just leaving.
    func occupyOrFind() async throws -> Occupation {
        try create()
        for _ in 0..<600 {
            if let running = announced() { return .running(running) }
            if let held = try occupy() { return .ours(held) }
            try await Task.sleep(for: .milliseconds(100))  // a file of another process: nothing tells of its coming
        }
        throw CommandFailure(
            "The state folder \(path) is in use by a coordinator that does not get ready; end it, or name another "
                + "folder with --state")
    }
}
