// Running a program of PostgreSQL: to its end with its output captured, or as a lasting server.

import CSpawn
import Foundation

#if canImport(Glibc)
    import Glibc
#endif

/// The user a program runs as.
struct ServerUser: Sendable, Hashable {
    var name: String
    var userID: UInt32
    var groupID: UInt32

    /// nil when this process is an ordinary user, who runs the server himself.
    ///
    /// - Throws: `noServerUser` as root without an ordinary user to drop to.
    static func toDropTo() throws(LocalPostgresError) -> ServerUser? {
        guard geteuid() == 0 else { return nil }
        for name in ["postgres", "nobody"] {
            if let entry = getpwnam(name), entry.pointee.pw_uid != 0 {
                return ServerUser(name: name, userID: entry.pointee.pw_uid, groupID: entry.pointee.pw_gid)
            }
        }
        throw .noServerUser
    }
}

struct Program {
    let path: String
    var user: ServerUser?
    var workingFolder = "/"
    /// nil: none.
    var input: String?

    init(_ path: String, user: ServerUser? = nil) {
        self.path = path
        self.user = user
    }

    struct Ended {
        var code: Int32
        var signal: Int32
        /// Standard output and standard error together.
        var output: String

        var succeeded: Bool { code == 0 && signal == 0 }
    }

    /// Runs to the end. The output is collected in an unlinked temporary file, so that no pipe can fill up.
    func run(_ arguments: [String]) throws(LocalPostgresError) -> Ended {
        let output = try Self.temporaryFile()
        defer { close(output) }
        var source: Int32 = -1
        if let input {
            source = try Self.temporaryFile()
            let bytes = Array(input.utf8)
            guard write(source, bytes, bytes.count) == bytes.count, lseek(source, 0, SEEK_SET) == 0 else {
                throw .fileSystem(action: "write", path: "a temporary file", code: errno)
            }
        }
        defer { if source >= 0 { close(source) } }
        let pid = try spawn(arguments) { options in
            options.stdin_fd = source
            options.stdout_fd = output
            options.stderr_fd = output
        }
        var status = qsm_exit_status()
        let code = qsm_wait4(pid, &status)
        guard code == 1 else { throw .launch(program: path, step: "waiting for it", code: -code) }
        lseek(output, 0, SEEK_SET)
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(output, &chunk, chunk.count)
            guard count > 0 else { break }
            bytes.append(contentsOf: chunk[..<count])
        }
        return Ended(code: status.code, signal: status.signal, output: String(decoding: bytes, as: UTF8.self))
    }

    /// Starts and returns the process id.
    func spawn(
        _ arguments: [String], configure: (inout qsm_spawn_options) -> Void
    ) throws(LocalPostgresError) -> Int32 {
        var environment = ["LC_ALL=C", "PATH=/usr/local/bin:/usr/bin:/bin"]
        for name in ["LD_LIBRARY_PATH", "TMPDIR"] {
            if let value = ProcessInfo.processInfo.environment[name] { environment.append("\(name)=\(value)") }
        }
        let argv = CStringArray([path] + arguments)
        let envp = CStringArray(environment)
        let failure = path.withCString { executable -> (Int32, qsm_spawn_failure) in
            workingFolder.withCString { folder in
                var options = qsm_spawn_defaults()
                options.executable = executable
                options.working_directory = folder
                options.argv = UnsafePointer(argv.pointers)
                options.envp = UnsafePointer(envp.pointers)
                options.process_group = Int32(QSM_GROUP_NEW_SESSION.rawValue)
                options.core_bytes = -1
                options.file_mode_mask = 0o077
                if let user {
                    options.change_user = true
                    options.user_id = user.userID
                    options.group_id = user.groupID
                }
                configure(&options)
                var failure = qsm_spawn_failure()
                let pid = qsm_spawn(&options, &failure)
                return (pid, failure)
            }
        }
        withExtendedLifetime((argv, envp)) {}
        guard failure.0 > 0 else {
            throw .launch(
                program: path, step: String(cString: qsm_spawn_step_name(failure.1.step)), code: failure.1.code)
        }
        return failure.0
    }

    /// Whether `user` can enter `folder`: tried out, as modes, access lists and mount options all have a say.
    static func canEnter(_ folder: String, as user: ServerUser) -> Bool {
        var program = Program("/bin/true", user: user)
        program.workingFolder = folder
        do {
            return try program.run([]).succeeded
        } catch {
            return false
        }
    }

    private static func temporaryFile() throws(LocalPostgresError) -> Int32 {
        var template = Array((NSTemporaryDirectory() + "/qsmflow-XXXXXX").utf8CString)
        let descriptor = mkstemp(&template)
        guard descriptor >= 0 else {
            throw .fileSystem(action: "make a temporary file in", path: NSTemporaryDirectory(), code: errno)
        }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        unlink(template)
        return descriptor
    }
}

/// A NULL-terminated array of C strings.
final class CStringArray {
    let pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    private let count: Int

    init(_ strings: [String]) {
        count = strings.count
        pointers = .allocate(capacity: count + 1)
        for (index, string) in strings.enumerated() { pointers[index] = strdup(string) }
        pointers[count] = nil
    }

    deinit {
        for index in 0..<count { free(pointers[index]) }
        pointers.deallocate()
    }
}

func errorText(_ code: Int32) -> String { String(cString: strerror(code)) }
