// A thread that runs jobs one after another: the place where libpq may block.
//
// Blocking a thread of Swift's cooperative pool could stall every task of the process (there are only as many as
// processors), so each connection has a thread of its own, and callers await its answers.

import Foundation

/// Runs jobs in order of submission on one thread. Ends after `stop`, when the queue is empty.
final class ConnectionThread: @unchecked Sendable {
    // Unchecked: `jobs` and `stopped` are only touched with `condition` locked.
    private let condition = NSCondition()
    private var jobs: [@Sendable () -> Void] = []
    private var stopped = false

    init(name: String) {
        let thread = Thread { [self] in serve() }
        thread.name = name
        thread.stackSize = 1 << 20
        thread.start()
    }

    /// Returns false when the thread has been stopped; the job will then not run.
    func submit(_ job: @escaping @Sendable () -> Void) -> Bool {
        condition.lock()
        defer { condition.unlock() }
        guard !stopped else { return false }
        jobs.append(job)
        condition.signal()
        return true
    }

    /// Lets the jobs already submitted finish.
    func stop() {
        condition.lock()
        stopped = true
        condition.signal()
        condition.unlock()
    }

    private func serve() {
        while true {
            condition.lock()
            while jobs.isEmpty, !stopped { condition.wait() }
            let batch = jobs
            jobs.removeAll(keepingCapacity: true)
            let ended = batch.isEmpty
            condition.unlock()
            if ended { return }
            for job in batch { job() }
        }
    }
}
