import CSpawn
import Dispatch
import Foundation

/// `qsmflow worker` processes that serve a local run. They die with this process, however it dies.
final class WorkerProcesses {
    private let program: String
    private let arguments: [[String]]
    private let environment: [String: String]
    private let logFolder: String
    private var pids: [pid_t] = []
    /// Starts in a row of which none lasted.
    private var starts: [Int]
    private var startedAt: [ContinuousClock.Instant]
    /// A worker that lived this long can work here.
    private static let provenAfter = Duration.seconds(600)

    init(local: LocalCoordinator, options: LocalWorkerOptions) throws {
        program = ProgramPath.current
        environment = ProcessInfo.processInfo.environment.merging(
            ["QSMFLOW_COORDINATOR": local.url, "QSMFLOW_TOKEN": local.token]
        ) { _, new in new }
        logFolder = local.state.logs
        let count = min(options.workers, options.totalCores)
        arguments = (0..<count).map { n in
            // Cores are dealt out so that none is lost; memory goes with them.
            let cores = options.totalCores / count + (n < options.totalCores % count ? 1 : 0)
            return [
                "worker", "--name", "local-\(n + 1)", "--cores", "\(cores)",
                "--memory-mib", "\(options.totalMemoryMiB * cores / options.totalCores)",
                // One folder for all: what an attempt that was killed leaves in it, the next finds, whoever runs it.
                "--scratch", local.state.scratch, "--cache", "\(local.state.cache)/local-\(n + 1)",
            ] + options.allowCommand.flatMap { ["--allow-command", $0] }
        }
        starts = [Int](repeating: 0, count: count)
        startedAt = [ContinuousClock.Instant](repeating: .now, count: count)
        for n in 0..<count { pids.append(try start(n)) }
    }

    /// A worker that died is started again, a few times in a row: more means that it cannot work here at all.
    func restartTheDead() throws {
        for n in pids.indices {
            var status = qsm_exit_status()
            guard qsm_await_exit(pids[n], 0) == 1 else { continue }
            _ = qsm_wait4(pids[n], &status)
            if startedAt[n].duration(to: .now) > Self.provenAfter { starts[n] = 0 }
            guard starts[n] < 5 else {
                throw CommandFailure("The worker process keeps ending; its log is \(log(n))")
            }
            pids[n] = try start(n)
        }
    }

    /// Ends the workers: what is not finished within seconds is handed back. The coordinator must still be there.
    func stop() async {
        let ending = pids
        pids = []
        // On a thread of its own: the coordinator that hears the workers say goodbye needs this one.
        await withCheckedContinuation { continuation in
            DispatchQueue(label: "workers end").async {
                Self.end(ending)
                continuation.resume()
            }
        }
    }

    private static func end(_ pids: [pid_t]) {
        var left = pids
        // The second SIGTERM makes a worker hand back at once what it has.
        for (signal, patience) in [(SIGTERM, 3.0), (SIGTERM, 7.0)] where !left.isEmpty {
            for pid in left { kill(pid, signal) }
            let end = ContinuousClock.now.advanced(by: .seconds(patience))
            left.removeAll { pid in
                let milliseconds = max(.zero, ContinuousClock.now.duration(to: end)) / .milliseconds(1)
                return qsm_await_exit(pid, Int32(milliseconds)) == 1
            }
        }
        for pid in left { kill(-pid, SIGKILL) }
        for pid in pids {
            var status = qsm_exit_status()
            _ = qsm_wait4(pid, &status)
        }
    }

    private func log(_ n: Int) -> String { "\(logFolder)/worker-local-\(n + 1).log" }

    private func start(_ n: Int) throws -> pid_t {
        starts[n] += 1
        startedAt[n] = .now
        let descriptor = open(log(n), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw CommandFailure("\(log(n)) cannot be written: \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        var argv: [UnsafeMutablePointer<CChar>?] = ([program] + arguments[n]).map { strdup($0) } + [nil]
        var envp: [UnsafeMutablePointer<CChar>?] = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { (argv + envp).forEach { free($0) } }
        return try program.withCString { executable in
            try argv.withUnsafeMutableBufferPointer { argv in
                try envp.withUnsafeMutableBufferPointer { envp in
                    var options = qsm_spawn_defaults()
                    options.executable = executable
                    options.argv = UnsafePointer(argv.baseAddress!)
                    options.envp = UnsafePointer(envp.baseAddress!)
                    options.stdout_fd = descriptor
                    options.stderr_fd = descriptor
                    // Their coordinator is gone then: there is nobody to hand work back to, and the cache must be free
                    // for whoever goes on.
                    options.parent_death_signal = SIGKILL
                    var failure = qsm_spawn_failure()
                    let pid = qsm_spawn(&options, &failure)
                    guard pid > 0 else {
                        throw CommandFailure(
                            "A worker process cannot be started: \(String(cString: strerror(failure.code)))")
                    }
                    return pid
                }
            }
        }
    }
}

/// Path of the running program.
enum ProgramPath {
    static let current: String = {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        guard count > 0 else { return CommandLine.arguments[0] }
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }()
}
