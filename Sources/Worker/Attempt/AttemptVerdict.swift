import Foundation
import Workflow

/// What an attempt amounts to, from how its process ended and what it left behind. Pure.
package struct AttemptVerdict: Sendable, Hashable {
    package var outcome: AttemptOutcome
    /// One sentence; nil for a success.
    package var message: String?

    package init(_ outcome: AttemptOutcome, _ message: String?) { (self.outcome, self.message) = (outcome, message) }

    /// What `result.json` held.
    package enum Left: Sendable {
        case nothing
        case result(TaskResult)
        case unreadable(String)
    }

    /// - Parameters:
    ///   - kind: of the task. A `command` cannot tell us why its program failed, so there the log decides about memory.
    ///   - logTail: searched for the words of a failed allocation.
    package static func judge(
        _ end: AttemptProcess.End, left: Left, kind: String, logTail: String, memoryMiB: Int, timeLimit: Duration
    ) -> AttemptVerdict {
        switch end.intervention {
        case .memoryLimit:
            return AttemptVerdict(
                .outOfMemory, "it used \(mebibytes(end.peakResidentBytes)) MiB, more than its limit of \(memoryMiB) MiB"
            )
        case .timeLimit:
            let seconds = timeLimit / .seconds(1)
            return AttemptVerdict(.timedOut, "it ran longer than its time limit of \(String(format: "%g", seconds)) s")
        case .stopped:
            return AttemptVerdict(.cancelled, "it was stopped")
        case nil: break
        }
        let ranOutOfMemory = saysOutOfMemory(logTail)
        let memoryVerdict = AttemptVerdict(
            .outOfMemory, "an allocation failed under its limit of \(memoryMiB) MiB" + lastWords(logTail))
        switch left {
        case .result(let result):
            if let failure = result.failure {
                if kind == "command", failure.outcome == .permanent, ranOutOfMemory { return memoryVerdict }
                let known: [AttemptOutcome] = [.permanent, .transient, .outOfMemory]
                return AttemptVerdict(known.contains(failure.outcome) ? failure.outcome : .permanent, failure.message)
            }
            if end.exitCode == 0 { return AttemptVerdict(.succeeded, nil) }
        case .unreadable(let reason):
            if end.exitCode == 0 { return AttemptVerdict(.permanent, "its result cannot be read: \(reason)") }
        case .nothing:
            if end.exitCode == 0 {
                return AttemptVerdict(.permanent, "its process ended well but left no result" + lastWords(logTail))
            }
        }
        if let signal = end.signal {
            if signal == SIGKILL, end.kernelKilledForMemory {
                return AttemptVerdict(
                    .outOfMemory,
                    "the machine ran out of memory and the kernel ended it at "
                        + "\(mebibytes(end.peakResidentBytes)) MiB; its limit was \(memoryMiB) MiB")
            }
            if ranOutOfMemory { return memoryVerdict }
            return AttemptVerdict(.crashed, "its process was ended by \(signalName(signal))" + lastWords(logTail))
        }
        if ranOutOfMemory { return memoryVerdict }
        let code = end.exitCode ?? -1
        return AttemptVerdict(.transient, "its process ended with exit code \(code)" + lastWords(logTail))
    }

    /// What programs say when they get no memory: C++, the C library, Python, NumPy, Swift, Rust, Java, glib.
    private static let allocationFailures = [
        "bad_alloc", "bad_array_new_length", "Cannot allocate memory", "MemoryError", "Unable to allocate",
        "Could not allocate memory", "memory allocation of", "OutOfMemoryError", "failed to allocate", "out of memory",
        "Out of memory",
    ]

    static func saysOutOfMemory(_ log: String) -> Bool { allocationFailures.contains { log.contains($0) } }

    private static func lastWords(_ log: String) -> String {
        guard let line = LogTail.lastLine(log) else { return "" }
        return "; its last words: “\(line.count > 300 ? line.prefix(300) + "…" : line)”"
    }

    private static func mebibytes(_ bytes: Int64) -> Int64 { (bytes + (1 << 20) - 1) >> 20 }

    static func signalName(_ signal: Int) -> String {
        let names: [Int32: String] = [
            SIGABRT: "SIGABRT", SIGALRM: "SIGALRM", SIGBUS: "SIGBUS", SIGFPE: "SIGFPE", SIGHUP: "SIGHUP",
            SIGILL: "SIGILL", SIGINT: "SIGINT", SIGKILL: "SIGKILL", SIGPIPE: "SIGPIPE", SIGQUIT: "SIGQUIT",
            SIGSEGV: "SIGSEGV", SIGSYS: "SIGSYS", SIGTERM: "SIGTERM", SIGTRAP: "SIGTRAP", SIGUSR1: "SIGUSR1",
            SIGUSR2: "SIGUSR2", SIGXCPU: "SIGXCPU", SIGXFSZ: "SIGXFSZ",
        ]
        return names[Int32(signal)].map { "\($0) (signal \(signal))" } ?? "signal \(signal)"
    }
}
