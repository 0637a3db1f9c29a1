import Testing
import Workflow

/// What a training must not see of the people it is judged by.
@Suite struct FoldLeakTests {
    private func parse(_ text: String) -> WorkflowFile.Parsed { WorkflowFile.parse(text, path: "/d/w.yaml") }

    private static let chain = """
        name: x
        folds: {count: 3}
        steps:
          first:
            kind: network.train
            each: fold
            people: training
            inputs: {images: {bids: {suffix: Chimap}}, labels: {bids: {suffix: dseg}}}
          found:
            kind: network.segment
            inputs: {image: {bids: {suffix: Chimap}}, model: {step: first.model}}
          second:
            kind: network.train
            each: fold
            people: training
            inputs: {images: {bids: {suffix: Chimap}}, labels: {bids: {suffix: dseg}}, model: {step: first.model}}
          apply:
            kind: network.segment
            inputs: {image: {bids: {suffix: Chimap}}, model: {step: second.model}}
        """

    @Test func aTrainingSeesNothingThatHasSeenItsTestPeople() {
        #expect(parse(Self.chain).problems.isEmpty, "\(parse(Self.chain).problems)")
        // What other folds found in one's own people knows the people that are held out.
        let stacked = Self.chain.replacing(
            "labels: {bids: {suffix: dseg}}, model: {step: first.model}}\n  apply",
            with: "labels: {step: found.labels}}\n  apply")
        #expect(
            parse(stacked).errors.map(\.description).contains {
                $0.contains(":14:11: ") && $0.contains("results of found, which reads other folds of first")
            }, "\(parse(stacked).problems)")
        let test = Self.chain.replacing(
            "each: fold\n    people: training\n    inputs: {images: {bids: {suffix: Chimap}}, labels: {bids: {suffix: dseg}}}",
            with:
                "each: fold\n    people: test\n    inputs: {images: {bids: {suffix: Chimap}}, labels: {bids: {suffix: dseg}}}"
        )
        #expect(
            parse(test).errors.map(\.sentence).contains {
                $0.contains("who are held out; read only steps with people: training")
            },
            "\(parse(test).problems)")
        let everybody = Self.chain.replacing(
            "    each: fold\n    people: training\n    inputs: {images: {bids: {suffix: Chimap}}, labels: {bids: {suffix: dseg}}}\n  found",
            with: "    inputs: {images: {bids: {suffix: Chimap}}, labels: {bids: {suffix: dseg}}}\n  found")
        #expect(parse(everybody).errors.isEmpty)
        #expect(
            parse(everybody).warnings.map(\.sentence).contains { $0.contains("first, which is made of everybody") },
            "\(parse(everybody).problems)")
    }

    @Test func oneItemOfManyFoldsIsRefused() {
        let text = """
            name: x
            folds: {count: 3}
            steps:
              train:
                kind: network.train
                each: fold
                people: training
                inputs: {images: {bids: {suffix: Chimap}}, labels: {bids: {suffix: dseg}}}
              again:
                kind: network.train
                inputs: {images: {bids: {suffix: Chimap}}, model: {step: train.model}, labels: {bids: {suffix: dseg}}}
            """
        #expect(
            parse(text).errors.map(\.description).contains {
                $0.contains(":11:62: ") && $0.contains("train runs once per fold, and the input model of step again")
            }, "\(parse(text).problems)")
    }
}
