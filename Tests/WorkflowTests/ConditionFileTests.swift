import BIDS
import Testing
import Workflow

/// `when:`, lists of sources and sources that parameters are, in workflow files.
@Suite struct ConditionFileTests {
    private func parse(_ text: String, _ parameters: [String: JSONValue] = [:]) -> WorkflowFile.Parsed {
        WorkflowFile.parse(text, path: "/d/w.yaml", parameters: parameters)
    }

    private static let conditional = """
        name: x
        parameters: {train: true, models: []}
        steps:
          train:
            kind: network.train
            when: "${train}"
            inputs: {images: {bids: {suffix: Chimap}}, labels: {bids: {suffix: dseg}}}
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

    /// A step may hang on several conditions, all of which must hold.
    @Test(arguments: [(true, true), (true, false), (false, true)])
    func conditionsHoldTogether(train: Bool, network: Bool) throws {
        let text = Self.conditional.replacing("train: true,", with: "train: true, network: true,")
            .replacing(#"when: "${train}""#, with: #"when: ["${train}", "${network}"]"#)
        let parsed = parse(text, ["train": .bool(train), "network": .bool(network), "models": "net"])
        let definition = try #require(parsed.definition, "\(parsed.problems)")
        #expect(definition.steps.contains { $0.name == "train" } == (train && network))
    }

    @Test(arguments: [(true, true), (true, false), (false, true), (false, false)])
    func anyOfSeveralConditionsWillDo(train: Bool, network: Bool) throws {
        let text = Self.conditional.replacing("train: true,", with: "train: true, network: true,")
            .replacing(#"when: "${train}""#, with: #"when: {any: ["${train}", "${network}"]}"#)
        let parsed = parse(text, ["train": .bool(train), "network": .bool(network), "models": "net"])
        let definition = try #require(parsed.definition, "\(parsed.problems)")
        #expect(definition.steps.contains { $0.name == "train" } == (train || network))
    }

    @Test(arguments: ["{any: []}", "{all: [true]}", "{any: true}", "{any: [1]}"])
    func conditionsAreWrittenInFourWays(condition: String) {
        let parsed = parse(Self.conditional.replacing(#"when: "${train}""#, with: "when: \(condition)"))
        #expect(parsed.definition == nil)
        #expect(
            parsed.problems.contains {
                $0.description.contains("when of step train is") && $0.description.contains("{any: […]}")
            },
            "\(parsed.problems)")
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

    /// What is applied and judged alone has no folds: nobody was held out of anything.
    @Test(arguments: [true, false])
    func foldsOfNothingAreLeftOutWhereTheyMayBe(trains: Bool) throws {
        let text = """
            name: x
            parameters: {train: true, models: []}
            folds: {count: 3}
            steps:
              train:
                kind: network.train
                when: "${train}"
                each: fold
                people: training
                inputs: {images: {bids: {suffix: Chimap}}, covariates: {covariates: participants}}
                parameters: {network: slices, target: group}
              tell:
                kind: network.classify
                inputs:
                  image: {bids: {suffix: Chimap}}
                  model: [{step: train.model}, {model: "${models}"}]
              judge:
                kind: evaluate.classification
                inputs:
                  tables: {step: tell.table}
                  covariates: {covariates: participants}
                  folds: {folds: assignment, optional: OPTIONAL}
            """
        func parsed(optional: Bool) -> WorkflowFile.Parsed {
            parse(
                text.replacing("OPTIONAL", with: "\(optional)"),
                ["train": .bool(trains), "models": trains ? [] : ["a"]])
        }
        let may = try #require(parsed(optional: true).definition, "\(parsed(optional: true).problems)")
        #expect(may.step("judge")?.inputs.contains { $0.port == "folds" } == trains)
        #expect((may.folds != nil) == trains)
        // Who asks for folds gets them, whatever they are good for.
        let must = try #require(parsed(optional: false).definition)
        #expect(must.step("judge")?.inputs.contains { $0.port == "folds" } == true && must.folds != nil)
        #expect(parsed(optional: true).problems.isEmpty)
    }

    /// A list may end in a source that a parameter is; without a value the step does without.
    @Test func aSourceOfAListMayBeAParameter() throws {
        let text = """
            name: x
            parameters: {moved: true, other: {bids: {suffix: FLAIR}}}
            steps:
              move:
                kind: image.resample
                when: "${moved}"
                inputs: {image: "${other}", target: {bids: {suffix: Chimap}}}
              tell:
                kind: network.segment
                inputs:
                  image: {bids: {suffix: Chimap}}
                  image2: [{step: move.image}, "${other}"]
                  model: {model: net}
            """
        func second(_ parameters: [String: JSONValue]) throws -> StepInput.Source? {
            let parsed = parse(text, parameters)
            let definition = try #require(parsed.definition, "\(parsed.problems)")
            return definition.step("tell")?.inputs.first { $0.port == "image2" }?.source
        }
        #expect(try second([:]) == .output(step: "move", port: "image"))
        guard case .bids(let queries)? = try second(["moved": false]) else {
            Issue.record("no file")
            return
        }
        #expect(queries.map(\.query.suffixes) == [["FLAIR"]])
        // Steps that are left out may lack it too; those that are not may not.
        #expect(try second(["moved": false, "other": .null]) == nil)
        #expect(
            parse(text, ["other": .null]).errors.map(\.sentence) == [
                "step move lacks the input image (what is brought over, such as the T1-weighted image)"
            ])
        let required = text.replacing("image: {bids: {suffix: Chimap}}\n", with: "image: [\"${other}\"]\n")
        #expect(
            parse(required, ["moved": false, "other": .null]).errors.contains {
                $0.sentence.contains("step tell lacks the input image")
            })
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

    /// A second image that the run has not is none that the channels of a training left out would have to describe.
    @Test func whatIsOptionalIsNotMissedInStepsLeftOut() throws {
        let text = """
            name: x
            folds: {count: 3}
            parameters: {train: true, both: false, models: [], channels: [{modality: Chimap}]}
            steps:
              onto:
                kind: image.resample
                when: "${both}"
                inputs: {image: {bids: {suffix: T1w}}, target: {bids: {suffix: Chimap}}}
              train:
                kind: network.train
                when: "${train}"
                each: fold
                people: training
                inputs:
                  images: {bids: {suffix: Chimap}}
                  images2: {step: onto.image, optional: true}
                  labels: {bids: {suffix: dseg}}
                parameters: {channels: "${channels}"}
              segment:
                kind: network.segment
                inputs: {image: {bids: {suffix: Chimap}}, model: [{step: train.model}, {model: "${models}"}]}
            """
        for train in [true, false] {
            let parsed = parse(text, ["train": .bool(train), "models": "a"])
            #expect(parsed.definition != nil, "\(train): \(parsed.problems)")
            let both = parse(text, ["train": .bool(train), "models": "a", "both": true]).errors.map(\.sentence)
            #expect(both.count == 1 && both[0].contains("channels describes 1"), "\(train): \(both)")
        }
    }

    /// A step left out may lack a source that another step would make, which is left out for a reason of its own.
    @Test func sourcesOfStepsLeftOutMayBeLeftOut() throws {
        let text = """
            name: x
            parameters: {train: true, move: true, other: null, models: []}
            steps:
              move:
                kind: image.resample
                when: "${move}"
                inputs: {image: {bids: {suffix: FLAIR}}, target: {bids: {suffix: Chimap}}}
              train:
                kind: network.train
                when: "${train}"
                inputs:
                  images: [{step: move.image}, "${other}"]
                  labels: {bids: {suffix: dseg}}
              tell:
                kind: network.segment
                inputs:
                  image: {bids: {suffix: Chimap}}
                  model: [{step: train.model}, {model: "${models}"}]
            """
        let parsed = parse(text, ["train": false, "move": false, "models": "net"])
        #expect(parsed.definition?.steps.map(\.name) == ["tell"], "\(parsed.problems)")
    }

    @Test func aParameterMayHoldAWholeSource() throws {
        let text = """
            name: x
            parameters: {first: {bids: {suffix: T2starw, desc: swi}}, second: null}
            steps:
              tell:
                kind: network.segment
                inputs: {image: "${first}", image2: "${second}", model: {model: net}}
            """
        let one = try #require(parse(text).definition, "\(parse(text).problems)")
        #expect(one.steps[0].inputs.map(\.port) == ["image", "model"])
        let swi = BIDSQuery(suffixes: ["T2starw"], entities: ["desc": .anyOf(["swi"])])
        #expect(one.steps[0].inputs[0].source == .bids([DatasetQuery(query: swi)]))
        let second: JSONValue = ["bids": [["suffix": "Chimap", "run": "01"], ["suffix": "T2w"]]]
        let two = try #require(parse(text, ["second": second]).definition)
        #expect(two.steps[0].inputs.map(\.port) == ["image", "image2", "model"])
        let wrong = parse(text, ["second": ["bidz": ["suffix": "Chimap"]]]).errors
        #expect(wrong.contains { $0.line == 6 && $0.column == 41 && $0.sentence.contains("did you mean bids?") })
        let lacking = parse(text, ["first": .null]).errors.map(\.sentence)
        #expect(lacking.contains { $0.contains("lacks the input image") }, "\(lacking)")
        #expect(parse(text.replacing("${second}", with: "${third}")).errors.count == 1)
    }
}
