import BIDS
import Foundation
import HTTPTypes
import Postgres
import Testing
import Wire
import Workflow

@testable import Coordinator

/// Runs whose workflow names models.
@Suite struct HTTPModelRunTests {
    private static let workflow = """
        name: apply
        parameters: {net: deepmir}
        steps:
          segment:
            kind: command
            scope: session
            inputs:
              t1w: {bids: {suffix: T1w}}
              weights: {model: "${net}"}
            parameters:
              program: apply
              arguments: ["{inputs.t1w}", "{inputs.weights}", "{outputs.labels}"]
              outputs: {labels: labels.nii.gz}
        """

    private func request(_ api: APIFixture, net: String? = nil) throws -> RunRequest {
        let root = api.folder + "/data"
        for (name, text) in [
            ("dataset_description.json", #"{"Name": "Small", "BIDSVersion": "1.11.1"}"#),
            ("sub-01/anat/sub-01_T1w.nii.gz", "T1"),
        ] {
            let url = URL(fileURLWithPath: root + "/" + name)
            guard !FileManager.default.fileExists(atPath: url.path) else { continue }
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: url)
        }
        return RunRequest(
            workflowText: Self.workflow, workflowPath: api.folder + "/apply.yaml", dataset: root,
            parameters: net.map { ["net": .string($0)] } ?? [:])
    }

    @discardableResult
    private func model(_ text: String, name: String?, in api: APIFixture) async throws -> ArtifactDigest {
        let digest = ArtifactDigest(of: Data(text.utf8))
        _ = try await api.send(.put, "/v1/artifacts/\(digest)", bytes: Array(text.utf8))
        let answer = try await api.send(
            .put, "/v1/models/\(digest)",
            json: ModelRequest(name: name, moveName: true, card: ["architecture": "U-Net"]))
        #expect(answer.status == 200 || answer.status == 201)
        return digest
    }

    private func weights(of run: RunID, in api: APIFixture) async throws -> TaskInput {
        let task = try await api.call(.get, "/v1/tasks/\(TaskID(run: run, ordinal: 0))", as: TaskDetail.self)
        return try #require(task.inputs.first { $0.port == "weights" })
    }

    @Test func aNameIsResolvedWhenTheRunIsSubmitted() async throws {
        try await APIFixture.with { api in
            let old = try await model("old weights", name: "deepmir", in: api)
            let plan = try await api.call(.post, "/v1/plans", json: try request(api), as: PlanReport.self)
            #expect(plan.models.map(\.digest) == [old] && plan.models.map(\.model) == ["deepmir"])
            #expect(plan.models.map(\.step) == ["segment"] && plan.models.map(\.input) == ["weights"])
            let first = try await api.call(
                .post, "/v1/runs", json: try request(api), status: 201, as: RunCreated.self
            ).run
            let input = try await weights(of: first, in: api)
            #expect(input.digest == old && input.sizeBytes == 11)
            // A worker gets the bytes as it gets all artifacts.
            let bytes = try await api.send(.get, "/v1/artifacts/\(input.digest)", token: try await api.token(.worker))
            #expect(bytes.body == Array("old weights".utf8))

            // The name moves: the old run keeps what it was given, a new one gets the new model.
            let new = try await model("new weights", name: "deepmir", in: api)
            #expect(try await weights(of: first, in: api).digest == old)
            let changes = try await api.call(.post, "/v1/runs/\(first)/changes", as: SourceChanges.self)
            #expect(changes.files > 0)
            let second = try await api.call(
                .post, "/v1/runs", json: try request(api), status: 201, as: RunCreated.self
            ).run
            #expect(try await weights(of: second, in: api).digest == new)

            // Even when nobody else wants the old one: runs that read it keep it.
            #expect(try await api.send(.delete, "/v1/models/\(old)").status == 200)
            let database = api.store
            try await database.pool.run { session in
                try session.execute("UPDATE artifact SET verified_at = now() - interval '2 days'")
            }
            #expect(try await database.forgetArtifacts([old, new]) == [])
        }
    }

    /// What is computed with a model is known by its bytes, however it is called.
    @Test func resultsAreTakenOverWhateverTheModelIsCalled() async throws {
        try await APIFixture.with { api in
            let digest = try await model("weights", name: "deepmir", in: api)
            _ = try await api.call(.post, "/v1/runs", json: try request(api), status: 201, as: RunCreated.self)
            var worker = Sample.worker
            worker.kinds = TaskKindCatalog.versions
            worker.commands = ["apply"]
            let session = try await api.call(.post, "/v1/sessions", json: worker, status: 201, as: SessionGrant.self)
            let path = "/v1/sessions/\(session.session)"
            let leases = try await api.call(
                .post, path + "/claim", json: Sample.claim(), as: ClaimResponse.self
            ).leases
            let done = try await api.call(
                .post, path + "/complete",
                json: CompletionRequest(items: [Sample.completion(try #require(leases.first))]),
                as: CompletionResponse.self)
            #expect(done.items.map(\.verdict) == [.accepted])
            try await model("weights", name: "deepmir-v1", in: api)
            let other = try await model("other weights", name: "deepmir", in: api)
            for (net, cached) in [
                ("deepmir-v1", 1), (digest.hex, 1), (String(digest.hex.prefix(8)), 1), ("deepmir", 0), (other.hex, 0),
            ] {
                let plan = try await api.call(.post, "/v1/plans", json: try request(api, net: net), as: PlanReport.self)
                #expect(plan.steps.map(\.cached) == [cached], "\(net)")
            }
        }
    }

    @Test func aModelThatIsNotKnownIsRefusedWithItsPlace() async throws {
        try await APIFixture.with { api in
            try await model("weights", name: "deepmir", in: api)
            for path in ["/v1/plans", "/v1/runs"] {
                let refused = try await api.send(.post, path, json: try request(api, net: "deepmri"))
                #expect(refused.status == 422)
                let error = try refused.error
                #expect(error.code == "invalid_workflow")
                #expect(
                    error.details == [
                        "\(api.folder)/apply.yaml:9:24: error: there is no model “deepmri”; did you mean deepmir?"
                    ])
            }
            #expect(try await api.call(.get, "/v1/runs", as: RunList.self).runs.isEmpty)
        }
    }

    /// A file that a workflow names by its path is looked at before anything starts.
    @Test func aFileThatIsNoModelIsRefusedWithItsPlace() async throws {
        try await APIFixture.with { api in
            var request = try request(api)
            request.parameters = [:]
            request.workflowText = """
                name: apply
                steps:
                  segment:
                    kind: network.segment
                    inputs:
                      image: {bids: {suffix: T1w}}
                      model: {model: [one.safetensors, ./folder, text.safetensors, bare.safetensors, good.safetensors]}
                  classify:
                    kind: network.classify
                    inputs:
                      image: {bids: {suffix: T1w}}
                      model: {file: gone.safetensors}
                """
            func file(_ name: String, _ header: String?) throws {
                var data = Data("no model at all".utf8)
                if let header {
                    data = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Data($0) } + Data(header.utf8)
                }
                try data.write(to: URL(fileURLWithPath: "\(api.folder)/\(name)"))
            }
            try FileManager.default.createDirectory(
                atPath: api.folder + "/folder", withIntermediateDirectories: true)
            try file("text.safetensors", nil)
            try file("bare.safetensors", #"{"__metadata__":{"made":"by hand"}}"#)
            try file("good.safetensors", #"{"__metadata__":{"qsmflow.card":"{\"name\":\"n\"}"}}"#)
            for path in ["/v1/plans", "/v1/runs"] {
                let refused = try await api.send(.post, path, json: request)
                #expect(refused.status == 422)
                let details = try #require(try refused.error.details)
                #expect(details.count == 5, "\(details)")
                for (detail, (place, words)) in zip(
                    details,
                    [
                        (":7:23: error: input model of step segment: \(api.folder)/one.safetensors", "is not there"),
                        (":7:40: ", "is a folder"), (":7:50: ", "is no safetensors file"),
                        (":7:68: ", "has no model card"), (": error: input model of step classify: ", "is not there"),
                    ])
                { #expect(detail.contains("apply.yaml" + place) && detail.contains(words), "\(detail)") }
            }
            #expect(try await api.call(.get, "/v1/runs", as: RunList.self).runs.isEmpty)
        }
    }

    private static func modelFile(_ header: String) -> Data {
        withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Data($0) } + Data(header.utf8)
    }

    /// A model that another kind of step applies, and one that was copied half, cost nobody a run.
    @Test func modelsOfOtherKindsAreRefusedWithTheirPlace() async throws {
        try await APIFixture.with { api in
            var request = try request(api)
            request.parameters = [:]
            request.workflowText = """
                name: apply
                steps:
                  segment:
                    kind: network.segment
                    inputs:
                      image: {bids: {suffix: T1w}}
                      model: {model: [./judge.safetensors, ./half.safetensors, ./good.safetensors, registered]}
                  classify:
                    kind: network.classify
                    inputs:
                      image: {bids: {suffix: T1w}}
                      model: {model: [./judge.safetensors, ./good.safetensors, ./forest.safetensors]}
                """
            func header(_ task: String, _ more: String = "") -> String {
                #"{"__metadata__":{"qsmflow.card":"{\"task\":\"\#(task)\"}"\#(more)}"#
            }
            for (name, text) in [
                ("judge", header("classification") + "}"), ("good", header("segmentation") + "}"),
                ("half", header("segmentation") + #","w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#),
                ("forest", header("classification", #","qsmflow.classifier":"{}""#) + "}"),
            ] {
                try Self.modelFile(text).write(to: URL(fileURLWithPath: "\(api.folder)/\(name).safetensors"))
            }
            let registered = String(decoding: Self.modelFile(header("classification") + "}"), as: UTF8.self)
            try await model(registered, name: "registered", in: api)
            let refused = try await api.send(.post, "/v1/runs", json: request)
            #expect(refused.status == 422)
            let details = try #require(try refused.error.details)
            let expected = [
                "error: model registered is a network for classification, which network.classify applies; network.segment "
                    + "takes a network for segmentation",
                "judge.safetensors is a network for classification, which network.classify applies; network.segment takes "
                    + "a network for segmentation",
                "half.safetensors is cut short: it has ",
                "good.safetensors is a network for segmentation, which network.segment applies; network.classify takes a "
                    + "network for classification",
                "forest.safetensors is a classifier of classifier.train, which classifier.apply applies; network.classify "
                    + "takes a network for classification",
            ]
            #expect(details.count == expected.count, "\(details)")
            for (detail, words) in zip(details, expected) { #expect(detail.contains(words), "\(detail)") }
            #expect(try await api.call(.get, "/v1/runs", as: RunList.self).runs.isEmpty)
        }
    }

    /// A column that participants.tsv lacks is told once, not by every fold's training.
    @Test func columnsThatAreNotThereAreToldAtOnce() async throws {
        try await APIFixture.with { api in
            var request = try request(api)
            request.parameters = [:]
            try Data("participant_id\tgroup\tage\nsub-01\tHH\t40\n".utf8)
                .write(to: URL(fileURLWithPath: request.dataset + "/participants.tsv"))
            func text(_ target: String, _ residualise: String) -> String {
                """
                name: learn
                steps:
                  learn:
                    kind: classifier.train
                    scope: cohort
                    inputs:
                      features: {bids: {suffix: T1w}}
                      covariates: {covariates: participants}
                    parameters: {method: logistic, target: \(target), classes: [control, HH], residualise: [\(residualise)]}
                """
            }
            for (target, residualise, sentence) in [
                (
                    "grup", "age",
                    "target of step learn names the column “grup”, which participants.tsv does not have; did you mean group?"
                ),
                (
                    "group", "weight",
                    "residualise of step learn names the column “weight”, which participants.tsv does not have"
                ),
            ] {
                request.workflowText = text(target, residualise)
                let refused = try await api.send(.post, "/v1/plans", json: request)
                #expect(refused.status == 422)
                let error = try refused.error
                #expect(error.message.contains(sentence), "\(error)")
            }
            // Nobody is a “hh”: each training would say so, after hours of what it reads.
            request.workflowText = text("group", "age").replacing("classes: [control, HH]", with: "positive: hh")
            let nobody = try await api.send(.post, "/v1/plans", json: request)
            #expect(nobody.status == 422)
            #expect(
                try nobody.error.message.contains(
                    "positive of step learn is “hh”, which nobody of the run has in the column group of participants.tsv "
                        + "or of a table of sessions; did you mean HH?"))
            // Of three classes none counts as positive, and a cohort need not have them all.
            request.workflowText = text("group", "age").replacing(
                "[control, HH]", with: "[control, hh, HH], positive: hh")
            #expect(try await api.send(.post, "/v1/plans", json: request).status == 200)
            // What a session's table says goes before what participants.tsv says of the person.
            for (name, text) in [
                ("ses-m24/anat/sub-01_ses-m24_T1w.nii.gz", "T1"),
                ("sub-01_sessions.tsv", "session_id\tgroup\nses-m24\thh\n"),
            ] {
                let url = URL(fileURLWithPath: request.dataset + "/sub-01/" + name)
                try FileManager.default.createDirectory(
                    at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
                try Data(text.utf8).write(to: url)
            }
            request.workflowText = text("group", "age").replacing("classes: [control, HH]", with: "positive: hh")
            #expect(try await api.send(.post, "/v1/plans", json: request).status == 200)
            request.workflowText = text("group", "age")
            let accepted = try await api.send(.post, "/v1/plans", json: request)
            #expect(accepted.status == 200)
        }
    }
}
