import BIDS
import Foundation
import HTTPTypes
import Testing
import Wire
import Workflow

@testable import Coordinator

/// Indexing, planning and submitting, over small datasets on disk.
@Suite struct HTTPSubmissionTests {
    /// A kind of the catalogue that reads one image per session, whatever the catalogue holds.
    private static let workflow = """
        name: small
        version: "1"
        steps:
          check:
            kind: brain.mask
            scope: session
            inputs:
              t1w: {bids: {suffix: T1w}}
        """

    private func request(_ api: APIFixture, _ text: String = workflow, derivatives: [String] = []) -> RunRequest {
        RunRequest(
            workflowText: text, workflowPath: api.folder + "/small.yaml", dataset: api.folder + "/data",
            derivatives: derivatives)
    }

    /// Images are not read by the coordinator: any bytes do.
    private func writeDataset(_ api: APIFixture, subjects: [String]) throws {
        let root = api.folder + "/data"
        try write(#"{"Name": "Small", "BIDSVersion": "1.11.1"}"#, root + "/dataset_description.json")
        var table = "participant_id\tage\tsex\n"
        for (index, subject) in subjects.enumerated() {
            table += "sub-\(subject)\t\(30 + index)\tF\n"
            let base = "\(root)/sub-\(subject)/anat/sub-\(subject)_"
            try write("T1 of \(subject)", base + "T1w.nii.gz")
            try write(#"{"MagneticFieldStrength": 3}"#, base + "T1w.json")
        }
        try write(table, root + "/participants.tsv")
    }

    private func write(_ text: String, _ path: String) throws {
        let url = URL(fileURLWithPath: path)
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: url)
    }

    @Test func indexingIsIncremental() async throws {
        try await APIFixture.with { api in
            try writeDataset(api, subjects: ["01", "02", "03"])
            let request = IndexRequest(path: api.folder + "/data/")
            let first = try await api.call(.post, "/v1/datasets", json: request, as: IndexReport.self)
            let dataset = try #require(first.datasets.first)
            #expect(dataset.name == "Small")
            #expect((dataset.subjects, dataset.sessions) == (3, 3))
            #expect((dataset.files, dataset.added, dataset.changed, dataset.removed) == (3, 3, 0, 0))

            let again = try await api.call(.post, "/v1/datasets", json: request, as: IndexReport.self)
            #expect(again.datasets.first?.id == dataset.id)
            #expect(again.datasets.first?.added == 0 && again.datasets.first?.changed == 0)

            try write("another T1 of 02", api.folder + "/data/sub-02/anat/sub-02_T1w.nii.gz")
            try FileManager.default.removeItem(atPath: api.folder + "/data/sub-03")
            let changed = try await api.call(.post, "/v1/datasets", json: request, as: IndexReport.self)
            #expect(changed.datasets.first?.changed == 1)
            #expect(changed.datasets.first?.removed == 1)

            var digestAll = request
            digestAll.digestAll = true
            let digested = try await api.call(.post, "/v1/datasets", json: digestAll, as: IndexReport.self)
            #expect(digested.datasets.first?.digested == 2)
            let listed = try await api.call(.get, "/v1/datasets", as: DatasetList.self).datasets
            #expect(listed.map(\.digested) == [2])
            #expect(listed.map(\.files) == [2])
        }
    }

    @Test func whatCannotBeReadIsSaidInOneSentence() async throws {
        try await APIFixture.with { api in
            let missing = try await api.send(
                .post, "/v1/datasets", json: IndexRequest(path: api.folder + "/nowhere"))
            #expect(missing.status == 422)
            #expect(try missing.error.message.contains(api.folder + "/nowhere"))
            let relative = try await api.send(.post, "/v1/datasets", json: IndexRequest(path: "data"))
            #expect(relative.status == 400)
            #expect(try relative.error.details == ["path"])
        }
    }

    @Test func aRunNamesEveryFileByItsBytes() async throws {
        try await APIFixture.with { api in
            try writeDataset(api, subjects: ["01", "02"])
            let plan = try await api.call(.post, "/v1/plans", json: request(api), as: PlanReport.self)
            #expect((plan.workflow, plan.subjects, plan.sessions, plan.tasks) == ("small", 2, 2, 2))
            #expect(plan.steps.map(\.cached) == [0])

            let created = try await api.call(
                .post, "/v1/runs", json: request(api), status: 201, as: RunCreated.self)
            #expect(created.tasks == 2)
            let detail = try await api.call(
                .get, "/v1/tasks/\(TaskID(run: created.run, ordinal: 1))", as: TaskDetail.self)
            #expect(detail.summary.context == TaskContext(subject: "02"))
            #expect(detail.inputs.map(\.digest) == [ArtifactDigest(of: Data("T1 of 02".utf8))])
            #expect(detail.inputs.first?.metadata?["MagneticFieldStrength"] == 3)
            let bytes = try await api.send(.get, "/v1/artifacts/\(detail.inputs[0].digest)")
            #expect(bytes.body == Array("T1 of 02".utf8))
        }
    }

    /// An unfinished run is gone on with only while its files are what they were.
    @Test func whatChangedSinceARunWasSubmittedIsNamed() async throws {
        try await APIFixture.with { api in
            try writeDataset(api, subjects: ["01", "02"])
            let run = try await api.call(.post, "/v1/runs", json: request(api), status: 201, as: RunCreated.self).run
            func changes() async throws -> [String] {
                let found = try await api.call(.post, "/v1/runs/\(run)/changes", as: SourceChanges.self)
                #expect(found.files == found.examples.count)
                return found.examples
            }
            #expect(try await changes() == [])
            let image = api.folder + "/data/sub-02/anat/sub-02_T1w"
            try write("a repaired T1 of 02", image + ".nii.gz")
            #expect(try await changes() == ["sub-02_T1w.nii.gz"])
            try write(#"{"MagneticFieldStrength": 7}"#, api.folder + "/data/sub-01/anat/sub-01_T1w.json")
            #expect(try await changes() == ["sub-01_T1w.nii.gz", "sub-02_T1w.nii.gz"])
            try FileManager.default.removeItem(atPath: image + ".nii.gz")
            #expect(try await changes() == ["sub-01_T1w.nii.gz", "sub-02_T1w.nii.gz"])
            #expect(try await api.send(.post, "/v1/runs/\(run.rawValue + 1)/changes").status == 404)
        }
    }

    @Test func aRunRecordsTheBytesOfTablesAndDescriptions() async throws {
        struct Row: Decodable {
            var dataset: String, path: String, digest: String, size: Int
        }
        try await APIFixture.with { api in
            try writeDataset(api, subjects: ["01"])
            let root = api.folder + "/data"
            try write(#"{"EchoTime": 0.003}"#, root + "/T1w.json")
            try write("session_id\tage\nses-1\t31\n", root + "/sub-01/sub-01_sessions.tsv")
            func documents() async throws -> [Row] {
                let created = try await api.call(
                    .post, "/v1/runs", json: request(api), status: 201, as: RunCreated.self)
                return try await api.call(.get, "/v1/runs/\(created.run)/results/documents", as: [Row].self)
            }
            let first = try await documents()
            #expect(
                first.map(\.path) == [
                    "T1w.json", "dataset_description.json", "participants.tsv", "sub-01/sub-01_sessions.tsv",
                ])
            for row in first {
                let data = try Data(contentsOf: URL(fileURLWithPath: root + "/" + row.path))
                #expect(row.dataset == root && row.size == data.count)
                #expect(row.digest == ArtifactDigest(of: data).hex, "\(row.path)")
            }

            // What changes is seen by the next run; the first keeps what it was made from.
            try write("participant_id\tage\nsub-01\t99\n", root + "/participants.tsv")
            try FileManager.default.removeItem(atPath: root + "/T1w.json")
            let second = try await documents()
            #expect(second.map(\.path) == first.map(\.path).filter { $0 != "T1w.json" })
            #expect(second.first { $0.path == "participants.tsv" }?.digest != first[2].digest)
            #expect(second[0].digest == first[1].digest)
            let kept = try await api.call(.get, "/v1/runs/1/results/documents", as: [Row].self)
            #expect(kept.map(\.digest) == first.map(\.digest))
        }
    }

    @Test func whoLacksAFileIsToldAndTheOthersGoOn() async throws {
        try await APIFixture.with { api in
            try writeDataset(api, subjects: ["01", "02", "03"])
            try FileManager.default.removeItem(atPath: api.folder + "/data/sub-02/anat/sub-02_T1w.nii.gz")
            let created = try await api.call(
                .post, "/v1/runs", json: request(api), status: 201, as: RunCreated.self)
            let failed = try await api.call(
                .get, "/v1/tasks?run=\(created.run)&state=failed", as: TaskList.self
            ).tasks
            #expect(failed.map(\.context.subject).allSatisfy { $0 == "02" })
            let ready = try await api.call(.get, "/v1/tasks?run=\(created.run)&state=ready", as: TaskList.self).tasks
            #expect(ready.map(\.context.subject) == ["01", "03"])
        }
    }

    @Test func copiesOfOneImageAreFoundAndNeitherIsTrusted() async throws {
        try await APIFixture.with { api in
            try writeDataset(api, subjects: ["01", "02", "03"])
            try write("T1 of 01", api.folder + "/data/sub-03/anat/sub-03_T1w.nii.gz")
            let created = try await api.call(
                .post, "/v1/runs", json: request(api), status: 201, as: RunCreated.self)
            #expect(created.problems.contains { $0.contains("byte for byte") })
            let failed = try await api.call(
                .get, "/v1/tasks?run=\(created.run)&state=failed", as: TaskList.self
            ).tasks
            #expect(failed.map(\.context.subject) == ["01", "03"])
        }
    }

    @Test func errorsOfTheWorkflowHavePlaces() async throws {
        try await APIFixture.with { api in
            try writeDataset(api, subjects: ["01"])
            let broken = Self.workflow.replacing("brain.mask", with: "brain.msk")
            let refused = try await api.send(.post, "/v1/runs", json: request(api, broken))
            #expect(refused.status == 422)
            let error = try refused.error
            #expect(error.code == "invalid_workflow")
            #expect(error.details?.first?.contains("small.yaml:5:") == true, "\(error)")

            let report = try await api.call(
                .post, "/v1/workflows/validate", json: ValidationRequest(text: broken, path: "/w/small.yaml"),
                as: ValidationReport.self)
            #expect(report.problems.count == 1)
            let sound = try await api.call(
                .post, "/v1/workflows/validate", json: ValidationRequest(text: Self.workflow, path: "/w/small.yaml"),
                as: ValidationReport.self)
            #expect(sound.problems.isEmpty, "\(sound.problems)")
        }
    }

    @Test func whatConcernsTheWholeRunIsRefused() async throws {
        try await APIFixture.with { api in
            try writeDataset(api, subjects: ["01"])
            var nobody = request(api)
            nobody.participants = ["99"]
            let unknown = try await api.send(.post, "/v1/runs", json: nobody)
            #expect(unknown.status == 422)
            #expect(try unknown.error.message.contains("sub-99"))
            var step = request(api)
            step.rerunFrom = ["chekc"]
            #expect(try await api.send(.post, "/v1/plans", json: step).status == 422)
            var weightless = request(api)
            weightless.weight = 0
            #expect(try await api.send(.post, "/v1/runs", json: weightless).status == 400)
            #expect(try await api.call(.get, "/v1/runs", as: RunList.self).runs.isEmpty)
        }
    }

    /// Two steps, so that the second's key depends on what the first left.
    @Test func aFinishedRunIsPlannedAsDoneAndTakenOver() async throws {
        let workflow =
            Self.workflow + """

                  shrink:
                    kind: command
                    scope: session
                    inputs:
                      mask: {step: check.mask}
                    parameters:
                      program: shrink
                      arguments: ["{inputs.mask}", "{outputs.small}"]
                      outputs: {small: small.nii.gz}
                """
        try await APIFixture.with { api in
            try writeDataset(api, subjects: ["01"])
            let request = request(api, workflow)
            _ = try await api.call(.post, "/v1/runs", json: request, status: 201, as: RunCreated.self)
            var worker = Sample.worker
            worker.kinds = TaskKindCatalog.versions
            worker.commands = ["shrink"]
            let session = try await api.call(.post, "/v1/sessions", json: worker, status: 201, as: SessionGrant.self)
            let path = "/v1/sessions/\(session.session)"
            for (number, port) in ["mask", "small"].enumerated() {
                let leases = try await api.call(
                    .post, path + "/claim", json: Sample.claim(), as: ClaimResponse.self
                ).leases
                let content = Array("output \(number)".utf8)
                let digest = ArtifactDigest(of: content)
                #expect(try await api.send(.put, "/v1/artifacts/\(digest)", bytes: content).status == 201)
                let output = CompletionItem.Output(
                    port: port, name: "\(port).nii.gz", digest: digest, sizeBytes: Int64(content.count),
                    mediaType: "application/x-nifti")
                let done = try await api.call(
                    .post, path + "/complete",
                    json: CompletionRequest(items: [
                        Sample.completion(try #require(leases.first), outputs: [output])
                    ]), as: CompletionResponse.self)
                #expect(done.items.map(\.verdict) == [.accepted])
                let plan = try await api.call(.post, "/v1/plans", json: request, as: PlanReport.self)
                #expect(plan.steps.map(\.cached) == [1, number])
            }
            let second = try await api.call(.post, "/v1/runs", json: request, status: 201, as: RunCreated.self)
            #expect(second.cached == 2)
            var anew = request
            anew.rerunFrom = ["shrink"]
            let plan = try await api.call(.post, "/v1/plans", json: anew, as: PlanReport.self)
            #expect(plan.steps.map(\.cached) == [1, 0])
            let third = try await api.call(.post, "/v1/runs", json: anew, status: 201, as: RunCreated.self)
            #expect(third.cached == 1)
        }
    }

    @Test(arguments: ["csv", "tsv", "json"])
    func resultsAreStreamed(format: String) async throws {
        try await APIFixture.with { api in
            try writeDataset(api, subjects: ["01", "02"])
            let run = try await api.call(
                .post, "/v1/runs", json: request(api), status: 201, as: RunCreated.self
            ).run
            let answer = try await api.send(.get, "/v1/runs/\(run)/results/subjects?format=\(format)")
            #expect(answer.status == 200)
            let text = String(decoding: answer.body, as: UTF8.self)
            if format == "json" {
                #expect(try JSONValue.parse(text).arrayValue?.map { $0["subject"]?.stringValue } == ["01", "02"])
                let empty = try await api.send(.get, "/v1/runs/\(run)/results/measurements?format=json")
                #expect(try JSONValue.parse(Data(empty.body)) == [])
            } else {
                #expect(text.split(separator: "\n").count == 3)
            }
            #expect(try await api.send(.get, "/v1/runs/\(run)/results/tasks").status == 404)
            #expect(try await api.send(.get, "/v1/runs/\(run)/results/qc?format=xml").status == 400)
        }
    }
}
