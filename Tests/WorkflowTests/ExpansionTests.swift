import BIDS
import Foundation
import Testing
import Workflow

@Suite struct ExpansionTests {
    private static let recon = DatasetRole.derivative(name: "recon", pipeline: nil)

    private func file(_ name: String, derivative: Bool = false, problem: String? = nil) throws -> BIDSFile {
        let parsed = try BIDSName(parsing: name)
        return BIDSFile(
            root: derivative ? "/d/recon" : "/d", path: DerivativeName.path(parsed, datatype: "anat"),
            stamp: FileStamp(sizeBytes: 9, modifiedNanoseconds: 0, inode: 0), name: parsed, datatype: "anat",
            dataset: derivative ? Self.recon : .raw, metadata: derivative ? ["Units": "ppm"] : nil, problem: problem)
    }

    /// sub-01 without sessions, sub-02 with two.
    private func cohort(_ problems: [DatasetProblem] = []) throws -> Cohort {
        Cohort(
            files: [
                try file("sub-01_T1w.nii.gz"), try file("sub-01_Chimap.nii.gz", derivative: true),
                try file("sub-02_ses-a_T1w.nii.gz"), try file("sub-02_ses-a_Chimap.nii.gz", derivative: true),
                try file("sub-02_ses-b_T1w.nii.gz"), try file("sub-02_ses-b_Chimap.nii.gz", derivative: true),
            ], problems: problems)
    }

    private static let text = """
        name: x
        steps:
          model:
            kind: cohort.linear-model
            inputs: {tables: {step: aggregate}, covariates: {covariates: participants}}
            missing: any
          aggregate:
            kind: subject.aggregate
            inputs: {tables: {step: regions}}
          check:
            kind: image.check
            inputs:
              t1w: {bids: {suffix: T1w}}
              chimap: {bids: {suffix: Chimap}}
              mask: {bids: {suffix: mask}, optional: true}
          atlas:
            kind: registration.atlas
            each: atlas
            inputs:
              t1w: {bids: {suffix: T1w}}
              atlas_t1w: {atlas: T1w}
              atlas_chimap: {atlas: Chimap, optional: true}
              check: {step: check}
          labels:
            kind: labels.native
            inputs:
              t1w: {bids: {suffix: T1w}}
              target: {bids: {suffix: Chimap}}
              transform: {file: /d/rigid.json}
              affine: {step: atlas.affine}
              warp: {step: atlas.warp}
              atlas_t1w: {atlas: T1w}
              atlas_labels: {atlas: dseg}
              table: {atlas: table}
          regions:
            kind: roi.statistics
            inputs:
              chimap: {bids: {suffix: Chimap}}
              labels: {step: labels.labels}
              table: {step: labels.table}
        """

    private func definition(_ text: String = text) throws -> WorkflowDefinition {
        let parsed = WorkflowFile.parse(text, path: "/d/w.yaml", atlases: ["p": "/a/p", "q": "/a/q"])
        return try #require(parsed.definition, "\(parsed.problems)")
    }

    private func atlas(_ name: String, chimap: Bool = false) -> AtlasFolder {
        var files: [AtlasRole: FileReference] = [:]
        for role in AtlasRole.allCases where chimap || role != .chimap {
            files[role] = FileReference(path: "/a/\(name)/\(role.usualFileName)", name: role.usualFileName)
        }
        return AtlasFolder(name: name, folder: "/a/\(name)", files: files)
    }

    private let covariates = FileReference(path: "/c.json", name: "c.json")

    private func expand(
        _ cohort: Cohort, definition: WorkflowDefinition? = nil, rerunFrom: [String] = [], salt: String? = nil
    ) throws -> [ExpandedTask] {
        try Expansion(
            definition: try definition ?? self.definition(), cohort: cohort,
            atlases: [atlas("p", chimap: true), atlas("q")], covariates: covariates, rerunFrom: rerunFrom, salt: salt
        ).tasks()
    }

    @Test func makesOneTaskPerPartOfTheCohort() throws {
        let tasks = try expand(try cohort())
        let counts = Dictionary(grouping: tasks, by: \.step).mapValues(\.count)
        #expect(counts == ["check": 3, "atlas": 6, "labels": 3, "regions": 3, "aggregate": 2, "model": 1])
        #expect(tasks.map(\.ordinal) == Array(tasks.indices))
        #expect(tasks.allSatisfy { $0.problem == nil })
        #expect(
            tasks.filter { $0.step == "atlas" }.map(\.context.description) == [
                "sub-01_atlas-p", "sub-01_atlas-q", "sub-02_ses-a_atlas-p", "sub-02_ses-a_atlas-q",
                "sub-02_ses-b_atlas-p", "sub-02_ses-b_atlas-q",
            ])
        for task in tasks {
            for input in task.inputs {
                guard case .output(let ordinal, _) = input.source else { continue }
                #expect(ordinal < task.ordinal, "a task comes after what it needs")
                #expect(tasks[ordinal].context == input.context)
            }
        }
    }

    @Test func bindsInputsToTheRightTasks() throws {
        let tasks = try expand(try cohort())
        func task(_ step: String, _ context: TaskContext) throws -> ExpandedTask {
            try #require(tasks.first { $0.step == step && $0.context == context })
        }
        func producers(_ task: ExpandedTask, _ port: String) -> [String] {
            task.inputs.filter { $0.port == port }.map { input in
                guard case .output(let ordinal, let port) = input.source else { return "file" }
                return "\(tasks[ordinal].step).\(port) \(tasks[ordinal].context)"
            }
        }
        let registration = try task("atlas", TaskContext(subject: "02", session: "b", atlas: "q"))
        #expect(producers(registration, "check") == ["check.report sub-02_ses-b"])
        #expect(registration.inputs.filter { $0.port == "atlas_t1w" }.map(\.context) == [TaskContext(atlas: "q")])
        // Atlas q has no χ map, and the input may be absent.
        #expect(registration.inputs.filter { $0.port == "atlas_chimap" }.isEmpty)
        let withChimap = try task("atlas", TaskContext(subject: "02", session: "b", atlas: "p"))
        #expect(withChimap.inputs.filter { $0.port == "atlas_chimap" }.count == 1)

        let labels = try task("labels", TaskContext(subject: "02", session: "a"))
        #expect(
            producers(labels, "warp") == ["atlas.warp sub-02_ses-a_atlas-p", "atlas.warp sub-02_ses-a_atlas-q"])
        #expect(
            labels.inputs.filter { $0.port == "atlas_labels" }.map(\.context.atlas) == ["p", "q"])

        let aggregate = try task("aggregate", TaskContext(subject: "02"))
        #expect(producers(aggregate, "tables") == ["regions.table sub-02_ses-a", "regions.table sub-02_ses-b"])
        let model = try task("model", .cohort)
        #expect(producers(model, "tables") == ["aggregate.table sub-01", "aggregate.table sub-02"])
        #expect(model.fanIn == .any)
        #expect(
            model.inputs.first { $0.port == "covariates" }
                == InputBinding(port: "covariates", context: .cohort, source: .file(covariates)))

        let check = try task("check", TaskContext(subject: "01"))
        #expect(check.inputs.map(\.port) == ["t1w", "chimap"])
        guard case .file(let chimap) = check.inputs[1].source else {
            Issue.record("chimap is no file")
            return
        }
        #expect(chimap.path == "/d/recon/sub-01/anat/sub-01_Chimap.nii.gz")
        #expect(chimap.name == "sub-01_Chimap.nii.gz")
        #expect(chimap.metadata == ["Units": "ppm"])
        #expect(chimap.sizeBytes == 9)
    }

    @Test func aMissingFileIsToldOnceAndTheOthersGoOn() throws {
        var cohort = try cohort()
        cohort.subjects[1].sessions[0].files.removeAll { $0.name.suffix == "Chimap" }
        let tasks = try expand(cohort)
        let bad = tasks.filter { $0.problem != nil }
        #expect(bad.map(\.step) == ["check"])
        #expect(bad[0].context == TaskContext(subject: "02", session: "a"))
        #expect(bad[0].problem?.contains("sub-02_ses-a has no Chimap image") == true)
    }

    @Test func aFileWithAProblemIsNotUsed() throws {
        let bad = try file("sub-03_T1w.nii.gz", problem: "sub-03/anat/sub-03_T1w.nii.gz is empty (0 bytes)")
        let cohort = Cohort(files: [bad, try file("sub-03_Chimap.nii.gz", derivative: true)])
        let tasks = try expand(cohort)
        #expect(tasks.filter { $0.problem != nil }.map(\.step) == ["check"])
        #expect(tasks.first { $0.step == "check" }?.problem?.contains("0 bytes") == true)
    }

    @Test func ambiguityIsAProblemEvenWhereTheInputIsOptional() throws {
        let cohort = Cohort(files: [
            try file("sub-03_T1w.nii.gz"), try file("sub-03_Chimap.nii.gz", derivative: true),
            try file("sub-03_desc-a_mask.nii.gz"), try file("sub-03_desc-b_mask.nii.gz"),
        ])
        let problem = try #require(try expand(cohort).first { $0.step == "check" }?.problem)
        #expect(problem.contains("2 files match"))
        #expect(problem.contains("they differ in desc (a, b)"))
    }

    @Test func anExcludedParticipantOrSessionSaysWhy() throws {
        let problems = [
            DatasetProblem(.error, subject: "01", "listed twice"), DatasetProblem(.warning, subject: "02", "harmless"),
            DatasetProblem(.error, subject: "02", session: "b", "a copy"),
        ]
        let tasks = try expand(try cohort(problems))
        #expect(
            tasks.filter { $0.problem != nil }.map { "\($0.context): \($0.problem!)" } == [
                "sub-01: listed twice", "sub-02_ses-b: a copy",
            ])
    }

    @Test func queriesFallBackAndMayNameAnotherSession() throws {
        let text = """
            name: x
            steps:
              check:
                kind: image.check
                inputs:
                  t1w: {bids: {suffix: T1w, ses: none}}
                  chimap: {bids: [{suffix: Chimap, desc: best}, {suffix: Chimap, desc: none}]}
            """
        let cohort = Cohort(files: [
            try file("sub-02_T1w.nii.gz"), try file("sub-02_ses-a_T1w.nii.gz"),
            try file("sub-02_ses-a_Chimap.nii.gz"), try file("sub-02_ses-b_Chimap.nii.gz"),
            try file("sub-02_ses-b_desc-best_Chimap.nii.gz"),
        ])
        #expect(cohort.subjects[0].sessions.map(\.label) == ["a", "b"])
        let tasks = try expand(cohort, definition: try definition(text))
        let names = tasks.map { task in
            task.inputs.map { input -> String in
                guard case .file(let file) = input.source else { return "" }
                return file.name
            }
        }
        #expect(
            names == [
                ["sub-02_T1w.nii.gz", "sub-02_ses-a_Chimap.nii.gz"],
                ["sub-02_T1w.nii.gz", "sub-02_ses-b_desc-best_Chimap.nii.gz"],
            ])
    }

    @Test func filesOfTheRootServeThoseWhoHaveNone() throws {
        let text = """
            name: x
            steps:
              regions:
                kind: roi.statistics
                inputs:
                  chimap: {bids: {suffix: Chimap}}
                  labels: {bids: {suffix: dseg}}
                  table: {bids: {suffix: dseg, extension: .tsv}}
            """
        var shared = try file("desc-nuclei_dseg.tsv")
        shared.path = "desc-nuclei_dseg.tsv"
        let cohort = Cohort(files: [
            shared, try file("sub-1_Chimap.nii.gz"), try file("sub-1_dseg.nii.gz"), try file("sub-2_Chimap.nii.gz"),
            try file("sub-2_dseg.nii.gz"), try file("sub-2_dseg.tsv"),
        ])
        #expect(cohort.subjects.map(\.label) == ["1", "2"])
        let tasks = try expand(cohort, definition: try definition(text))
        #expect(tasks.map(\.problem) == [nil, nil])
        let tables = tasks.map { task in task.inputs.filter { $0.port == "table" }.map(\.source) }
        #expect(tables[0] == [.file(FileReference(shared))])
        #expect(tables[1] != tables[0])
    }

    @Test func rerunSaltsTheStepAndAllAfterIt() throws {
        let tasks = try expand(try cohort(), rerunFrom: ["labels"], salt: "s1")
        let salted = Set(tasks.filter { $0.cacheSalt == "s1" }.map(\.step))
        #expect(salted == ["labels", "regions", "aggregate", "model"])
        #expect(tasks.allSatisfy { $0.cacheSalt == nil || salted.contains($0.step) })
        #expect(throws: WorkflowError.self) { try expand(try cohort(), rerunFrom: ["label"]) }
    }

    @Test func whatConcernsTheRunAsAWholeIsThrown() throws {
        let definition = try definition()
        let cohort = try cohort()
        #expect(throws: WorkflowError.noAtlas(step: "atlas")) {
            try Expansion(definition: definition, cohort: cohort, atlases: [], covariates: covariates).tasks()
        }
        #expect(throws: WorkflowError.noCovariates(step: "model")) {
            try Expansion(definition: definition, cohort: cohort, atlases: [atlas("p")]).tasks()
        }
        var hollow = atlas("p")
        hollow.files[.dseg] = nil
        #expect(throws: WorkflowError.atlasLacks(name: "p", folder: "/a/p", role: .dseg, step: "labels")) {
            try Expansion(definition: definition, cohort: cohort, atlases: [hollow], covariates: covariates).tasks()
        }
        #expect(throws: WorkflowError.emptyCohort) { try self.expand(Cohort(files: [])) }
    }

    @Test func tasksDoNotDependOnTheOrderOfFiles() throws {
        let files = try cohort().subjects.flatMap(\.files)
        let first = try expand(Cohort(files: files))
        let second = try expand(Cohort(files: files.reversed()))
        #expect(first == second)
    }

    // MARK: - Cohort

    @Test func selectsParticipantsAndSessions() throws {
        let all = try cohort()
        #expect(try all.selecting(participants: ["sub-02"], sessions: nil).subjects.map(\.label) == ["02"])
        let session = try all.selecting(participants: nil, sessions: ["ses-b"])
        #expect(session.subjects.map(\.label) == ["02"])
        #expect(session.sessionCount == 1)
        #expect(throws: WorkflowError.unknownParticipants(["2"], nearest: "02")) {
            try all.selecting(participants: ["2", "01"], sessions: nil)
        }
        #expect(throws: WorkflowError.unknownSession("c", known: ["a", "b"])) {
            try all.selecting(participants: nil, sessions: ["c"])
        }
    }

    @Test func derivativesAloneMakeACohort() throws {
        let cohort = Cohort(files: [try file("sub-9_ses-1_Chimap.nii.gz", derivative: true)])
        #expect(cohort.subjects[0].sessions.map(\.label) == ["1"])
    }
}
