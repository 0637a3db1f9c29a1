import Synchronization

/// The handle by which a session stops one attempt.
package final class AttemptControl: Sendable {
    /// Why an attempt is stopped, and so what is said about it afterwards. A later one counts when it is stronger.
    package enum Reason: Int, Comparable, Sendable {
        /// An operator cancelled the task: say so.
        case cancelled
        /// The worker leaves: hand the lease back.
        case handBack
        /// The lease, or our trust in it, is gone: say nothing at all.
        case leaseLost

        package static func < (a: Reason, b: Reason) -> Bool { a.rawValue < b.rawValue }
    }

    private struct State {
        var reason: Reason?
        var cancelWork: (@Sendable () -> Void)?
        var process: AttemptProcess?
        var folder: AttemptFolder?
        var isSending = false
    }

    private let state = Mutex(State())

    package init() {}

    package var reason: Reason? { state.withLock { $0.reason } }
    package var residentMiB: Int? { state.withLock { $0.process }.map { Int($0.residentBytes >> 20) } }

    /// 0…1 where the attempt says. Reads one small file.
    package var progress: Double? { state.withLock { $0.folder }?.progress() }

    /// Last line of the attempt's log; nil while it has none. Reads one small file.
    package var lastLine: String? {
        guard let log = state.withLock({ $0.folder })?.log, let line = LogTail.lastLine(LogTail.read(log)) else {
            return nil
        }
        return String(line.prefix(300))
    }

    /// The process has ended, and what it made is on its way.
    package var isSending: Bool { state.withLock { $0.isSending } }

    func beginSending() { state.withLock { $0.isSending = true } }

    package func stop(_ reason: Reason) {
        let (cancelWork, process) = state.withLock { state in
            state.reason = max(state.reason ?? reason, reason)
            return (state.cancelWork, state.process)
        }
        process?.stop(gently: reason == .cancelled)
        cancelWork?()
    }

    /// Names what `stop` cancels; at once when it has come already.
    func attach(cancelWork: @escaping @Sendable () -> Void) {
        let isStopped = state.withLock { state in
            state.cancelWork = cancelWork
            return state.reason != nil
        }
        if isStopped { cancelWork() }
    }

    /// Names the process that `stop` ends; at once when it has come already.
    func attach(process: AttemptProcess, folder: AttemptFolder) {
        let reason = state.withLock { state in
            (state.process, state.folder) = (process, folder)
            return state.reason
        }
        if let reason { process.stop(gently: reason == .cancelled) }
    }
}
