/// Decides what follows a failed attempt. Pure: the caller supplies the random number.
package struct RetryPolicy: Codable, Hashable, Sendable {
    /// Failures of its own (not losses) after which a task is given up; 1 means no retry.
    package var maximumFailures: Int
    /// Losses (worker died, lease expired, crash of the process) after which a task is quarantined: failed, with that reason.
    package var maximumLosses: Int
    package var backoffBaseSeconds: Double
    package var backoffLimitSeconds: Double
    /// Growth of the memory limit after an out-of-memory end.
    package var memoryGrowth: Double

    package init(
        maximumFailures: Int = 3, maximumLosses: Int = 3, backoffBaseSeconds: Double = 2,
        backoffLimitSeconds: Double = 300, memoryGrowth: Double = 1.6
    ) {
        self.maximumFailures = maximumFailures
        self.maximumLosses = maximumLosses
        self.backoffBaseSeconds = backoffBaseSeconds
        self.backoffLimitSeconds = backoffLimitSeconds
        self.memoryGrowth = memoryGrowth
    }

    package enum Decision: Hashable, Sendable {
        case retry(afterSeconds: Double, memoryMiB: Int)
        case giveUp
    }

    /// - Parameters:
    ///   - failures: failures of the task including this one (outcomes other than lost, crashed, released).
    ///   - losses: losses and crashes of the task including this one.
    ///   - memoryMiB: limit the attempt ran under.
    ///   - memoryCeilingMiB: largest limit under which any worker would take the task; an out-of-memory end there is
    ///     final.
    ///   - jitter: uniform in [0, 1): full jitter, so that a mass failure does not come back all at once.
    package func decide(
        outcome: AttemptOutcome, failures: Int, losses: Int, memoryMiB: Int, memoryCeilingMiB: Int, jitter: Double
    ) -> Decision {
        func backoff(_ n: Int) -> Double {
            var delay = backoffBaseSeconds
            for _ in 1..<max(1, min(n, 30)) where delay < backoffLimitSeconds { delay *= 2 }
            return min(delay, backoffLimitSeconds) * jitter
        }
        switch outcome {
        case .succeeded, .cached, .permanent, .cancelled:
            return .giveUp
        case .released:
            return .retry(afterSeconds: 0, memoryMiB: memoryMiB)
        case .lost, .crashed:
            guard losses < maximumLosses else { return .giveUp }
            return .retry(afterSeconds: outcome == .lost ? 0 : backoff(losses), memoryMiB: memoryMiB)
        case .transient, .timedOut:
            guard failures < maximumFailures else { return .giveUp }
            return .retry(afterSeconds: backoff(failures), memoryMiB: memoryMiB)
        case .outOfMemory:
            guard failures < maximumFailures, memoryMiB < memoryCeilingMiB else { return .giveUp }
            let grown = Int((Double(memoryMiB) * memoryGrowth).rounded(.up))
            return .retry(afterSeconds: 0, memoryMiB: min(grown, memoryCeilingMiB))
        }
    }
}
