import Testing
import Wire
import Workflow

@testable import qsmflow

/// What the end of `run` points to.
@Suite struct RunHintTests {
    private func view(_ kinds: [(kind: String, succeeded: Int)]) -> String? {
        var counts = TaskCounts()
        let steps = kinds.map { kind, succeeded in
            counts.succeeded = succeeded
            return StepCounts(step: kind, kind: kind, counts: counts, meanSeconds: nil, peakResidentMiB: nil)
        }
        return LocalRun.view(
            of: RunSummary(
                run: RunID(rawValue: 1), name: "", workflow: "w", dataset: "d", state: .succeeded, counts: TaskCounts(),
                steps: steps, createdAt: "", finishedAt: nil, elapsedSeconds: 0, remainingSeconds: nil))
    }

    @Test func theViewNamedHasRows() {
        #expect(view([("image.check", 3), ("roi.statistics", 2), ("cohort.linear-model", 1)]) == "roi_statistics")
        #expect(view([("network.train", 1), ("network.classify", 4)]) == "measurements")
        #expect(view([("network.train", 1), ("network.classify", 0)]) == "models")
        #expect(view([("command", 1)]) == "outputs")
        #expect(view([("roi.statistics", 0)]) == nil)
    }
}
