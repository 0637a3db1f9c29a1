import BIDS
import Foundation
import Testing
import Workflow

/// `folds:`, `each: fold`, `people:`, `when:` and lists of sources in workflow files.
@Suite struct FoldFileTests {
    private func parse(_ text: String, _ parameters: [String: JSONValue] = [:]) -> WorkflowFile.Parsed {
        WorkflowFile.parse(text, path: "/d/w.yaml", parameters: parameters)
    }

    private static let folds = """
        name: x
        parameters: {n: 5, columns: [group, {column: lesions, edges: [1, 2, 4]}]}
        folds:
          count: "${n}"
          seed: 3
          stratify: "${columns}"
          among: [{suffix: dseg, desc: nuclei}, {suffix: mask}]
        steps:
          train:
            kind: network.train
            each: fold
            people: training
            inputs: {images: {bids: {suffix: Chimap}}}
          tell:
            kind: network.segment
            inputs: {image: {bids: {suffix: Chimap}}, model: {step: train.model}}
        """

    @Test func foldsAreRead() throws {
        let definition = try #require(parse(Self.folds).definition, "\(parse(Self.folds).problems)")
        let folds = try #require(definition.folds)
        #expect(folds.count == .folds(5) && folds.seed == 3 && folds.among.count == 2)
        #expect(
            folds.stratify == [.init(column: "group"), .init(column: "lesions", rule: .edges([1, 2, 4]))])
        #expect(definition.steps[0].isPerFold && definition.steps[0].people == .training)
        #expect(definition.usesFolds && definition.reuse == nil)
        let other = parse(Self.folds, ["n": "each-person", "columns": "age"]).definition?.folds
        #expect(other?.count == .eachPerson && other?.stratify == [.init(column: "age")])
        #expect(parse(Self.folds).problems.isEmpty)
    }

    @Test(arguments: [
        ("seed: 3", "seed: x", 5, 9, "seed of folds is “x”; write a whole number"),
        ("count: \"${n}\"", "count: 1", 4, 10, "count of folds is 1; write a whole number from 2 on, or each-person"),
        ("count: \"${n}\"", "count: \"${m}\"", 4, 10, "no parameter “m”"),
        ("  count: \"${n}\"\n", "", 4, 3, "folds has no count; add count: 5"),
        ("seed: 3", "sed: 3", 5, 3, "folds has no key “sed”; did you mean seed?"),
        ("\"${columns}\"", "[3]", 6, 13, "is a list of columns"),
        ("\"${columns}\"", "[{column: age, edges: [2, 1]}]", 6, 13, "in ascending order"),
        ("\"${columns}\"", "[{column: age, groups: 1}]", 6, 13, "from 2 to 100"),
        ("\"${columns}\"", "[{column: age, edge: [1]}]", 6, 13, "did you mean edges?"),
        ("\"${columns}\"", "[{column: age, edges: [1], groups: 2}]", 6, 13, "keep one of them"),
        ("\"${columns}\"", "[age, age]", 6, 13, "names age twice"),
        ("{suffix: mask}", "{desc: brain}", 7, 41, "the query of among of folds has no suffix"),
        ("people: training", "people: everybody", 12, 13, "is no part of the people; valid: training, test, folds"),
        ("people: training", "people: folds", 12, 13, "reads people: training or people: test"),
        ("    people: training\n", "", 11, 11, "does not say whom each fold reads"),
        ("    each: fold\n", "", 11, 13, "people: training is that of a fold; add each: fold"),
        (
            "kind: network.segment", "kind: network.segment\n    each: fold", 16, 11,
            "reads, for each person, the fold that the person was held out of"
        ),
        (
            "kind: network.segment", "kind: network.segment\n    people: test", 16, 13,
            "people is for steps over the cohort"
        ),
        ("{step: train.model}", "{folds: assignment}", 16, 47, "the assignment of folds is JSON"),
        ("{step: train.model}", "{folds: all}", 16, 62, "what there is of them is assignment"),
        ("{step: train.model}", "[]", 16, 54, "is an empty list"),
        ("{step: train.model}", "[[{step: train.model}]]", 16, 55, "holds no lists"),
        ("    each: fold", "    when: 3\n    each: fold", 11, 11, "when of step train is 3; write true or false"),
        ("    each: fold", "    when: \"no\"\n    each: fold", 11, 11, "when of step train is “no”"),
    ])
    func mistakesAreSaidWithTheirPlace(old: String, new: String, line: Int, column: Int, words: String) throws {
        #expect(Self.folds.contains(old))
        let problems = parse(Self.folds.replacing(old, with: new)).errors
        #expect(
            problems.contains { $0.line == line && $0.column == column && $0.sentence.contains(words) },
            "\(problems.map(\.description))")
    }

    @Test func stepsAboutFoldsWantFolds() {
        let without = Self.folds.replacing(/folds:\n(  .*\n)*/, with: "")
        let errors = parse(without).errors.map(\.description)
        #expect(errors.contains { $0.contains("step train is about folds, and the workflow has none") }, "\(errors)")
        let unused = Self.folds.replacing("    each: fold\n    people: training\n", with: "")
        let warned = parse(unused)
        #expect(warned.definition?.folds == nil)
        #expect(
            warned.warnings.map(\.description) == [
                "/d/w.yaml:3:1: warning: no step has each: fold, and none reads {folds: assignment}; remove folds:"
            ])
    }

    private static let conditional = """
        name: x
        parameters: {train: true, models: []}
        steps:
          train:
            kind: network.train
            when: "${train}"
            inputs: {images: {bids: {suffix: Chimap}}}
          tell:
            kind: network.segment
            inputs:
              image: {bids: {suffix: Chimap}}
              model: [{step: train.model}, {model: "${models}"}]
        """

    private func source(_ parsed: WorkflowFile.Parsed) throws -> StepInput.Source? {
        let definition = try #require(parsed.definition, "\(parsed.problems)")
        return definition.step("tell")?.inputs.first { $0.port == "model" }?.source
    }

    @Test func theFirstSourceThatExistsCounts() throws {
        #expect(try source(parse(Self.conditional)) == .output(step: "train", port: "model"))
        #expect(try source(parse(Self.conditional, ["models": "net"])) == .output(step: "train", port: "model"))
        let applied = parse(Self.conditional, ["train": false, "models": ["a", "b"]])
        #expect(applied.definition?.steps.map(\.name) == ["tell"])
        guard case .model(let references)? = try source(applied) else {
            Issue.record("no model")
            return
        }
        #expect(references.map(\.registeredAs) == ["a", "b"])
        #expect(references[0].line == 12 && references[0].column == 44)
    }

    @Test(arguments: [[], "", .null] as [JSONValue])
    func anInputWithoutSourceIsAnError(models: JSONValue) {
        let parsed = parse(Self.conditional, ["train": false, "models": models])
        #expect(
            parsed.errors.map(\.description) == [
                "/d/w.yaml:12:7: error: input model of step tell has no source in this run: step train is left out (when is "
                    + "false), and the parameter models names no model; add a source to its list, or optional: true where the "
                    + "step can do without"
            ], "\(parsed.problems)")
    }

    @Test func whatIsOptionalMayBeLeftOut() throws {
        let text = Self.conditional.replacing(
            "      model:",
            with: "      check: {step: look.report, optional: true}\n      model:"
        ).replacing(
            "steps:\n",
            with: """
                steps:
                  look:
                    kind: image.check
                    when: "${train}"
                    inputs: {t1w: {bids: {suffix: T1w}}}

                """)
        let all = try #require(parse(text).definition, "\(parse(text).problems)")
        #expect(all.step("tell")?.inputs.map(\.port) == ["image", "check", "model"])
        let applied = parse(text, ["train": false, "models": "a"])
        let definition = try #require(applied.definition, "\(applied.problems)")
        #expect(definition.step("tell")?.inputs.map(\.port) == ["image", "model"])
        // What is needed is not made dispensable by saying so.
        let needed = Self.conditional.replacing(
            "[{step: train.model}, {model: \"${models}\"}]", with: "{step: train.model, optional: true}")
        #expect(parse(needed, ["train": false]).errors.map(\.sentence).contains { $0.contains("has no source") })
    }

    @Test func whatIsLeftOutIsStillChecked() {
        let text = Self.conditional.replacing("{images: {bids", with: "{imags: {bids")
        let errors = parse(text, ["train": false, "models": "a"]).errors
        #expect(errors.contains { $0.line == 7 && $0.sentence.contains("has no input “imags”; did you mean images?") })
        #expect(parse(Self.conditional.replacing("{step: train", with: "{step: tarin")).errors.count == 1)
    }

    @Test func aParameterMayHoldAWholeSource() throws {
        let text = """
            name: x
            parameters: {first: {bids: {suffix: T2starw, desc: swi}}, second: null}
            steps:
              train:
                kind: network.train
                inputs: {images: "${first}", images2: "${second}"}
            """
        let one = try #require(parse(text).definition, "\(parse(text).problems)")
        #expect(one.steps[0].inputs.map(\.port) == ["images"])
        let swi = BIDSQuery(suffixes: ["T2starw"], entities: ["desc": .anyOf(["swi"])])
        #expect(one.steps[0].inputs[0].source == .bids([DatasetQuery(query: swi)]))
        let second: JSONValue = ["bids": [["suffix": "Chimap", "run": "01"], ["suffix": "T2w"]]]
        let two = try #require(parse(text, ["second": second]).definition)
        #expect(two.steps[0].inputs.map(\.port) == ["images", "images2"])
        let wrong = parse(text, ["second": ["bidz": ["suffix": "Chimap"]]]).errors
        #expect(wrong.contains { $0.line == 6 && $0.column == 43 && $0.sentence.contains("did you mean bids?") })
        let lacking = parse(text, ["first": .null]).errors.map(\.sentence)
        #expect(lacking.contains { $0.contains("lacks the input images") }, "\(lacking)")
        #expect(parse(text.replacing("${second}", with: "${third}")).errors.count == 1)
    }

    // MARK: - Leaks

    private static let chain = """
        name: x
        folds: {count: 3}
        steps:
          first:
            kind: network.train
            each: fold
            people: training
            inputs: {images: {bids: {suffix: Chimap}}}
          found:
            kind: network.segment
            inputs: {image: {bids: {suffix: Chimap}}, model: {step: first.model}}
          second:
            kind: network.train
            each: fold
            people: training
            inputs: {images: {bids: {suffix: Chimap}}, model: {step: first.model}}
          apply:
            kind: network.segment
            inputs: {image: {bids: {suffix: Chimap}}, model: {step: second.model}}
        """

    @Test func aTrainingSeesNothingThatHasSeenItsTestPeople() {
        #expect(parse(Self.chain).problems.isEmpty, "\(parse(Self.chain).problems)")
        // What other folds found in one's own people knows the people that are held out.
        let stacked = Self.chain.replacing(
            "model: {step: first.model}}\n  apply", with: "labels: {step: found.labels}}\n  apply")
        #expect(
            parse(stacked).errors.map(\.description).contains {
                $0.contains(":14:11: ") && $0.contains("results of found, which reads other folds of first")
            }, "\(parse(stacked).problems)")
        let test = Self.chain.replacing(
            "each: fold\n    people: training\n    inputs: {images: {bids: {suffix: Chimap}}}",
            with: "each: fold\n    people: test\n    inputs: {images: {bids: {suffix: Chimap}}}")
        #expect(
            parse(test).errors.map(\.sentence).contains {
                $0.contains("who are held out; read only steps with people: training")
            },
            "\(parse(test).problems)")
        let everybody = Self.chain.replacing(
            "    each: fold\n    people: training\n    inputs: {images: {bids: {suffix: Chimap}}}\n  found",
            with: "    inputs: {images: {bids: {suffix: Chimap}}}\n  found")
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
                inputs: {images: {bids: {suffix: Chimap}}}
              again:
                kind: network.train
                inputs: {images: {bids: {suffix: Chimap}}, model: {step: train.model}}
            """
        #expect(
            parse(text).errors.map(\.description).contains {
                $0.contains(":11:62: ") && $0.contains("train runs once per fold, and the input model of step again")
            }, "\(parse(text).problems)")
    }

    @Test func editorsKnowFolds() throws {
        let schema = WorkflowSchema.json()
        #expect(schema["properties"]?["folds"]?["$ref"] == "#/$defs/folds")
        #expect(schema["$defs"]?["folds"]?["properties"]?["among"] != nil)
        let step = try #require(schema["$defs"]?["step"]?["properties"])
        #expect(step["each"]?["enum"] == ["atlas", "fold"] && step["people"] != nil && step["when"] != nil)
    }
}
