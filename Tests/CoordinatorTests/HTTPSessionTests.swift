import Foundation
import HTTPTypes
import Testing
import Wire
import Workflow

@testable import Coordinator

@Suite struct HTTPSessionTests {
    private func session(_ api: APIFixture) async throws -> String {
        let grant = try await api.call(
            .post, "/v1/sessions", json: Sample.worker, status: 201, as: SessionGrant.self)
        return "/v1/sessions/\(grant.session)"
    }

    private func run(_ api: APIFixture, tasks: Int = 1) async throws -> RunID {
        try await api.store.createRun(
            request: Sample.run(), workflow: "test", dataset: nil, tasks: (0..<tasks).map { Sample.task($0) },
            requestedBy: "test"
        ).run
    }

    @Test func aTaskGoesFromRunToVerdict() async throws {
        try await APIFixture.with { api in
            let session = try await session(api)
            let run = try await run(api)
            let leases = try await api.call(
                .post, session + "/claim", json: Sample.claim(), as: ClaimResponse.self
            ).leases
            let lease = try #require(leases.first)
            #expect(lease.task == TaskID(run: run, ordinal: 0))
            #expect(lease.kind == "test.kind")

            let beat = try await api.call(
                .post, session + "/heartbeat",
                json: HeartbeatRequest(held: [.init(lease: LeaseName(task: lease.task, token: lease.token))]),
                as: HeartbeatResponse.self)
            #expect(beat.cancel.isEmpty && beat.unknown.isEmpty)

            let missing = CompletionItem.Output(
                port: "out", name: "out.json", digest: ArtifactDigest(of: [7] as [UInt8]), sizeBytes: 1,
                mediaType: "application/json")
            for (outputs, verdict) in [
                ([missing], CompletionVerdict.missingArtifact), ([], .accepted), ([], .duplicate),
            ] {
                let response = try await api.call(
                    .post, session + "/complete",
                    json: CompletionRequest(items: [Sample.completion(lease, outputs: outputs)]),
                    as: CompletionResponse.self)
                #expect(response.items.map(\.verdict) == [verdict])
            }
            var stale = Sample.completion(lease)
            stale.lease.token.nonce = UUID()
            let refused = try await api.call(
                .post, session + "/complete", json: CompletionRequest(items: [stale]), as: CompletionResponse.self)
            #expect(refused.items.map(\.verdict) == [.stale])

            let summary = try await api.call(.get, "/v1/runs/\(run)", as: RunSummary.self)
            #expect(summary.state == .succeeded)
            let metrics = String(decoding: try await api.send(.get, "/metrics").body, as: UTF8.self)
            #expect(metrics.contains("qsmflow_completions_total{verdict=\"stale\"} 1\n"))
            #expect(metrics.contains("qsmflow_completions_total{verdict=\"accepted\"} 1\n"))
            #expect(metrics.contains("qsmflow_database_up 1\n"))
        }
    }

    @Test func theSameClaimAgainGetsTheSameLeases() async throws {
        try await APIFixture.with { api in
            let session = try await session(api)
            _ = try await run(api, tasks: 3)
            let claim = Sample.claim(tasks: 2)
            let first = try await api.call(.post, session + "/claim", json: claim, as: ClaimResponse.self)
            let second = try await api.call(.post, session + "/claim", json: claim, as: ClaimResponse.self)
            #expect(first.leases.count == 2)
            #expect(first.leases.map(\.token) == second.leases.map(\.token))
        }
    }

    @Test func aWaitingClaimIsWokenByASubmission() async throws {
        try await APIFixture.with { api in
            let session = try await session(api)
            // Far longer than the test takes: only the wake-up can end it.
            async let answer = api.call(
                .post, session + "/claim", json: Sample.claim(wait: 25_000), as: ClaimResponse.self)
            try await untilWaiting(api.server.parts.ready)
            let run = try await run(api)
            #expect(try await answer.leases.map(\.task) == [TaskID(run: run, ordinal: 0)])
        }
    }

    @Test func aWaitingClaimIsWokenByACompletion() async throws {
        try await APIFixture.with { api in
            let session = try await session(api)
            let first = Sample.task(0)
            var second = Sample.task(1)
            second.inputs = [
                InputBinding(port: "in", context: .cohort, source: .output(ordinal: 0, port: "out"))
            ]
            let run = try await api.store.createRun(
                request: Sample.run(), workflow: "test", dataset: nil, tasks: [first, second], requestedBy: "test"
            ).run
            let lease = try #require(
                try await api.call(.post, session + "/claim", json: Sample.claim(), as: ClaimResponse.self).leases.first
            )
            async let answer = api.call(
                .post, session + "/claim", json: Sample.claim(wait: 25_000), as: ClaimResponse.self)
            try await untilWaiting(api.server.parts.ready)
            let content: [UInt8] = [1, 2, 3]
            let digest = ArtifactDigest(of: content)
            _ = try await api.send(.put, "/v1/artifacts/\(digest)", bytes: content)
            let output = CompletionItem.Output(
                port: "out", name: "out.bin", digest: digest, sizeBytes: 3, mediaType: "application/octet-stream")
            let verdicts = try await api.call(
                .post, session + "/complete",
                json: CompletionRequest(items: [Sample.completion(lease, outputs: [output])]),
                as: CompletionResponse.self)
            #expect(verdicts.items.map(\.verdict) == [.accepted])
            let next = try #require(try await answer.leases.first)
            #expect(next.task == TaskID(run: run, ordinal: 1))
            #expect(next.inputs.map(\.digest) == [digest])
        }
    }

    @Test func aClaimThatFindsNothingIsAnsweredWithNothing() async throws {
        try await APIFixture.with { api in
            let session = try await session(api)
            let empty = try await api.call(
                .post, session + "/claim", json: Sample.claim(wait: 1), as: ClaimResponse.self)
            #expect(empty.leases.isEmpty)
        }
    }

    @Test func sessionsThatAreNotThereAreGone() async throws {
        try await APIFixture.with { api in
            let session = "/v1/sessions/\(UUID())"
            let claim = try await api.send(.post, session + "/claim", json: Sample.claim())
            #expect(claim.status == 410)
            #expect(try claim.error.code == "session_expired")
            let beat = try await api.send(.post, session + "/heartbeat", json: HeartbeatRequest(held: []))
            #expect(beat.status == 410)
            // Goodbye may be said twice.
            #expect(try await api.send(.delete, session).status == 200)
        }
    }

    @Test func leasesHandedBackAreReadyAgain() async throws {
        try await APIFixture.with { api in
            let session = try await session(api)
            _ = try await run(api)
            let lease = try #require(
                try await api.call(.post, session + "/claim", json: Sample.claim(), as: ClaimResponse.self).leases.first
            )
            let name = LeaseName(task: lease.task, token: lease.token)
            #expect(
                try await api.send(.post, session + "/release", json: ReleaseRequest(leases: [name])).status == 200)
            let again = try #require(
                try await api.call(.post, session + "/claim", json: Sample.claim(), as: ClaimResponse.self).leases.first
            )
            #expect(again.task == lease.task)
            #expect(again.token != lease.token)
        }
    }

    @Test func operatorsCancelRetryAndAsk() async throws {
        try await APIFixture.with { api in
            let session = try await session(api)
            let run = try await run(api, tasks: 3)
            let lease = try #require(
                try await api.call(.post, session + "/claim", json: Sample.claim(), as: ClaimResponse.self).leases.first
            )
            _ = try await api.send(
                .post, session + "/complete",
                json: CompletionRequest(items: [Sample.completion(lease, outcome: .permanent)]))
            let failed = try await api.call(
                .get, "/v1/tasks?run=\(run)&state=failed,cancelled", as: TaskList.self
            ).tasks
            #expect(failed.map(\.task) == [lease.task])
            let why = try await api.call(.get, "/v1/tasks/\(lease.task)/why", as: Explanation.self)
            #expect(!why.reasons.isEmpty)
            let detail = try await api.call(.get, "/v1/tasks/\(lease.task.rawValue)", as: TaskDetail.self)
            #expect(detail.attempts.map(\.outcome) == [.permanent])

            let cancelled = try await api.call(.post, "/v1/runs/\(run)/cancel", as: Affected.self)
            #expect(cancelled.tasks == 2)
            let retried = try await api.call(
                .post, "/v1/runs/\(run)/retry", json: TaskFilter(states: [.failed]), as: Affected.self)
            #expect(retried.tasks == 1)
            #expect(
                try await api.send(.post, "/v1/runs/\(run)/retry", json: TaskFilter(run: RunID(rawValue: 99))).status
                    == 400)
            #expect(try await api.call(.get, "/v1/runs/\(run)/definition", as: RunRequest.self).name == "run")
            #expect(try await api.call(.get, "/v1/runs", as: RunList.self).runs.map(\.run) == [run])
            #expect(try await api.call(.get, "/v1/workers", as: WorkerList.self).workers.map(\.worker) == ["worker"])
        }
    }
}
