import Foundation
import Wire

/// Tells how a run goes: one line that renews itself on a terminal, a line now and then elsewhere.
struct RunProgress {
    private var lastLine = ""
    private var lastPrinted: ContinuousClock.Instant?
    private var lastSettled = -1
    private let isTerminal = Console.errorIsTerminal

    /// Shows the state; cheap to call every second.
    mutating func show(_ run: RunSummary) {
        let line = Self.line(run)
        if isTerminal {
            Console.write("\r\u{1b}[K" + String(line.prefix(Console.width - 1)), to: STDERR_FILENO)
            return
        }
        // Without a terminal a log should stay readable: when something settled and at most every 10 s, or each minute.
        let now = ContinuousClock.now
        let since = lastPrinted.map { now - $0 } ?? .seconds(3600)
        guard line != lastLine, since >= .seconds(60) || (since >= .seconds(10) && run.counts.settled != lastSettled)
        else { return }
        (lastLine, lastPrinted, lastSettled) = (line, now, run.counts.settled)
        Console.note(line)
    }

    /// Ends the line on a terminal.
    func finish() {
        if isTerminal { Console.write("\r\u{1b}[K", to: STDERR_FILENO) }
    }

    static func line(_ run: RunSummary) -> String {
        let c = run.counts
        // What was cancelled was not done.
        var parts = ["run \(run.run): \(c.done)/\(Counted.tasks(c.total))"]
        if c.running > 0 { parts.append("\(c.running) running") }
        if c.failed > 0 { parts.append("\(c.failed) failed") }
        if c.blocked > 0 { parts.append("\(c.blocked) blocked") }
        if c.cancelled > 0 { parts.append("\(c.cancelled) cancelled") }
        if run.waitsForWorker == true { parts.append("waiting for a worker") }
        let computed = c.succeeded - c.cached
        if run.elapsedSeconds > 1, computed > 0 {
            parts.append(String(format: "%.1f/min", Double(computed) / run.elapsedSeconds * 60))
        }
        parts.append(Durations.text(run.elapsedSeconds) + " so far")
        if let rest = run.remainingSeconds, run.state == .running {
            parts.append("\(run.remainingIsLowerBound == true ? "more than" : "about") \(Durations.text(rest)) to go")
        }
        return parts.joined(separator: ", ")
    }
}

extension TaskCounts {
    /// Settled by work, or by the failure of work.
    var done: Int { settled - cancelled }
}

extension RunSummary {
    /// The state as people read it.
    var stateText: String {
        waitsForWorker == true ? "waiting for a worker" : state.rawValue.replacing("_", with: " ")
    }
}

extension TaskSummary {
    /// The state as people read it, with how far the attempt at work is where it says.
    var stateText: String {
        guard running else { return "\(state)" }
        return "running" + (progress.map { " \(Int($0 * 100)) %" } ?? "")
    }
}
