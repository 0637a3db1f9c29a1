import BIDS
import Foundation
import Testing
import Workflow

/// `{model: …}` in workflow files.
@Suite struct ModelSourceTests {
    private static let text = """
        name: apply
        parameters: {net: deepmir}
        steps:
          segment:
            kind: command
            scope: session
            inputs:
              t1w: {bids: {suffix: T1w}}
              weights: {model: "${net}"}
            parameters: {program: p}
        """

    private func parse(_ text: String = text, _ parameters: [String: JSONValue] = [:]) -> WorkflowFile.Parsed {
        WorkflowFile.parse(text, path: "/data/w/file.yaml", parameters: parameters)
    }

    private func places(_ parsed: WorkflowFile.Parsed) throws -> [ModelReference.Place] {
        let definition = try #require(parsed.definition, "\(parsed.problems)")
        let input = try #require(definition.steps[0].inputs.first { $0.port == "weights" })
        guard case .model(let references) = input.source else { return [] }
        return references.map(\.place)
    }

    @Test func namesDigestsAndPathsAreToldApart() throws {
        let digest = String(repeating: "0a", count: 32)
        let cases: [(JSONValue, [ModelReference.Place])] = [
            ("deepmir", [.registry("deepmir")]), ("Net_2.1-b", [.registry("Net_2.1-b")]),
            ("3f2a1b", [.registry("3f2a1b")]), (.string(digest), [.registry(digest)]),
            (123_456, [.registry("123456")]), ("nets/a", [.file("/data/w/nets/a")]),
            ("a.safetensors", [.file("/data/w/a.safetensors")]), ("/m/a.bin", [.file("/m/a.bin")]),
        ]
        for (value, expected) in cases { #expect(try places(parse(Self.text, ["net": value])) == expected) }
        let definition = try #require(parse().definition)
        let mentioned = definition.registeredModels
        #expect(mentioned.map(\.step) == ["segment"] && mentioned.map(\.input) == ["weights"])
        #expect(mentioned.map(\.reference) == [ModelReference(.registry("deepmir"), line: 9, column: 24)])
    }

    @Test func severalModelsAreForInputsThatGather() throws {
        let list: JSONValue = ["fold-1", "fold-2", "./third"]
        let refused = parse(Self.text, ["net": list])
        #expect(refused.errors.map(\.sentence).contains { $0.contains("takes one model, and 3 are named") })
        let gathering = Self.text.replacing("\"${net}\"}", with: "\"${net}\", gather: true}")
        #expect(
            try places(parse(gathering, ["net": list])) == [
                .registry("fold-1"), .registry("fold-2"), .file("/data/w/third"),
            ])
    }

    /// Kinds that apply networks take one model or the members of an ensemble, without being told to gather.
    @Test(
        arguments: ["network.segment", "network.classify"],
        [.string("fold-1"), .array(["fold-1", "3f2a1b", "./third.safetensors"])] as [JSONValue])
    func ensemblesNeedNoGathering(kind: String, models: JSONValue) throws {
        let text = """
            name: apply
            parameters: {net: fold-1}
            steps:
              apply:
                kind: \(kind)
                inputs:
                  image: {bids: {suffix: Chimap}}
                  model: {model: "${net}"}
            """
        let definition = try #require(parse(text, ["net": models]).definition)
        let input = try #require(definition.steps[0].inputs.first { $0.port == "model" })
        guard case .model(let references) = input.source else {
            Issue.record("no model")
            return
        }
        #expect(references.count == (models.arrayValue?.count ?? 1) && input.isGathered)
    }

    @Test(arguments: [
        ("net.onnx", 9, 24, "`qsmflow models import`"), ("a b", 9, 24, "cannot be a model of input weights"),
        ("é", 9, 24, "at least 6 digits"), ("-x", 9, 24, "cannot be a model"),
    ])
    func whatCannotBeAModelIsSaid(value: String, line: Int, column: Int, words: String) {
        let parsed = parse(Self.text, ["net": .string(value)])
        let found = parsed.errors.contains { $0.line == line && $0.column == column && $0.sentence.contains(words) }
        #expect(found, "\(parsed.problems.map(\.description))")
    }

    @Test func aModelIsNoImage() {
        let text = Self.text.replacing("kind: command", with: "kind: brain.mask")
            .replacing("parameters: {program: p}", with: "timeout: 1m")
            .replacing("t1w: {bids: {suffix: T1w}}", with: "t1w: {model: deepmir}")
            .replacing("      weights: {model: \"${net}\"}\n", with: "")
        let sentences = parse(text).errors.map(\.description)
        #expect(sentences.contains { $0.contains(":8:7: ") && $0.contains("takes an image volume, and a model is") })
        let empty = parse(Self.text.replacing("{model: \"${net}\"}", with: "{model: []}")).errors
        #expect(empty.contains { $0.line == 9 && $0.sentence.contains("names no model") }, "\(empty)")
    }

    @Test func tasksReadTheFileThatTheModelIs() throws {
        let image = BIDSFile(
            root: "/d", path: "sub-01/anat/sub-01_T1w.nii.gz",
            stamp: FileStamp(sizeBytes: 9, modifiedNanoseconds: 1, inode: 1),
            name: try BIDSName(parsing: "sub-01_T1w.nii.gz"), datatype: "anat", dataset: .raw)
        let weights = FileReference(
            path: "/store/3f", name: "3f2a1b.safetensors", digest: ArtifactDigest(of: Data("w".utf8)), sizeBytes: 1)
        func tasks(_ parameters: [String: JSONValue] = [:]) throws -> [ExpandedTask] {
            let definition = try #require(parse(Self.text, parameters).definition)
            return try Expansion(
                definition: definition, cohort: Cohort(files: [image]), atlases: [], models: ["deepmir": [weights]]
            ).tasks()
        }
        func read(_ tasks: [ExpandedTask]) -> InputBinding? { tasks[0].inputs.first { $0.port == "weights" } }
        #expect(
            read(try tasks()) == InputBinding(port: "weights", context: .cohort, source: .file(weights)))
        #expect(
            read(try tasks(["net": "./w.safetensors"]))?.source == .file(FileReference(path: "/data/w/w.safetensors")))
        #expect(throws: WorkflowError.noModel("other", step: "segment")) { try tasks(["net": "other"]) }
    }

    @Test func editorsKnowTheSource() throws {
        let alternatives = try #require(WorkflowSchema.json()["$defs"]?["source"]?["oneOf"]?.arrayValue)
        let model = try #require(alternatives.first { $0["required"] == ["model"] })
        #expect(model["properties"]?["model"]?["description"]?.stringValue?.contains("digest") == true)
    }

    @Test func modelsAreAFormatOfTheirOwn() {
        #expect(TaskPort.Format.ofFile(named: "best.safetensors") == .model)
        #expect(TaskPort.Format.model.fits(.model) && TaskPort.Format.file.fits(.model))
        #expect(!TaskPort.Format.model.fits(.volume) && !TaskPort.Format.table.fits(.model))
        #expect(TaskPort.Format.model.fileExtension == "safetensors")
        #expect(TaskPort.Format.model.mediaType == "application/vnd.safetensors")
    }
}
