import BIDS
import Foundation
import Testing
import Workflow

@Suite struct WorkflowFileTests {
    func parse(
        _ text: String, parameters: [String: JSONValue] = [:], atlases: [String: String] = [:]
    ) -> WorkflowFile.Parsed {
        WorkflowFile.parse(text, path: "/data/w/file.yaml", parameters: parameters, atlases: atlases)
    }

    /// A workflow of one step, `image.check`, with something put in place of something.
    static let minimal = """
        name: small
        steps:
          check:
            kind: image.check
            inputs:
              t1w: {bids: {suffix: T1w}}
              chimap: {bids: {suffix: Chimap}}
        """

    static let twoSteps = """
        name: two
        steps:
          check:
            kind: image.check
            inputs:
              t1w: {bids: {suffix: T1w}}
              chimap: {bids: {suffix: Chimap}}
          brain:
            kind: brain.mask
            inputs:
              t1w: {bids: {suffix: T1w}}
              check: {step: check.report}
            parameters: {dilation_mm: 2}
        """

    @Test func readsADefinition() throws {
        let parsed = parse(Self.twoSteps)
        #expect(parsed.problems.isEmpty, "\(parsed.problems)")
        let definition = try #require(parsed.definition)
        #expect(definition.name == "two")
        #expect(definition.steps.map(\.name) == ["check", "brain"])
        let brain = try #require(definition.step("brain"))
        let kind = try #require(TaskKindCatalog.kind("brain.mask"))
        #expect(brain.scope == .session)
        #expect(brain.kindVersion == kind.version)
        #expect(brain.resources == kind.resources)
        #expect(brain.timeoutSeconds == kind.timeoutSeconds)
        #expect(brain.fanIn == .all)
        // Every parameter has its value, stated or default.
        #expect(brain.parameters["dilation_mm"] == 2)
        #expect(Set(brain.parameters.objectValue?.keys ?? [:].keys) == Set(kind.parameters.map(\.name)))
        #expect(brain.inputs.map(\.source).contains(.output(step: "check", port: "report")))
    }

    @Test func readsResourcesTimesAndPolicies() throws {
        let parsed = parse(
            """
            name: x
            steps:
              check:
                kind: image.check
                inputs: {t1w: {bids: {suffix: T1w}}, chimap: {bids: {suffix: Chimap}}}
                resources: {cores: 2, memory: 1.5GiB}
                timeout: 1h30m
                retries: 4
              qc:
                kind: cohort.qc
                inputs: {reports: {step: check}}
                missing: {at_least: 0.8}
            """)
        #expect(parsed.problems.isEmpty, "\(parsed.problems)")
        let definition = try #require(parsed.definition)
        #expect(definition.steps[0].resources == TaskResources(cores: 2, memoryMiB: 1536))
        #expect(definition.steps[0].timeoutSeconds == 5400)
        #expect(definition.steps[0].retry.maximumFailures == 5)
        #expect(definition.steps[1].fanIn == .atLeast(0.8))
        #expect(definition.steps[1].scope == .cohort)
    }

    @Test(arguments: [
        ("512MiB", 512), ("2GiB", 2048), ("1 GiB", 1024), ("1G", 1024), ("1000MB", 954), ("1TiB", 1_048_576),
    ])
    func readsSizes(text: String, mebibytes: Int) throws {
        let parsed = parse(Self.minimal + "\n    resources: {memory: \(text)}")
        #expect(try #require(parsed.definition).steps[0].resources.memoryMiB == mebibytes)
    }

    @Test func readsQueries() throws {
        let parsed = parse(
            """
            name: x
            steps:
              check:
                kind: image.check
                inputs:
                  t1w:
                    bids: {suffix: T1w, dataset: raw, run: 01, acq: none, ce: any, rec: [a, b], ses: none}
                  chimap:
                    bids:
                      - {suffix: [Chimap, QSM], dataset: recon, extension: .nii, datatype: anat}
                      - {suffix: Chimap, dataset: derivatives, extension: any}
                  mask: {bids: {suffix: mask}, optional: true}
            """)
        #expect(parsed.problems.isEmpty, "\(parsed.problems)")
        let inputs = try #require(parsed.definition).steps[0].inputs
        #expect(
            inputs[0].source
                == .bids([
                    DatasetQuery(
                        query: BIDSQuery(
                            source: .raw, suffixes: ["T1w"],
                            entities: [
                                "run": .anyOf(["01"]), "acq": .absent, "ce": .present, "rec": .anyOf(["a", "b"]),
                            ]), session: .absent)
                ]))
        #expect(
            inputs[1].source
                == .bids([
                    DatasetQuery(
                        query: BIDSQuery(
                            source: .derivative("recon"), suffixes: ["Chimap", "QSM"], extensions: [".nii"],
                            datatypes: ["anat"])),
                    DatasetQuery(query: BIDSQuery(source: .anyDerivative, suffixes: ["Chimap"], extensions: [])),
                ]))
        #expect(inputs.map(\.isOptional) == [false, false, true])
    }

    @Test func resolvesPathsFromTheFilesFolder() throws {
        let text = """
            name: x
            atlases: {near: ../atlases/a b, far: /opt/far}
            steps:
              atlas:
                kind: registration.atlas
                each: atlas
                inputs: {t1w: {file: t1.nii.gz}, atlas_t1w: {atlas: T1w}}
            """
        let parsed = parse(text, atlases: ["far": "other", "new": "/n"])
        let definition = try #require(parsed.definition, "\(parsed.problems)")
        #expect(definition.atlases.map(\.name) == ["near", "far", "new"])
        #expect(definition.atlases.map(\.folder) == ["/data/atlases/a b", "/data/w/other", "/n"])
        #expect(definition.steps[0].inputs[0].source == .file("/data/w/t1.nii.gz"))
        #expect(definition.steps[0].isPerAtlas)
    }

    @Test func putsParametersInPlace() throws {
        let text = """
            name: x
            parameters: {unit: ppb, limit: 0.25}
            steps:
              check:
                kind: image.check
                inputs: {t1w: {bids: {suffix: T1w}}, chimap: {bids: {suffix: Chimap}}}
                parameters: {units: "${unit}", nonfinite_limit: "${limit}"}
            """
        let plain = try #require(parse(text).definition)
        #expect(plain.steps[0].parameters["units"] == "ppb")
        #expect(plain.steps[0].parameters["nonfinite_limit"] == 0.25)

        let set = try #require(parse(text, parameters: ["unit": "ppm", "check.nonfinite_limit": 0.5]).definition)
        #expect(set.steps[0].parameters["units"] == "ppm")
        #expect(set.steps[0].parameters["nonfinite_limit"] == 0.5)

        let wrong = parse(text, parameters: ["units": "ppm", "check.unit": "ppm", "check.nonfinite_limit": 7])
        #expect(wrong.definition == nil)
        let sentences = wrong.errors.map(\.sentence)
        #expect(sentences.contains { $0.contains("no parameter “units”") && $0.contains("did you mean unit?") })
        #expect(sentences.contains { $0.contains("no parameter “check.unit”") && $0.contains("check.units") })
        #expect(sentences.contains { $0.contains("nonfinite_limit") && $0.contains("between 0") })
    }

    @Test func yamlWordsAreTextsUnlessTheyAreJSONWords() throws {
        let text = """
            name: x
            steps:
              run:
                kind: command
                scope: session
                parameters: {program: p, arguments: [yes, on, 1, "2", ~], environment: {A: no}}
            """
        let parsed = parse(text)
        // Only the null among the arguments is at fault.
        #expect(parsed.errors.map(\.sentence) == ["an argument of step run is null; write a text"])
        let definition = try #require(parse(text.replacing(", ~", with: "")).definition)
        #expect(definition.steps[0].parameters["arguments"] == ["yes", "on", 1, "2"])
        #expect(definition.steps[0].parameters["environment"] == ["A": "no"])
    }

    @Test func mergesAndAliasesWork() throws {
        let text = """
            name: x
            steps:
              a: &base
                kind: image.check
                inputs: &inputs
                  t1w: {bids: {suffix: T1w}}
                  chimap: {bids: {suffix: Chimap}}
              b:
                <<: *base
                timeout: 5m
              c:
                kind: image.check
                inputs: *inputs
            """
        let definition = try #require(parse(text).definition)
        #expect(definition.steps[1].inputs == definition.steps[0].inputs)
        #expect(definition.steps[1].timeoutSeconds == 300)
        #expect(definition.steps[2].inputs == definition.steps[0].inputs)
    }

    // MARK: - The project's own workflows

    static let workflows = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../workflows").standardizedFileURL

    @Test func everyWorkflowOfTheProjectIsValid() throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.workflows.path)
            .filter { $0.hasSuffix(".yaml") }
        #expect(names.contains("subcortical.yaml"))
        for name in names {
            let (_, parsed) = WorkflowFile.read(Self.workflows.appendingPathComponent(name).path)
            #expect(parsed.problems.isEmpty, "\(parsed.problems)")
        }
    }

    private static let chi: JSONValue = [
        "modality": "Chimap", "units": "ppm", "normalise": "clip", "range": [-0.3, 0.3],
    ]
    private static let models: [String: JSONValue] = ["models": ["a"]]

    /// Settings that the files' heads name are valid in a training, and where the training is left out and its models are
    /// applied.
    @Test(
        arguments: [
            ("deepmir", [:], Self.models),
            (
                "deepmir", ["second": nil, "channels": [["modality": "SWI", "normalise": "zscore_padded"]]], Self.models
            ),
            (
                "deepmir",
                [
                    "third": ["bids": ["suffix": "T2w", "dataset": "raw"]], "register_third": true,
                    "channels": [["modality": "SWI"], ["modality": "Chimap", "units": "ppm"], ["modality": "T2w"]],
                ], Self.models
            ),
            (
                "qsmrim", ["register": false, "flair": nil, "channels": [Self.chi]],
                ["models": ["a"], "forest_models": ["b"]]
            ),
            ("qsmrim", ["register": false], ["models": ["a"], "forest_models": ["b"]]),
            ("microbleeds", [:], Self.models), ("subcortical-network", [:], Self.models),
            (
                "subcortical-network", ["t1w": true, "channels": [Self.chi, ["modality": "T1w"]]], Self.models
            ),
            (
                "qnet", ["second": nil, "channels": [Self.chi]],
                ["models": ["a"], "region_models": ["b"], "slice_models": ["c"]]
            ),
        ] as [(String, [String: JSONValue], [String: JSONValue])])
    func modelsAreAppliedAsTheyWereTrained(
        name: String, settings: [String: JSONValue], models: [String: JSONValue]
    ) throws {
        let path = Self.workflows.appendingPathComponent("\(name).yaml").path
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let applied = settings.merging(models) { $1 }.merging(["train": false]) { $1 }
        let judged = name == "qnet" ? applied : applied.merging(["evaluate": true]) { $1 }
        for parameters in [settings, applied, judged] {
            let parsed = WorkflowFile.parse(
                text, path: path, parameters: parameters, atlases: name == "qnet" ? ["a": "/a"] : [:])
            #expect(parsed.problems.isEmpty, "\(parsed.problems)")
        }
    }
}
