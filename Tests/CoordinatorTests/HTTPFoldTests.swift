import BIDS
import Foundation
import HTTPTypes
import Postgres
import Testing
import Wire
import Workflow

@testable import Coordinator

/// Cross-validation from a request to rows, on real files and a real database.
@Suite struct HTTPFoldTests {
    private static let workflow = """
        name: validated
        parameters: {train: true, models: [], count: 3}
        folds:
          count: "${count}"
          stratify: [group]
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
          segment:
            kind: network.segment
            inputs:
              image: {bids: {suffix: Chimap}}
              model: [{step: train.model}, {model: "${models}"}]
          sum:
            kind: command
            scope: cohort
            when: "${train}"
            people: folds
            inputs:
              curves: {step: train.curve, gather: true}
              found: {step: segment.labels, gather: true}
              folds: {folds: assignment}
            parameters: {program: sum, outputs: {table: table.tsv}}
          fit:
            kind: command
            scope: cohort
            when: "${train}"
            each: fold
            people: training
            inputs: {curve: {step: train.curve}, covariates: {covariates: participants}}
            parameters: {program: sum, outputs: {table: table.tsv}}
        """

    /// Eight people of two groups; the last has no labels.
    private func request(
        _ api: APIFixture, groups: String = "ababbaab", parameters: [String: JSONValue] = [:]
    ) throws -> RunRequest {
        let root = api.folder + "/data"
        var files = [("dataset_description.json", #"{"Name": "Small", "BIDSVersion": "1.11.1"}"#)]
        var table = "participant_id\tgroup\n"
        for (n, group) in groups.enumerated() {
            files.append(("sub-0\(n + 1)/anat/sub-0\(n + 1)_Chimap.nii.gz", "map \(n)"))
            if n < 7 { files.append(("sub-0\(n + 1)/anat/sub-0\(n + 1)_dseg.nii.gz", "labels \(n)")) }
            table += "sub-0\(n + 1)\t\(group)\n"
        }
        files.append(("participants.tsv", table))
        for (name, text) in files {
            let url = URL(fileURLWithPath: root + "/" + name)
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            if FileManager.default.contents(atPath: url.path) != Data(text.utf8) { try Data(text.utf8).write(to: url) }
        }
        return RunRequest(
            workflowText: Self.workflow, workflowPath: api.folder + "/w.yaml", dataset: root, parameters: parameters)
    }

    private func submit(_ api: APIFixture, _ request: RunRequest) async throws -> RunID {
        try await api.call(.post, "/v1/runs", json: request, status: 201, as: RunCreated.self).run
    }

    private func tasks(_ api: APIFixture, _ run: RunID, _ query: String = "") async throws -> [TaskSummary] {
        try await api.call(.get, "/v1/tasks?run=\(run)\(query)", as: TaskList.self).tasks
    }

    private func detail(_ api: APIFixture, _ task: TaskID) async throws -> TaskDetail {
        try await api.call(.get, "/v1/tasks/\(task)", as: TaskDetail.self)
    }

    /// A worker that does what it is given: a training makes a model of the bytes that it reads.
    private struct Worker {
        var api: APIFixture
        var session: UUID

        init(_ api: APIFixture, name: String = "worker") async throws {
            var worker = HTTPFoldTests.worker
            worker.worker = name
            worker.bootID = UUID()
            let grant = try await api.call(.post, "/v1/sessions", json: worker, status: 201, as: SessionGrant.self)
            (self.api, session) = (api, grant.session)
        }

        func claim(_ count: Int = 1) async throws -> [LeaseGrant] {
            var claim = Sample.claim(tasks: count)
            (claim.freeCores, claim.freeMemoryMiB) = (64, 1 << 20)
            return try await api.call(
                .post, "/v1/sessions/\(session)/claim", json: claim, as: ClaimResponse.self
            ).leases
        }

        func complete(_ lease: LeaseGrant, failing: Bool = false) async throws {
            var outputs: [CompletionItem.Output] = []
            let text = lease.kind + lease.inputs.map { "\($0.port) \($0.digest)" }.sorted().joined()
            for port in failing ? [] : TaskKindCatalog.kind(lease.kind)!.outputs {
                let bytes = Array((port.name + text).utf8)
                let digest = ArtifactDigest(of: bytes)
                _ = try await api.send(.put, "/v1/artifacts/\(digest)", bytes: bytes)
                outputs.append(
                    CompletionItem.Output(
                        port: port.name, name: "\(port.name).\(port.format.fileExtension)", digest: digest,
                        sizeBytes: Int64(bytes.count), mediaType: port.format.mediaType,
                        metadata: port.format == .model ? ["type": "model", "card": ["architecture": "U-Net"]] : nil))
            }
            var item = Sample.completion(lease, outcome: failing ? .permanent : .succeeded, outputs: outputs)
            if !failing {
                item.measurements = [
                    MeasuredValue(metric: "epochs", value: Double(text.utf8.count), unit: "1"),
                    MeasuredValue(
                        context: TaskContext(fold: 9), metric: "elsewhere", value: 1, unit: "1"),
                ]
            }
            let answer = try await api.call(
                .post, "/v1/sessions/\(session)/complete", json: CompletionRequest(items: [item]),
                as: CompletionResponse.self)
            #expect(answer.items.map(\.verdict) == [.accepted])
        }

        @discardableResult
        func drain() async throws -> [LeaseGrant] {
            var done: [LeaseGrant] = []
            while let lease = try await claim().first {
                try await complete(lease)
                done.append(lease)
            }
            return done
        }
    }

    private static var worker: SessionRequest {
        var worker = Sample.worker
        worker.kinds = TaskKindCatalog.versions
        worker.commands = ["sum"]
        (worker.cores, worker.memoryMiB) = (64, 1 << 20)
        return worker
    }

    private func values<Value: PostgresDecodable & Sendable>(
        _ api: APIFixture, _ sql: String, as type: Value.Type = Value.self
    ) async throws -> [Value] {
        try await api.store.pool.run { session in try session.query(sql) { try $0[0] as Value } }
    }

    @Test func theAssignmentIsPlannedStoredAndReadByTasks() async throws {
        try await APIFixture.with { api in
            let plan = try await api.call(.post, "/v1/plans", json: try request(api), as: PlanReport.self)
            let folds = try #require(plan.folds)
            #expect(folds.count == 3 && folds.people.count == 7 && folds.people["08"] == nil)
            #expect(folds.stratify == [["column": "group", "values": ["a", "b"]]])
            #expect(plan.steps.map(\.tasks) == [3, 8, 1, 3])
            let run = try await submit(api, try request(api))
            let rows = try await values(
                api, "SELECT subject || ' ' || fold FROM qsmflow.folds ORDER BY 1", as: String.self)
            #expect(rows == folds.people.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" })

            let all = try await tasks(api, run)
            #expect(all.filter { $0.step == "train" }.map(\.context.fold) == [1, 2, 3])
            for fold in 1...3 {
                let training = try await detail(api, TaskID(run: run, ordinal: fold - 1))
                let subjects = Set(training.inputs.compactMap(\.context.subject))
                #expect(subjects == Set(folds.people.filter { $0.value != fold }.keys))
                // What is known about those who are held out is not in the table either.
                let fit = try #require(all.first { $0.step == "fit" && $0.context.fold == fold })
                let table = try #require(try await detail(api, fit.task).inputs.first { $0.port == "covariates" })
                let bytes = try await api.send(.get, "/v1/artifacts/\(table.digest)").body
                let known = try JSONValue.parse(Data(bytes))["rows"]?.arrayValue?.compactMap {
                    $0["subject"]?.stringValue
                }
                #expect(known == subjects.sorted())
            }
            let sum = try await detail(api, try #require(all.first { $0.step == "sum" }).task)
            let assignment = try #require(sum.inputs.first { $0.port == "folds" })
            let bytes = try await api.send(.get, "/v1/artifacts/\(assignment.digest)").body
            let document = try JSONValue.parse(Data(bytes))
            #expect(document["folds"] == 3 && document["seed"] == 1)
            #expect(
                document["people"]?.objectValue?.compactMapValues(\.integerValue).mapValues(Int.init) == folds.people)
            // It stays as long as the run, be it read by a task or not.
            let database = api.store
            try await database.pool.run { session in
                try session.execute("UPDATE artifact SET verified_at = now() - interval '2 days'")
                try session.execute("DELETE FROM task_input WHERE port = 'folds'")
            }
            #expect(try await database.liveDigests().contains(assignment.digest))
            #expect(try await database.forgetArtifacts([assignment.digest]) == [])

            // Other groups, other folds: such a run is not gone on with.
            let same = try await api.call(.post, "/v1/runs/\(run)/changes", as: SourceChanges.self)
            #expect(same.examples.contains("folds.json") == false)
            _ = try request(api, groups: "bbbbaaaa")
            let changes = try await api.call(.post, "/v1/runs/\(run)/changes", as: SourceChanges.self)
            #expect(changes.examples.contains("folds.json"), "\(changes)")
        }
    }

    /// Lesions of a class are counted in everybody's own table; a table that cannot be read costs nobody else.
    @Test func foldsShareWhatIsCountedInTables() async throws {
        try await APIFixture.with { api in
            let text = Self.workflow.replacing(
                "stratify: [group]",
                with:
                    "stratify: {table: {suffix: lesions, extension: .tsv}, column: class, value: rim, edges: [1, 2, 4]}"
            )
            var request = try request(api)
            request.workflowText = text
            func planned() async throws -> (status: Int, message: String, folds: PlanReport.Folds?) {
                let answer = try await api.send(.post, "/v1/plans", json: request)
                if answer.status == 200 {
                    return (200, "", try JSONDecoder().decode(PlanReport.self, from: Data(answer.body)).folds)
                }
                return (answer.status, try answer.error.message, nil)
            }
            let without = try await planned()
            #expect(
                without.status == 422
                    && without.message.contains("rows of tables with the suffix lesions, and nobody has one"))
            // Rims of seven people who have labels: none of three, one of two, five of one; the last has no header.
            let rims = [0, 5, 0, 1, 0, 1, 2]
            func write(column: String) throws {
                for (n, count) in rims.enumerated() {
                    let rows = (0..<8).map { "\($0 + 1)\t\($0 < count ? "rim" : "no_rim")\n" }.joined()
                    let table = n == 6 ? "" : "lesion\t\(column)\n" + rows
                    try Data(table.utf8).write(
                        to: URL(fileURLWithPath: request.dataset + "/sub-0\(n + 1)/anat/sub-0\(n + 1)_lesions.tsv"))
                }
            }
            try write(column: "kind")
            let wrong = try await planned()
            #expect(
                wrong.status == 422 && wrong.message.contains("has no column “class” for stratify"), "\(wrong.message)")
            try write(column: "class")
            let folds = try #require(try await planned().folds)
            #expect(folds.count == 3 && folds.people.count == 7)
            #expect(folds.stratify == [["column": "class", "counted": "rim", "edges": [1, 2, 4]]])
            #expect(Set(["01", "03", "05"].compactMap { folds.people[$0] }) == [1, 2, 3])
            #expect(folds.people["04"] != folds.people["06"])
        }
    }

    @Test func foldsRunOnSeveralWorkersAndAFailedOneIsRetriedAlone() async throws {
        try await APIFixture.with { api in
            let run = try await submit(api, try request(api))
            let one = try await Worker(api, name: "one"), other = try await Worker(api, name: "other")
            let first = try #require(try await one.claim().first), second = try #require(try await other.claim().first)
            #expect(Set([first.context, second.context]) == [TaskContext(fold: 1), TaskContext(fold: 2)])
            try await one.complete(first)
            try await other.complete(second, failing: true)
            _ = try await one.drain()

            // Whoever was held out of the failed fold waits for it, and so does who is in none; the others are done.
            let folds = Dictionary(
                uniqueKeysWithValues: try await values(
                    api, "SELECT subject || ' ' || fold FROM qsmflow.folds", as: String.self
                )
                .map { ($0.prefix { $0 != " " }.description, Int($0.drop { $0 != " " }.dropFirst())!) })
            let failed = try #require(second.context.fold)
            let states = try await tasks(api, run)
            for task in states where task.step == "segment" {
                let fold = folds[try #require(task.context.subject)]
                #expect(task.state == (fold == nil || fold == failed ? .blocked : .succeeded), "\(task.context)")
            }
            let why = try await api.call(.get, "/v1/tasks/\(second.task)/why", as: Explanation.self)
            #expect(why.state == .failed)
            #expect(try await tasks(api, run, "&fold=\(failed)").map(\.step) == ["train", "fit"])
            let reason = try await values(
                api, "SELECT step || ' ' || fold FROM qsmflow.failures", as: String.self)
            #expect(reason == ["train \(failed)"])

            let wrong = try await api.send(
                .post, "/v1/runs/\(run)/retry", json: TaskFilter(folds: [4]))
            #expect(
                try wrong.status == 422 && wrong.error.message == "Run \(run) has no fold “4”; its folds are 1, 2, 3."
            )
            let affected = try await api.call(
                .post, "/v1/runs/\(run)/retry", json: TaskFilter(steps: ["train"], folds: [failed]), as: Affected.self)
            #expect(affected.tasks == 1)
            let rest = try await one.drain()
            #expect(rest.filter { $0.step == "train" }.map(\.context) == [second.context])
            #expect(
                Set(rest.filter { $0.step == "segment" }.compactMap(\.context.subject))
                    == Set(folds.filter { $0.value == failed }.keys).union(["08"]))
            #expect(try await api.call(.get, "/v1/runs/\(run)", as: RunSummary.self).state == .succeeded)
            #expect(try await api.store.fsck() == [])

            // Numbers say their fold; one that is about another fold says that.
            let numbers = try await values(
                api,
                "SELECT step || ' ' || metric || ' ' || fold FROM qsmflow.measurements WHERE step = 'train' ORDER BY 1",
                as: String.self)
            #expect(
                numbers == (1...3).map { _ in "train elsewhere 9" } + (1...3).map { "train epochs \($0)" })
        }
    }

    @Test func theSameCohortIsNotTrainedAgain() async throws {
        try await APIFixture.with { api in
            _ = try await submit(api, try request(api))
            let worker = try await Worker(api)
            let before = try await worker.drain().count
            #expect(before == 15)
            let again = try await submit(api, try request(api))
            let summary = try await api.call(.get, "/v1/runs/\(again)", as: RunSummary.self)
            #expect(summary.state == .succeeded && summary.counts.cached == 15)
            let digests = try await [RunID(rawValue: 1), again].asyncMap {
                try await api.store.measurementDigest(run: $0)
            }
            #expect(digests[0] == digests[1])
            // Another number of folds is other people per fold.
            let plan = try await api.call(
                .post, "/v1/plans", json: try request(api, parameters: ["count": "each-person"]), as: PlanReport.self)
            #expect(plan.folds?.count == 7 && plan.steps.map(\.cached) == [0, 0, 0, 0])
            let few = try await api.send(.post, "/v1/plans", json: try request(api, parameters: ["count": 8]))
            #expect(few.status == 422)
            #expect(
                try few.error.message
                    == "folds: 8 folds want at least 8 people, and there are 7 with a dseg image; take "
                    + "fewer folds, or each-person, which leaves one person out at a time.")
        }
    }

    @Test func modelsOfFoldsAreNamedTogetherAndApplied() async throws {
        try await APIFixture.with { api in
            let run = try await submit(api, try request(api))
            let worker = try await Worker(api)
            let path = "/v1/runs/\(run)/models"
            let early = try await api.send(.put, path, json: FoldNaming(name: "net"))
            #expect(try early.status == 422 && early.error.message.contains("has trained no models over folds"))
            _ = try await worker.drain()
            let named = try await api.call(.put, path, json: FoldNaming(name: "net"), as: ModelList.self).models
            #expect(named.map(\.name) == ["net.fold-1", "net.fold-2", "net.fold-3"])
            // Once more changes nothing.
            let again = try await api.call(.put, path, json: FoldNaming(name: "net", step: "train"), as: ModelList.self)
            #expect(again.models.map(\.digest) == named.map(\.digest))
            let shown = try await api.send(.get, "/v1/models/net")
            #expect(try shown.status == 409 && shown.error.message.contains("net stands for 3 models"))
            #expect(try shown.error.code == "model_of_folds" && !shown.error.message.contains("--move"))
            #expect(named.map(\.foldCount) == [3, 3, 3])
            #expect(try await api.send(.put, path, json: FoldNaming(name: "a b")).status == 400)
            #expect(try await api.send(.put, path, json: FoldNaming(name: "net", step: "sum")).status == 422)

            let applied = try request(api, parameters: ["train": false, "models": "net"])
            let plan = try await api.call(.post, "/v1/plans", json: applied, as: PlanReport.self)
            #expect(plan.folds == nil && plan.steps.map(\.tasks) == [8])
            #expect(plan.models.map(\.name) == ["net.fold-1", "net.fold-2", "net.fold-3"])
            #expect(plan.models.map(\.digest) == named.map(\.digest))
            // Whoever is in no fold was segmented by all models then, and that is the same.
            #expect(plan.steps.map(\.cached) == [1])
            let other = try await submit(api, applied)
            let task = try await detail(api, TaskID(run: other, ordinal: 0))
            #expect(task.inputs.filter { $0.port == "model" }.map(\.digest) == named.map(\.digest))

            // The name cannot mean two things.
            let taken = try await api.send(
                .put, "/v1/models/\(named[0].digest)", json: ModelRequest(name: "net"))
            #expect(try taken.status == 409 && taken.error.message.contains("stands for 3 models"))
            #expect(try taken.error.message.contains("--move"))
            let moved = try await api.call(
                .put, "/v1/models/\(named[0].digest)", json: ModelRequest(name: "net", moveName: true),
                as: ModelDetail.self)
            // The names that are gone are told.
            #expect(moved.foldNamesTaken == ["net.fold-2", "net.fold-3"] && moved.formerName == "net.fold-1")
            #expect(moved.summary.foldCount == nil)
            let left = try await values(
                api, "SELECT name FROM qsmflow.model WHERE name IS NOT NULL", as: String.self)
            #expect(left == ["net"])
            let back = try await api.send(.put, path, json: FoldNaming(name: "net"))
            #expect(back.status == 409)
            _ = try await api.call(.put, path, json: FoldNaming(name: "net", moveName: true), as: ModelList.self)
            // A gap among the folds is told, and never passed over: at the end no less than in the middle.
            for fold in [2, 3] {
                _ = try await api.send(.delete, "/v1/models/net.fold-\(fold)")
                let gap = try await api.send(.post, "/v1/plans", json: applied)
                #expect(gap.status == 422)
                let missing = fold == 2 ? "2 has no model" : "2, 3 have no model"
                #expect(
                    try gap.error.details?.first?.contains(
                        "of the 3 folds that the name net stands for, \(missing)") == true)
            }
            // All at once.
            _ = try await api.call(.put, path, json: FoldNaming(name: "net"), as: ModelList.self)
            #expect(try await api.send(.delete, "/v1/models/net").status == 200)
            let none = try await values(
                api, "SELECT name FROM qsmflow.model WHERE name IS NOT NULL OR fold_count IS NOT NULL", as: String.self)
            #expect(none.isEmpty)
            // A name by hand that looks like one of a fold makes no group.
            _ = try await api.call(
                .put, "/v1/models/\(named[0].digest)", json: ModelRequest(name: "net.fold-1"), as: ModelDetail.self)
            #expect(try await api.send(.get, "/v1/models/net").status == 404)
        }
    }
}

extension Sequence {
    fileprivate func asyncMap<Value>(_ transform: (Element) async throws -> Value) async throws -> [Value] {
        var values: [Value] = []
        for element in self { values.append(try await transform(element)) }
        return values
    }
}
