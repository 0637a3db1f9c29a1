import ArgumentParser
import CoordinatorClient
import Wire
import Workflow

/// A run by its number; without one the latest.
struct RunSelection: ParsableArguments {
    @Argument(help: "Number of the run. Default: the latest.")
    var run: RunID?

    func resolve(_ client: CoordinatorClient) async throws -> RunID {
        if let run { return run }
        guard let latest = try await client.runs().map(\.run).max() else {
            throw CommandFailure("There is no run yet; start one with `qsmflow run WORKFLOW BIDS_DIR`")
        }
        return latest
    }
}
