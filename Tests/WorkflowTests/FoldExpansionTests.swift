import BIDS
import Testing
import Workflow

/// What tasks of a cross-validation read.
@Suite struct FoldExpansionTests {
    static let text = """
        name: validated
        parameters: {train: true, models: [], folds: 4}
        folds:
          count: "${folds}"
          among: {suffix: dseg}
        steps:
          train:
            kind: network.train
            when: "${train}"
            each: fold
            people: training
            inputs:
              images: {bids: {suffix: Chimap}}
              labels: {bids: {suffix: dseg}}
            missing: any
          fit:
            kind: command
            scope: cohort
            when: "${train}"
            each: fold
            people: training
            inputs: {curve: {step: train.curve}, who: {covariates: participants}}
            parameters: {program: fit, outputs: {table: table.tsv}}
          segment:
            kind: network.segment
            inputs:
              image: {bids: {suffix: Chimap}}
              model: [{step: train.model}, {model: "${models}"}]
          judge:
            kind: command
            scope: cohort
            when: "${train}"
            each: fold
            people: test
            inputs:
              found: {step: segment.labels, gather: true}
              truth: {bids: {suffix: dseg}, gather: true}
              who: {covariates: participants}
              model: {step: train.model}
            parameters: {program: judge, outputs: {table: table.tsv}}
          sum:
            kind: command
            scope: cohort
            when: "${train}"
            people: folds
            inputs:
              tables: {step: judge.table, gather: true}
              curves: {step: train.curve, gather: true}
              found: {step: segment.labels, gather: true}
              folds: {folds: assignment}
            parameters: {program: sum, outputs: {table: table.tsv}}
        """

    private func definition(_ text: String = text, _ parameters: [String: JSONValue] = [:]) throws
        -> WorkflowDefinition
    {
        let parsed = WorkflowFile.parse(text, path: "/d/w.yaml", parameters: parameters)
        #expect(parsed.problems.isEmpty, "\(parsed.problems)")
        return try #require(parsed.definition, "\(parsed.problems)")
    }

    private func tasks(
        _ definition: WorkflowDefinition, _ drawn: FoldCohort, models: [String: [FileReference]] = [:]
    ) throws -> (tasks: [ExpandedTask], folds: FoldAssignment?) {
        let folds = try definition.folds.map {
            try FoldAssignment($0, cohort: drawn.cohort, participants: drawn.participants)
        }
        let parts = definition.partsWithCovariates(folds: folds?.count ?? 0)
        let tasks = try Expansion(
            definition: definition, cohort: drawn.cohort, atlases: [],
            covariates: FileReference(path: "/everybody.json"),
            covariatesOfFolds: Dictionary(
                uniqueKeysWithValues: parts.map { part in
                    (part, FileReference(path: "/\(part.people.rawValue)-\(part.fold ?? 0).json"))
                }),
            folds: folds, foldFile: FileReference(path: "/folds.json"), models: models
        ).tasks()
        return (tasks, folds)
    }

    /// Every file of the dataset that a task reads, directly or through what it reads.
    private func people(behind task: ExpandedTask, _ tasks: [ExpandedTask]) -> Set<String> {
        var people: Set<String> = []
        var open = [task]
        while let next = open.popLast() {
            for input in next.inputs {
                switch input.source {
                case .file(let file):
                    if let label = file.path.firstMatch(of: /\/sub-([a-z0-9]+)\//)?.1 { people.insert(String(label)) }
                case .output(let ordinal, _): open.append(tasks[ordinal])
                }
            }
        }
        return people
    }

    @Test(arguments: 1...12 as ClosedRange<UInt64>)
    func nobodyIsTrainedOnWhoIsJudged(seed: UInt64) throws {
        let drawn = try FoldCohort(people: 8 + Int(seed) * 3, seed: seed)
        let count = 2 + Int(seed) % 4
        let (tasks, folds) = try tasks(try definition(Self.text, ["folds": .integer(Int64(count))]), drawn)
        let assignment = try #require(folds)
        let within = Set(drawn.withLabels)
        #expect(Set(assignment.folds.keys) == within && within.count < drawn.labels.count)
        #expect(tasks.allSatisfy { $0.problem == nil })
        let training = tasks.filter { $0.step == "train" }, judging = tasks.filter { $0.step == "judge" }
        #expect(training.map(\.context) == (1...count).map { TaskContext(fold: $0) })
        #expect(judging.map(\.context) == training.map(\.context))

        for fold in 1...count {
            let test = within.filter { assignment.folds[$0] == fold }
            #expect(!test.isEmpty)
            let learnt = people(behind: training[fold - 1], tasks)
            #expect(learnt == within.subtracting(test), "sessions of a person stay together")
            let files = try #require(tasks.first { $0.step == "fit" && $0.context.fold == fold }).inputs.map(\.source)
            #expect(files.contains(.file(FileReference(path: "/training-\(fold).json"))))
            // Whom a fold is judged by, in truth and in what was found.
            let judge = judging[fold - 1]
            #expect(Set(judge.inputs.compactMap(\.context.subject)) == test)
            #expect(judge.inputs.contains { $0.source == .file(FileReference(path: "/test-\(fold).json")) })
            #expect(!judge.inputs.contains { $0.source == .file(FileReference(path: "/everybody.json")) })
            #expect(judge.inputs.filter { $0.port == "model" }.map(\.context) == [TaskContext(fold: fold)])
            // What was found in them is from a network that has not seen them.
            for input in judge.inputs where input.port == "found" {
                guard case .output(let ordinal, _) = input.source else { continue }
                let model = try #require(tasks[ordinal].inputs.first { $0.port == "model" })
                guard case .output(let maker, _) = model.source else { continue }
                #expect(!people(behind: tasks[maker], tasks).contains(try #require(tasks[ordinal].context.subject)))
            }
        }
        for task in tasks where task.step == "segment" {
            let models = task.inputs.filter { $0.port == "model" }.map(\.context.fold)
            let own = assignment.folds[try #require(task.context.subject)]
            #expect(models == (own.map { [$0] } ?? Array(1...count)), "\(task.context)")
        }
        let sum = try #require(tasks.last { $0.step == "sum" })
        #expect(sum.context == .cohort)
        #expect(sum.inputs.filter { $0.port == "tables" }.map(\.context.fold) == Array(1...count))
        #expect(Set(sum.inputs.filter { $0.port == "found" }.compactMap(\.context.subject)) == within)
        #expect(sum.inputs.last?.source == .file(FileReference(path: "/folds.json")))
        for task in tasks {
            for input in task.inputs {
                guard case .output(let ordinal, _) = input.source else { continue }
                #expect(ordinal < task.ordinal && tasks[ordinal].context == input.context)
            }
        }
    }

    @Test func appliedToOthersTheSameFileNeedsNoFolds() throws {
        let drawn = try FoldCohort(people: 3, seed: 2)
        let definition = try definition(Self.text, ["train": false, "models": "net"])
        #expect(definition.folds == nil && definition.steps.map(\.name) == ["segment"])
        #expect(definition.registeredModels.map(\.reference.registeredAs) == ["net"])
        #expect(definition.reuses == [FoldReuse(step: "train", condition: "train", models: "models")])
        let members = (1...3).map { FileReference(path: "/m\($0)") }
        let (tasks, _) = try tasks(definition, drawn, models: ["net": members])
        #expect(tasks.count == drawn.cohort.sessionCount)
        for task in tasks {
            #expect(task.inputs.filter { $0.port == "model" }.map(\.source) == members.map { .file($0) })
        }
    }

    /// Judging what a model that there was finds wants nobody held out: one person is enough, whatever the number of folds.
    @Test(arguments: [4, 2])
    func judgedWithoutTrainingOnePersonIsEnough(count: Int64) throws {
        let text =
            Self.text + """

                  tell:
                    kind: command
                    scope: cohort
                    people: folds
                    inputs:
                      found: {step: segment.labels, gather: true}
                      folds: {folds: assignment, optional: true}
                    parameters: {program: sum, outputs: {table: table.tsv}}
                """
        let trained = try definition(text, ["folds": .integer(count)])
        #expect(trained.folds?.count == .folds(Int(count)))
        #expect(trained.step("tell")?.inputs.map(\.port) == ["found", "folds"])

        let applied = try definition(text, ["train": false, "models": "net", "folds": .integer(count)])
        #expect(applied.folds?.isMembership == true && trained.folds?.isMembership == false)
        #expect(applied.step("tell")?.inputs.map(\.port) == ["found"])
        let files = ["001_Chimap", "001_dseg", "002_Chimap"].map { "sub-\($0).nii.gz" }
        var drawn = try FoldCohort(people: 1, seed: 1)
        drawn.cohort = Cohort(files: try files.map { try FoldCohort.file($0) })
        let (tasks, folds) = try tasks(applied, drawn, models: ["net": [FileReference(path: "/m")]])
        #expect(folds?.folds == ["001": 1] && folds?.count == 1)
        // Applied to both, judged in whoever has labels.
        #expect(tasks.filter { $0.step == "segment" }.count == 2)
        let told = try #require(tasks.first { $0.step == "tell" })
        #expect(told.inputs.map(\.context.subject) == ["001"])

        drawn.cohort = Cohort(files: [try FoldCohort.file("sub-001_Chimap.nii.gz")])
        #expect(
            throws: WorkflowError.folds(
                "there are 0 with a dseg image; name the dataset that has such files with --derivatives, or add people")
        ) { try self.tasks(applied, drawn) }
    }

    @Test func whoIsInNoFoldIsAProblemWhereOneItemIsTaken() throws {
        let text = """
            name: x
            folds: {count: 2, among: {suffix: dseg}}
            steps:
              tune:
                kind: command
                scope: cohort
                each: fold
                people: training
                inputs: {truth: {bids: {suffix: dseg}, gather: true}}
                parameters: {program: tune, outputs: {table: t.tsv}}
              cut:
                kind: command
                scope: session
                inputs: {at: {step: tune.table}}
                parameters: {program: cut, outputs: {table: t.tsv}}
            """
        let drawn = try FoldCohort(people: 20, seed: 5)
        let (tasks, folds) = try tasks(try definition(text), drawn)
        let cut = tasks.filter { $0.step == "cut" }
        let bad = cut.filter { $0.problem != nil }
        #expect(Set(bad.compactMap(\.context.subject)) == Set(drawn.labels).subtracting(drawn.withLabels))
        #expect(!bad.isEmpty && bad.allSatisfy { $0.problem!.contains("is in no fold, and the input at of step cut") })
        for task in cut where task.problem == nil {
            #expect(task.inputs.map(\.context.fold) == [folds?.folds[task.context.subject!]])
        }
        // A step that does without is not held up by them.
        let lenient = text.replacing("{at: {step: tune.table}}", with: "{at: {step: tune.table, optional: true}}")
        #expect(try self.tasks(try definition(lenient), drawn).tasks.allSatisfy { $0.problem == nil })
    }

    @Test func aStepMayBeForPeopleInFoldsOnly() throws {
        let text = """
            name: x
            folds: {count: 2, among: {suffix: dseg}}
            steps:
              judge:
                kind: command
                scope: session
                people: folds
                inputs: {truth: {bids: {suffix: dseg}}}
                parameters: {program: judge, outputs: {table: t.tsv}}
              person:
                kind: command
                scope: subject
                people: folds
                inputs: {tables: {step: judge.table, gather: true}}
                parameters: {program: join, outputs: {table: t.tsv}}
              sum:
                kind: command
                scope: cohort
                inputs: {tables: {step: judge.table, gather: true}, people: {step: person.table, gather: true}}
                parameters: {program: sum, outputs: {table: t.tsv}}
              after:
                kind: command
                scope: session
                inputs: {table: {step: judge.table}}
                parameters: {program: after, outputs: {table: t.tsv}}
            """
        let drawn = try FoldCohort(people: 20, seed: 6)
        let (tasks, folds) = try tasks(try definition(text), drawn)
        let within = Set(try #require(folds).folds.keys)
        #expect(within.count < drawn.labels.count)
        let sessions = drawn.cohort.subjects.filter { within.contains($0.label) }
        let judged = tasks.filter { $0.step == "judge" }
        #expect(judged.count == sessions.reduce(0) { $0 + $1.sessions.count })
        #expect(Set(judged.compactMap(\.context.subject)) == within && judged.allSatisfy { $0.problem == nil })
        #expect(tasks.filter { $0.step == "person" }.map(\.context.subject) == sessions.map(\.label))
        #expect(tasks.map(\.ordinal) == Array(tasks.indices))
        for task in tasks {
            for input in task.inputs {
                guard case .output(let ordinal, _) = input.source else { continue }
                #expect(tasks[ordinal].context == input.context && ordinal < task.ordinal)
                if task.step != "sum" { #expect(input.context.subject == task.context.subject) }
            }
        }
        let sum = try #require(tasks.first { $0.step == "sum" })
        #expect(sum.inputs.count == judged.count + sessions.count)
        for task in tasks where task.step == "after" {
            let isIn = within.contains(try #require(task.context.subject))
            #expect(
                isIn ? task.problem == nil : task.problem?.contains("write people: folds in step after too") == true)
        }
    }

    @Test func aRunWithoutAssignmentIsRefused() throws {
        let drawn = try FoldCohort(people: 4, seed: 1)
        let definition = try definition()
        #expect(throws: WorkflowError.noFolds(step: "train")) {
            try Expansion(
                definition: definition, cohort: drawn.cohort, atlases: [],
                covariates: FileReference(path: "/everybody.json")
            ).tasks()
        }
    }

    @Test func equalTrainingsShareTheirResult() {
        func key(_ fold: Int, inputs: [Int?] = [nil], port: String = "images") -> ArtifactDigest {
            CacheKey.make(
                kind: "network.train", kindVersion: 1, parameters: [:],
                inputs: inputs.map { fold in
                    TaskInput(
                        port: port, context: TaskContext(subject: "01", fold: fold), name: "a",
                        digest: ArtifactDigest(of: [UInt8(0)]), sizeBytes: 1)
                }, missing: [], context: TaskContext(fold: fold), salt: nil)
        }
        #expect(key(1) == key(2))
        #expect(key(1, inputs: [1]) == key(2, inputs: [2]), "a lane is a lane")
        #expect(key(1, inputs: [1, 2]) != key(1, inputs: [1, 3]), "what is gathered is told apart")
        #expect(key(1, inputs: [1, 2]) != key(1, inputs: [nil, nil]))
    }
}
