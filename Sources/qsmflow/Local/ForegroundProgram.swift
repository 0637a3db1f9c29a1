import Foundation

#if canImport(Glibc)
    import Glibc
#endif

/// Another program on our terminal: it gets the keyboard and its signals, we wait.
///
/// It stays in our process group (Foundation's `Process` would give it one of its own, and a terminal stops a program of
/// another group as soon as it reads).
struct ForegroundProgram {
    private let program: String
    private let arguments: [String]
    private let environment: [String: String]

    /// - Parameter program: path, or a name to look for in PATH.
    init(_ program: String, _ arguments: [String], environment: [String: String]) {
        (self.program, self.arguments, self.environment) = (program, arguments, environment)
    }

    /// - Returns: the exit status, as a shell gives it: 128 and the signal when a signal ended it.
    func run() throws -> Int32 {
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var defaults = sigset_t()
        sigemptyset(&defaults)
        for number in [SIGINT, SIGQUIT, SIGPIPE] { sigaddset(&defaults, number) }
        posix_spawnattr_setsigdefault(&attributes, &defaults)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF))

        var argv: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) } + [nil]
        var envp: [UnsafeMutablePointer<CChar>?] = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { (argv + envp).forEach { free($0) } }
        // An interrupt is for the program in front; we end when it ends.
        let interrupt = signal(SIGINT, SIG_IGN)
        let quit = signal(SIGQUIT, SIG_IGN)
        defer {
            signal(SIGINT, interrupt)
            signal(SIGQUIT, quit)
        }
        var pid: pid_t = 0
        let code = posix_spawnp(&pid, program, nil, &attributes, &argv, &envp)
        guard code == 0 else {
            let remedy =
                code == ENOENT
                ? "install it (Debian and Ubuntu: postgresql-client) or add its folder to PATH" : "check it"
            throw CommandFailure("\(program) cannot be started: \(String(cString: strerror(code))); \(remedy)")
        }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 {
            guard errno == EINTR else {
                throw CommandFailure("\(program) was lost: \(String(cString: strerror(errno)))")
            }
        }
        return status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f
    }
}
