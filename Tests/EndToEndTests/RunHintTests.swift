import BIDS
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

    /// A workflow with a training per name, each applied by a step of its own.
    private func reuse(_ trainings: [String], parameters: [String: JSONValue] = [:]) throws -> [String] {
        var text = """
            name: x
            parameters:
              {train: true, models: [], more: [], epochs: 30, average: 10, units: ppm, chimap: {suffix: Chimap}}
            folds: {count: 3}
            steps:

            """
        for (n, step) in trainings.enumerated() {
            text += """
                  \(step):
                    kind: network.train
                    when: "${train}"
                    each: fold
                    people: training
                    inputs: {images: {bids: "${chimap}"}, labels: {bids: {suffix: dseg}}}
                    parameters: {epochs: "${epochs}", averaging_from: "${average}", units: "${units}"}
                  apply-\(step):
                    kind: network.segment
                    inputs:
                      image: {bids: "${chimap}"}
                      model: [{step: \(step).model}, {model: "${\(n == 0 ? "models" : "more")}"}]
                    parameters: {units: "${units}"}

                """
        }
        let parsed = WorkflowFile.parse(text, path: "/w.yaml")
        let definition = try #require(parsed.definition, "\(parsed.problems)")
        let request = RunRequest(
            workflowText: text, workflowPath: "w.yaml", dataset: "/none",
            derivatives: parameters.isEmpty ? [] : ["/elsewhere"],
            atlases: parameters.isEmpty ? [:] : ["mine": "/my atlas"], parameters: parameters)
        return LocalRun.reuse(of: RunID(rawValue: 4), definition, request)
    }

    @Test func everyTrainingIsNamedAndAppliedAtOnce() throws {
        #expect(
            try reuse(["train"]) == [
                "Models:   qsmflow models name-folds 4 NAME names those of the folds; NAME then stands for all",
                "Apply:    qsmflow run w.yaml OTHER_DATASET --set train=false models=NAME",
            ])
        #expect(
            try reuse(["train", "second"]) == [
                "Models:   qsmflow models name-folds 4 NAME-train --step train names those of the folds; NAME-train then stands "
                    + "for all",
                "          qsmflow models name-folds 4 NAME-second --step second",
                "Apply:    qsmflow run w.yaml OTHER_DATASET --set train=false models=NAME-train more=NAME-second",
            ])
    }

    /// What was set holds for the next run where it has a part in it; how the models were trained has none. Words are such
    /// that a shell hands them on as they are.
    @Test func settingsThatMatterAreRepeated() throws {
        let lines = try reuse(
            ["train"],
            parameters: [
                // The average of the file begins after these epochs: either can be left out only after the other, or with it.
                "average": 4, "epochs": 5,
                "train": true, "train.batch": 3, "units": "ppb",
                "chimap": ["suffix": "Chimap", "acq": "a b"], "apply-train.overlap": 0.25,
            ])
        #expect(
            lines.last
                == "Apply:    qsmflow run w.yaml OTHER_DATASET --derivatives ITS_DERIVATIVES "
                + "--atlas 'mine=/my atlas' --set train=false models=NAME apply-train.overlap=0.25 "
                + #"'chimap={"acq":"a b","suffix":"Chimap"}' units=ppb"#)
    }
}
