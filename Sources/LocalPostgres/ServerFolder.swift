// Where a private server keeps its things, and making those places.
//
//   STATE/postgres/            locks, and usually everything else
//     start.lock               held while a server is started or stopped
//     users.lock               held, shared, by every qsmflow that uses the server; the last one out stops it
//     location                 only when the data had to live elsewhere: the folder that holds it
//   BASE/                      STATE/postgres, or the folder named by `location`
//     data/                    the cluster; made as data.new and renamed when complete
//     socket/                  the Unix socket; in /tmp when the path would be too long for one
//     server.log
//     server.host              the machine that started the server last
//
// As root the server runs as another user, who may be kept from STATE by a folder above it (/root, mode 0700). The data
// then lives in /var/lib/qsmflow.

import Foundation

#if canImport(Glibc)
    import Glibc
#endif

struct ServerFolder: Sendable {
    let state: String
    let base: String
    let socket: String
    let user: ServerUser?

    static let port = 5432
    private static let elsewhere = "/var/lib/qsmflow"
    /// `sun_path` of `sockaddr_un` has 108 bytes, the last of them zero.
    private static let longestSocketPath = 107

    var data: String { base + "/data" }
    var log: String { base + "/server.log" }
    var pidFile: String { data + "/postmaster.pid" }
    var hostFile: String { base + "/server.host" }
    static func startLock(_ state: String) -> String { state + "/start.lock" }
    static func usersLock(_ state: String) -> String { state + "/users.lock" }
    /// The socket folder lies in /tmp, and goes when the server stops.
    var socketIsElsewhere: Bool { !socket.hasPrefix(base + "/") }
    var socketLock: String { socket + "/.s.PGSQL.\(Self.port).lock" }

    /// Makes `STATE/postgres` and returns its real path.
    static func makeState(in stateFolder: String) throws(LocalPostgresError) -> String {
        let folder = stateFolder + "/postgres"
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        } catch {
            throw .fileSystem(action: "make the folder", path: folder, code: posixCode(error))
        }
        guard let real = realpath(folder, nil) else {
            throw .fileSystem(action: "find", path: folder, code: errno)
        }
        defer { free(real) }
        return String(cString: real)
    }

    /// Finds or chooses the places; call with `start.lock` held.
    init(state: String, user: ServerUser?) throws(LocalPostgresError) {
        self.state = state
        self.user = user
        base = try Self.chooseBase(state: state, user: user)
        socket = try Self.makeSocketFolder(base: base, user: user)
    }

    private static func chooseBase(state: String, user: ServerUser?) throws(LocalPostgresError) -> String {
        let pointer = state + "/location"
        // Absent in the usual case.
        if let text = try? String(contentsOfFile: pointer, encoding: .utf8) {
            let base = text.trimmingCharacters(in: .whitespacesAndNewlines)
            if FileManager.default.fileExists(atPath: base) { return base }
        }
        guard let user else {
            chmod(state, 0o700)
            return state
        }
        // The server's user passes through here to its own folders, and can change nothing.
        chmod(state, 0o711)
        if Program.canEnter(state, as: user), canOwn(state, user) { return state }

        // A name of its own: a state folder that was deleted and made anew must not meet the old data.
        let base = "\(elsewhere)/\(UUID().uuidString.prefix(8).lowercased())"
        do {
            try FileManager.default.createDirectory(atPath: base, withIntermediateDirectories: true)
        } catch {
            throw .unreachableFolder(folder: state, user: user.name, fallback: elsewhere)
        }
        chmod(elsewhere, 0o755)
        chmod(base, 0o711)
        guard Program.canEnter(base, as: user) else {
            throw .unreachableFolder(folder: state, user: user.name, fallback: elsewhere)
        }
        do {
            try "\(state)\n".write(toFile: base + "/owner", atomically: true, encoding: .utf8)
            try "\(base)\n".write(toFile: pointer, atomically: true, encoding: .utf8)
        } catch {
            throw .fileSystem(action: "write", path: pointer, code: posixCode(error))
        }
        return base
    }

    /// Some network file systems let not even root give files away.
    private static func canOwn(_ folder: String, _ user: ServerUser) -> Bool {
        let probe = folder + "/.owner-probe"
        guard mkdir(probe, 0o700) == 0 || errno == EEXIST else { return false }
        defer { rmdir(probe) }
        return chown(probe, user.userID, user.groupID) == 0
    }

    private static func makeSocketFolder(base: String, user: ServerUser?) throws(LocalPostgresError) -> String {
        var folder = base + "/socket"
        if folder.utf8.count + "/.s.PGSQL.\(port)".utf8.count > longestSocketPath || folder.contains("\"") {
            // FNV-1a, so that everybody who uses this base finds the same place.
            var hash: UInt64 = 0xcbf2_9ce4_8422_2325
            for byte in base.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
            folder = "/tmp/qsmflow-\(geteuid())-\(String(hash, radix: 16))"
        }
        try makeOwned(folder, user)
        return folder
    }

    /// Makes a folder that only the server's user (and root) can enter, and checks that nobody else made it first.
    static func makeOwned(_ folder: String, _ user: ServerUser?) throws(LocalPostgresError) {
        let made = mkdir(folder, 0o700) == 0
        if !made, errno != EEXIST { throw .fileSystem(action: "make the folder", path: folder, code: errno) }
        if made, let user, chown(folder, user.userID, user.groupID) != 0 {
            throw .fileSystem(action: "give to user \(user.name)", path: folder, code: errno)
        }
        var found = stat()
        guard lstat(folder, &found) == 0 else { throw .fileSystem(action: "look at", path: folder, code: errno) }
        guard found.st_mode & S_IFMT == S_IFDIR, found.st_uid == user?.userID ?? geteuid() else {
            throw .socketFolder(path: folder, reason: "it belongs to another user")
        }
        if found.st_mode & 0o777 != 0o700, chmod(folder, 0o700) != 0 {
            throw .fileSystem(action: "close to others", path: folder, code: errno)
        }
    }

    /// Major version of the cluster; nil before it is made.
    func dataVersion() throws(LocalPostgresError) -> Int? {
        let file = data + "/PG_VERSION"
        guard FileManager.default.fileExists(atPath: file) else { return nil }
        do {
            let text = try String(contentsOfFile: file, encoding: .utf8)
            return Int(text.prefix { $0.isNumber })
        } catch {
            throw .fileSystem(action: "read", path: file, code: posixCode(error))
        }
    }
}

/// The errno behind an error of Foundation; EIO when it hides it.
func posixCode(_ error: any Error) -> Int32 {
    let cocoa = error as NSError
    if let inner = cocoa.userInfo[NSUnderlyingErrorKey] as? NSError { return Int32(inner.code) }
    return cocoa.domain == NSPOSIXErrorDomain ? Int32(cocoa.code) : EIO
}
