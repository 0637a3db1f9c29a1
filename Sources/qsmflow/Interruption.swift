import Dispatch
import Foundation
import Synchronization

/// Ctrl-C, `kill` and a terminal that is closed, while a command has servers of its own to stop.
///
/// The first signal cancels the command, which then ends in order: workers hand back, the private server stops. Another
/// one, a second later or more, ends the process at once (what it started then ends by itself or is joined by the next
/// command); those that come sooner are copies of the first, as `timeout` sends them.
enum Interruption {
    private struct State {
        var task: Task<Void, any Error>?
        var sources: [any DispatchSourceSignal] = []
        var first: (signal: Int32, at: ContinuousClock.Instant)?
    }

    private static let state = Mutex(State())
    private static let queue = DispatchQueue(label: "interruption")

    /// The signal that told this command to end; nil when none came.
    static var signal: Int32? { state.withLock { $0.first?.signal } }

    /// Names the work that a signal cancels.
    static func cancels(_ task: Task<Void, any Error>) { state.withLock { $0.task = task } }

    /// From here on signals cancel instead of killing. Does nothing the second time.
    static func listen() {
        state.withLock { state in
            guard state.sources.isEmpty else { return }
            for number in [SIGINT, SIGTERM, SIGHUP] {
                // Dispatch sees a signal only when its ordinary action is off. A hangup that `nohup` had turned off
                // stays off.
                let before = Foundation.signal(number, SIG_IGN)
                if number == SIGHUP, unsafeBitCast(before, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self) {
                    continue
                }
                let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
                source.setEventHandler { received(number) }
                source.activate()
                state.sources.append(source)
            }
        }
    }

    private static func received(_ number: Int32) {
        let (task, isRepeated) = state.withLock { state -> (Task<Void, any Error>?, Bool) in
            if let first = state.first { return (nil, first.at.duration(to: .now) >= .seconds(1)) }
            state.first = (number, .now)
            return (state.task, false)
        }
        if isRepeated { _exit(128 + number) }
        guard let task else { return }
        Console.note("Stopping; once more ends it at once …")
        task.cancel()
    }
}
