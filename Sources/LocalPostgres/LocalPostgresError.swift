// What can go wrong with a private server.

package enum LocalPostgresError: Error, Sendable {
    /// No PostgreSQL server programs on this machine.
    case notInstalled(searched: [String])
    /// The data folder was made by a major version that is not installed.
    case otherVersion(folder: String, wanted: Int, installed: [Int])
    /// Running as root, and no ordinary user to run the server as.
    case noServerUser
    /// Running as root, and the server's user cannot reach any folder for its data.
    case unreachableFolder(folder: String, user: String, fallback: String)
    /// The folder's server runs under another user.
    case foreignServer(folder: String, process: Int32)
    /// The folder is shared between machines, and the server of another one was not seen to stop.
    case otherHost(folder: String, host: String, pidFile: String)
    /// No Unix socket can be made where others could not interfere.
    case socketFolder(path: String, reason: String)
    case fileSystem(action: String, path: String, code: Int32)
    /// A program of PostgreSQL could not be started.
    case launch(program: String, step: String, code: Int32)
    /// `initdb` or the server ended with an error.
    case failed(program: String, reason: String, log: String)
    case diskFull(folder: String, reason: String)
    /// The server did not become ready in time; recovery after a crash may still go on.
    case notReady(folder: String, seconds: Int, log: String)
    case didNotStop(process: Int32, seconds: Int)
}

extension LocalPostgresError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .notInstalled(let searched):
            "No PostgreSQL server is installed (looked in \(searched.joined(separator: ", "))). Install it with "
                + "\"apt-get install postgresql\", or name a running server with --database."
        case .otherVersion(let folder, let wanted, let installed):
            "The database in \(folder) was made by PostgreSQL \(wanted), but only "
                + "\(installed.map(String.init).joined(separator: ", ")) is installed. Install it with \"apt-get install "
                + "postgresql-\(wanted)\", or choose another state folder."
        case .noServerUser:
            "PostgreSQL refuses to run as root, and neither the user \"postgres\" nor \"nobody\" exists to run it. "
                + "Start qsmflow as an ordinary user, or name a running server with --database."
        case .unreachableFolder(let folder, let user, let fallback):
            "PostgreSQL refuses to run as root, and the user \"\(user)\" it would run as can enter neither \(folder) nor "
                + "\(fallback). Choose a state folder below one that every user may enter, or start qsmflow as an "
                + "ordinary user."
        case .foreignServer(let folder, let process):
            "The database in \(folder) is in use by process \(process) of another user. Stop that program, or choose "
                + "another state folder."
        case .otherHost(let folder, let host, let pidFile):
            "The database in \(folder) was started on the machine \(host), and may still run there. End qsmflow on \(host), "
                + "or choose a state folder on a disk of this machine; only if \(host) is gone for good, remove \(pidFile)."
        case .socketFolder(let path, let reason):
            "The socket folder \(path) cannot be used: \(reason). Remove it, or choose a state folder with a shorter path."
        case .fileSystem(let action, let path, let code):
            "Cannot \(action) \(path): \(errorText(code)). Check the permissions and the free space of the state folder."
        case .launch(let program, let step, let code):
            "Cannot start \(program): \(step) failed (\(errorText(code)))."
        case .failed(let program, let reason, let log):
            "\(program) failed: \(reason). The whole log is in \(log)."
        case .diskFull(let folder, let reason):
            "The disk that holds \(folder) is full (\(reason)). Free space, then start again: nothing stored is lost."
        case .notReady(let folder, let seconds, let log):
            "The database in \(folder) was not ready after \(seconds) s; it may still be recovering from a crash. See "
                + "\(log), and start again later."
        case .didNotStop(let process, let seconds):
            "The database server (process \(process)) did not stop within \(seconds) s; it was told to stop at once."
        }
    }
}
