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
            inputs: {images: {bids: {suffix: Chimap}}, labels: {bids: {suffix: dseg}}}
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
        #expect(definition.usesFolds && definition.reuses.isEmpty)
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
            "people: test is that of a fold; add each: fold to step tell, or write people: folds"
        ),
        ("{step: train.model}", "{folds: assignment}", 16, 47, "the assignment of folds is JSON"),
        ("{step: train.model}", "{folds: all}", 16, 62, "what there is of them is assignment"),
        ("{step: train.model}", "[]", 16, 54, "is an empty list"),
        ("{step: train.model}", "[[{step: train.model}]]", 16, 55, "holds no lists"),
        ("    each: fold", "    when: 3\n    each: fold", 11, 11, "when of step train is 3; write true or false"),
        ("    each: fold", "    when: \"no\"\n    each: fold", 11, 11, "when of step train is “no”"),
        ("    each: fold", "    when: []\n    each: fold", 11, 11, "when of step train is []; write true or false"),
        (
            "    each: fold", "    when: [true, 3]\n    each: fold", 11, 18,
            "when of step train is 3; write true or false"
        ),
    ])
    func mistakesAreSaidWithTheirPlace(old: String, new: String, line: Int, column: Int, words: String) throws {
        #expect(Self.folds.contains(old))
        let problems = parse(Self.folds.replacing(old, with: new)).errors
        #expect(
            problems.contains { $0.line == line && $0.column == column && $0.sentence.contains(words) },
            "\(problems.map(\.description))")
    }

    /// One parameter says which files there are, for folds and for steps.
    @Test func aParameterMayHoldAQuery() throws {
        let text = """
            name: x
            parameters: {labels: {suffix: dseg, desc: nuclei}, other: {suffix: mask}}
            folds: {count: 2, among: ["${labels}", {suffix: T1w}]}
            steps:
              train:
                kind: network.train
                each: fold
                people: training
                inputs: {images: {bids: {suffix: Chimap}}, labels: {bids: "${labels}"}, masks: {bids: ["${other}", {suffix: x}]}}
            """
        func suffixes(_ parameters: [String: JSONValue]) throws -> [[String]] {
            let definition = try #require(parse(text, parameters).definition, "\(parse(text, parameters).problems)")
            return try [#require(definition.folds).among]
                .map { $0.flatMap(\.query.suffixes) }
                + ["labels", "masks"].map { port in
                    guard
                        case .bids(let queries)? = definition.steps[0].inputs.first(where: { $0.port == port })?.source
                    else { return [] }
                    return queries.flatMap(\.query.suffixes)
                }
        }
        #expect(try suffixes([:]) == [["dseg", "T1w"], ["dseg"], ["mask", "x"]])
        // A parameter may hold several queries as well.
        #expect(
            try suffixes(["labels": ["suffix": "seg"], "other": ["suffix": "a"]]) == [
                ["seg", "T1w"], ["seg"], ["a", "x"],
            ])
        #expect(parse(text).problems.isEmpty)
        let unknown = parse(text.replacing("bids: \"${labels}\"", with: "bids: \"${label}\"")).errors
        #expect(
            unknown.map(\.sentence) == ["there is no parameter “label” at the top of the file; did you mean labels?"])
        let number = parse(text, ["labels": 3]).errors.map(\.sentence)
        #expect(
            number == [
                "the query of among of folds is “3” where a mapping is expected",
                "the query of input labels of step train is “3” where a mapping is expected",
            ], "\(number)")
    }

    private static let counted =
        "{table: {suffix: lesions, extension: .tsv}, column: class, value: rim, edges: [1, 2, 4]}"

    /// Rows of people's own tables balance folds as columns of participants.tsv do.
    @Test func rowsToCountAreRead() throws {
        let text = Self.folds.replacing("{column: lesions, edges: [1, 2, 4]}", with: Self.counted)
        let folds = try #require(parse(text).definition?.folds, "\(parse(text).problems)")
        #expect(folds.stratify.count == 2 && folds.stratify[1].rule == .edges([1, 2, 4]))
        let rows = try #require(folds.stratify[1].counted)
        #expect(
            rows.value == "rim" && rows.table.query.suffixes == ["lesions"] && rows.table.query.extensions == [".tsv"])
        // The same column may be counted for two values, and once each.
        let two = "[\(Self.counted), {table: {suffix: lesions, extension: .tsv}, column: class, value: iso}]"
        #expect(parse(Self.folds.replacing("\"${columns}\"", with: two)).errors.map(\.sentence).isEmpty)
        for (list, words) in [
            ("[\(Self.counted), \(Self.counted)]", "names number of rows with class “rim” twice"),
            ("[{table: {suffix: lesions}, column: class}]", "has a table and no value; rows are counted with both"),
            ("[{column: class, value: rim}]", "has a value and no table"),
            ("[{table: {desc: x}, column: class, value: rim}]", "the query of stratify of folds has no suffix"),
            ("[{table: {suffix: lesions}, column: class, valu: rim}]", "did you mean value?"),
        ] {
            let errors = parse(Self.folds.replacing("\"${columns}\"", with: list)).errors
            #expect(errors.contains { $0.sentence.contains(words) && $0.line == 6 }, "\(errors.map(\.description))")
        }
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

    // MARK: - Leaks

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

    @Test func editorsKnowFolds() throws {
        let schema = WorkflowSchema.json()
        #expect(schema["properties"]?["folds"]?["$ref"] == "#/$defs/folds")
        #expect(schema["$defs"]?["folds"]?["properties"]?["among"] != nil)
        let step = try #require(schema["$defs"]?["step"]?["properties"])
        #expect(step["each"]?["enum"] == ["atlas", "fold"] && step["people"] != nil && step["when"] != nil)
    }
}
