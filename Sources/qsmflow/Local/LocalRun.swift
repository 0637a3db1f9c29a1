import CoordinatorClient
import Foundation
import Wire
import Workflow

/// Works on one run with worker processes of its own until it is settled.
struct LocalRun {
    let run: RunID
    let local: LocalCoordinator
    let workers: LocalWorkerOptions

    func untilSettled(_ client: CoordinatorClient) async throws -> RunSummary {
        let pool = try WorkerProcesses(local: local, options: workers)
        var progress = RunProgress()
        let outcome: Result<RunSummary, any Error>
        do {
            outcome = .success(try await watch(client, pool, &progress))
        } catch {
            outcome = .failure(error)
        }
        progress.finish()
        await pool.stop()
        if case .failure = outcome, Task.isCancelled {
            Console.note("Interrupted. Finished work is kept; the same command goes on with run \(run).")
            throw CancellationError()
        }
        return try outcome.get()
    }

    private func watch(
        _ client: CoordinatorClient, _ pool: WorkerProcesses, _ progress: inout RunProgress
    ) async throws -> RunSummary {
        var lastAnswer = ContinuousClock.now
        while true {
            do {
                let summary = try await client.run(run)
                lastAnswer = .now
                if summary.state != .running { return summary }
                progress.show(summary)
            } catch let error where Self.isPassing(error) && lastAnswer.duration(to: .now) < Self.patience {
                // The database recovers from a crash: workers wait for it, and so do we.
            }
            try pool.restartTheDead()
            try await Task.sleep(for: .milliseconds(500))  // how often a person sees the numbers change
        }
    }

    /// How long a run may stay without an answer.
    private static let patience = Duration.seconds(600)

    private static func isPassing(_ error: any Error) -> Bool {
        switch error {
        case let error as ClientError: error.isTransient
        case let error as APIError: error.code == "database_unavailable"
        default: false
        }
    }

    static func showWhereThingsAre(_ local: LocalCoordinator, run: RunID, state: String?) {
        let option = state.map { " --state \($0)" } ?? ""
        Console.print("")
        Console.print("Results:  qsmflow results \(run) roi_statistics\(option)    qsmflow sql\(option)")
        Console.print("Report:   qsmflow report \(run) -o report.html\(option)")
        Console.print("Export:   qsmflow export \(run) FOLDER --format bids\(option)")
        Console.print("Database: \(local.databaseDescription)")
    }
}
