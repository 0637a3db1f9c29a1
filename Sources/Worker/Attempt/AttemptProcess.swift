import CSpawn
import Foundation
import Synchronization

/// One child process in a group of its own, watched until nothing of it is left.
///
/// A thread of its own starts it, looks at the memory of the whole group, and waits: forking, `/proc` and `waitid` all
/// block. The process cannot outlive this one: the kernel ends it with its parent.
package final class AttemptProcess: Sendable {
    package struct Request: Sendable {
        package var executable: String
        package var arguments: [String]
        package var environment: [String: String]
        package var workingFolder: String
        /// Gets standard output and error.
        package var logPath: String
        /// The whole group together; more ends it.
        package var memoryLimitBytes: Int64
        /// Virtual memory of each process; nil: no limit. Far above what is used, it only stops one absurd allocation
        /// that would come and go between two looks.
        package var addressSpaceBytes: Int64?
        package var deadline: ContinuousClock.Instant
        package var terminationGrace: Duration
        package var samplingInterval: Duration

        package init(
            executable: String, arguments: [String], environment: [String: String], workingFolder: String,
            logPath: String, memoryLimitBytes: Int64, addressSpaceBytes: Int64? = nil,
            deadline: ContinuousClock.Instant, terminationGrace: Duration, samplingInterval: Duration
        ) {
            self.executable = executable
            self.arguments = arguments
            self.environment = environment
            self.workingFolder = workingFolder
            self.logPath = logPath
            self.memoryLimitBytes = memoryLimitBytes
            self.addressSpaceBytes = addressSpaceBytes
            self.deadline = deadline
            self.terminationGrace = terminationGrace
            self.samplingInterval = samplingInterval
        }
    }

    /// How it ended.
    package struct End: Sendable, Hashable {
        package enum Intervention: Sendable, Hashable {
            case memoryLimit
            case timeLimit
            /// `stop` was called.
            case stopped
        }

        /// Nil when a signal ended it.
        package var exitCode: Int?
        package var signal: Int?
        /// What we did to it, if anything.
        package var intervention: Intervention?
        /// The kernel ended some process for want of memory while this one ran.
        package var kernelKilledForMemory = false
        package var peakResidentBytes: Int64
        package var userMicroseconds: Int64
        package var systemMicroseconds: Int64
        package var wall: Duration

        package init(
            exitCode: Int?, signal: Int?, intervention: Intervention? = nil, peakResidentBytes: Int64 = 0,
            userMicroseconds: Int64 = 0, systemMicroseconds: Int64 = 0, wall: Duration = .zero
        ) {
            self.exitCode = exitCode
            self.signal = signal
            self.intervention = intervention
            self.peakResidentBytes = peakResidentBytes
            self.userMicroseconds = userMicroseconds
            self.systemMicroseconds = systemMicroseconds
            self.wall = wall
        }
    }

    private struct State {
        /// Set from start to reaping: while it is, the group id cannot belong to anybody else.
        var pid: pid_t?
        var intervention: End.Intervention?
        /// When SIGTERM turns into SIGKILL.
        var killAt: ContinuousClock.Instant?
        var residentBytes: Int64 = 0
    }

    private let request: Request
    private let state = Mutex(State())
    /// A log beyond this is cut down to its tail: an attempt must not fill the disk with words.
    private static let logLimitBytes: Int64 = 64 << 20

    package init(_ request: Request) { self.request = request }

    /// Resident memory of the group at the last look.
    package var residentBytes: Int64 { state.withLock { $0.residentBytes } }

    /// Starts the process and returns when it and all of its group have ended.
    ///
    /// - Throws: `WorkerError.cannotStart`, or `.system` when the log cannot be made.
    package func run() async throws -> End {
        try await withCheckedThrowingContinuation { continuation in
            let thread = Thread { continuation.resume(with: Result { try self.perform() }) }
            thread.name = "attempt"
            thread.stackSize = 512 << 10
            thread.start()
        }
    }

    /// Ends the process: SIGTERM, and SIGKILL after the grace, or SIGKILL at once. Also ends one that has yet to start.
    package func stop(gently: Bool) {
        end(.stopped, gently: gently)
    }

    private func end(_ intervention: End.Intervention, gently: Bool) {
        state.withLock { state in
            if state.intervention == nil { state.intervention = intervention }
            let killAt = gently ? ContinuousClock.now.advanced(by: request.terminationGrace) : .now
            state.killAt = min(state.killAt ?? killAt, killAt)
            if let pid = state.pid { kill(-pid, gently ? SIGTERM : SIGKILL) }
        }
    }

    // MARK: - On the thread

    private func perform() throws -> End {
        let log = open(request.logPath, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard log >= 0 else { throw WorkerError.last("creating", request.logPath) }
        defer { close(log) }
        let begin = ContinuousClock.now
        let kernelKills = Self.kernelMemoryKills()
        let ownPeak = Self.ownPeakResidentBytes()
        let pid = try spawn(log: log)
        state.withLock { state in
            state.pid = pid
            // Stopped while it was being started: the signal found no process then.
            if let killAt = state.killAt { kill(-pid, killAt > .now ? SIGTERM : SIGKILL) }
        }

        let sampledPeak = try watch(pid, log: log)

        // The leader is still a zombie, so the group's id is ours: nothing of it may stay behind.
        kill(-pid, SIGKILL)
        let intervention = state.withLock { state in
            state.pid = nil
            return state.intervention
        }
        var status = qsm_exit_status()
        let reaped = qsm_wait4(pid, &status)
        guard reaped == 1 else {
            throw WorkerError.system(doing: "waiting for", path: request.executable, errorNumber: -reaped)
        }
        // The kernel counts the moment between fork and exec, when the child is a copy of this process: a figure no
        // larger than ours says nothing about the program.
        let reported = status.peak_resident_bytes
        let peak = reported > ownPeak ? max(reported, sampledPeak) : (sampledPeak > 0 ? sampledPeak : reported)
        var end = End(
            exitCode: status.exited ? Int(status.code) : nil, signal: status.exited ? nil : Int(status.signal),
            intervention: intervention, peakResidentBytes: peak, userMicroseconds: status.user_microseconds,
            systemMicroseconds: status.system_microseconds, wall: begin.duration(to: .now))
        end.kernelKilledForMemory = Self.kernelMemoryKills() > kernelKills
        return end
    }

    /// Looks at the process until it has ended. - Returns: the largest memory seen.
    private func watch(_ pid: pid_t, log: Int32) throws -> Int64 {
        var memory = ProcessGroupMemory(group: pid)
        var peak: Int64 = 0
        // Often at first: a short attempt is seen too, and a fast one is caught early.
        var interval = min(Duration.milliseconds(5), request.samplingInterval)
        while true {
            let now = ContinuousClock.now
            let killAt = state.withLock { $0.killAt }
            if let killAt, now >= killAt {
                kill(-pid, SIGKILL)
            } else if killAt == nil, now >= request.deadline {
                end(.timeLimit, gently: true)
                continue
            }
            let next = min(interval, now.duration(to: killAt.map { max($0, now) } ?? request.deadline))
            let milliseconds = max(1, Int32((next / .milliseconds(1)).rounded(.up)))
            let ended = qsm_await_exit(pid, killAt.map { $0 <= now } == true ? 1000 : milliseconds)
            if ended == 1 { return peak }
            guard ended == 0 else {
                throw WorkerError.system(doing: "waiting for", path: request.executable, errorNumber: -ended)
            }
            interval = min(interval * 2, request.samplingInterval)
            let resident = memory.sample()
            peak = max(peak, resident)
            state.withLock { $0.residentBytes = resident }
            if resident > request.memoryLimitBytes { end(.memoryLimit, gently: false) }
            shortenLog(log)
        }
    }

    private func shortenLog(_ log: Int32) {
        var status = stat()
        guard fstat(log, &status) == 0, Int64(status.st_size) > Self.logLimitBytes else { return }
        let tail = LogTail.read(request.logPath)
        guard ftruncate(log, 0) == 0 else { return }
        let bytes = Array("(the log grew too long; this is where it was cut)\n\(tail)".utf8)
        // Losing words of a log that is too long anyway is no failure of the attempt.
        _ = write(log, bytes, bytes.count)
    }

    private func spawn(log: Int32) throws -> pid_t {
        let words = [request.executable] + request.arguments
        let variables = request.environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        var argv: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        var envp: [UnsafeMutablePointer<CChar>?] = variables.map { strdup($0) } + [nil]
        defer { for pointer in argv + envp { free(pointer) } }
        var failure = qsm_spawn_failure()
        let pid = argv.withUnsafeMutableBufferPointer { argv in
            envp.withUnsafeMutableBufferPointer { envp in
                request.executable.withCString { executable in
                    request.workingFolder.withCString { folder in
                        var options = qsm_spawn_defaults()
                        options.executable = executable
                        options.argv = UnsafePointer(argv.baseAddress)
                        options.envp = UnsafePointer(envp.baseAddress)
                        options.working_directory = folder
                        options.stdout_fd = log
                        options.stderr_fd = log
                        options.parent_death_signal = SIGKILL
                        options.address_space_bytes = request.addressSpaceBytes ?? -1
                        // When the machine runs out of memory, an attempt can be repeated and a worker is missed.
                        options.oom_score_adjust = 500
                        return qsm_spawn(&options, &failure)
                    }
                }
            }
        }
        guard pid > 0 else {
            throw WorkerError.cannotStart(
                program: request.executable, step: String(cString: qsm_spawn_step_name(failure.step)),
                errorNumber: failure.code)
        }
        return pid
    }

    private static func ownPeakResidentBytes() -> Int64 {
        var usage = rusage()
        guard getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 else { return 0 }
        return Int64(usage.ru_maxrss) * 1024
    }

    /// Processes that the kernel has ended for want of memory since the machine started; 0 where it does not say.
    private static func kernelMemoryKills() -> Int64 {
        guard let bytes = ProcessFile.read("/proc/vmstat") else { return 0 }
        let line = String(decoding: bytes, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix("oom_kill ") }
        return line.flatMap { Int64($0.dropFirst("oom_kill ".count)) } ?? 0
    }
}
