import BIDS
import Foundation
import Testing
import Workflow

/// `folds:`, `each: fold` and `people:` in workflow files.
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

    @Test func editorsKnowFolds() throws {
        let schema = WorkflowSchema.json()
        #expect(schema["properties"]?["folds"]?["$ref"] == "#/$defs/folds")
        #expect(schema["$defs"]?["folds"]?["properties"]?["among"] != nil)
        let step = try #require(schema["$defs"]?["step"]?["properties"])
        #expect(step["each"]?["enum"] == ["atlas", "fold"] && step["people"] != nil && step["when"] != nil)
    }
}
