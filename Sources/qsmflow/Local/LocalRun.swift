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
        defer { pool.stop() }
        var progress = RunProgress()
        while true {
            let summary = try await client.run(run)
            if summary.state != .running {
                progress.finish()
                return summary
            }
            progress.show(summary)
            try pool.restartTheDead()
            do {
                try await Task.sleep(for: .milliseconds(500))  // how often a person sees the numbers change
            } catch {
                progress.finish()
                Console.note("Interrupted. Finished work is kept; the same command goes on with run \(run).")
                throw error
            }
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
