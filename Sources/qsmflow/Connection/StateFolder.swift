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

    func create() throws {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
            for folder in [artifacts, scratch, cache, logs] {
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            }
        } catch {
            throw CommandFailure(
                "The state folder \(path) cannot be written (\((error as NSError).localizedDescription)); name another with --state"
            )
        }
    }

    /// How other commands on this machine find the coordinator that works in this folder. Readable by its owner only.
    struct Announcement: Codable {
        var url: String
        var token: String
        var pid: Int32
        /// libpq connection string of its database, without password.
        var database: String
    }

    func announce(_ value: Announcement) throws {
        let data = try JSONEncoder().encode(value)
        let aside = announcement + ".part"
        guard FileManager.default.createFile(atPath: aside, contents: data, attributes: [.posixPermissions: 0o600]),
            rename(aside, announcement) == 0
        else {
            throw CommandFailure("\(announcement) cannot be written; free space or name another folder with --state")
        }
    }

    func withdraw(pid: Int32) {
        if announced()?.pid == pid { unlink(announcement) }
    }

    /// What the coordinator of this folder said of itself, if its process still lives.
    func announced() -> Announcement? {
        // No file, or one half written by a process that died: nobody is there.
        guard let data = try? Data(contentsOf: URL(fileURLWithPath: announcement)),
            let value = try? JSONDecoder().decode(Announcement.self, from: data)
        else { return nil }
        return kill(value.pid, 0) == 0 || errno == EPERM ? value : nil
    }
}
