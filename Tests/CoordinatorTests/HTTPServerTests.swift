import Artifacts
import Foundation
import Logging
import ServiceLifecycle
import TestSupport
import Testing
import Wire
import Workflow

@testable import Coordinator

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// The whole server, over a socket, with its background services.
@Suite struct HTTPServerTests {
    /// Runs a server for the time of `body`, then stops it the way SIGTERM does.
    private func withServer(
        _ body:
            @escaping @Sendable (_ server: CoordinatorServer, _ url: String, _ stop: @Sendable () async -> Void)
            async throws -> Void
    ) async throws {
        let database = try await TestDatabase.make()
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("qsmflow-\(UUID().uuidString)").path
        defer {
            do { try FileManager.default.removeItem(atPath: folder) } catch {
                Issue.record("\(folder) stays: \(error)")
            }
        }
        var configuration = CoordinatorConfiguration(host: "127.0.0.1", port: 0)
        configuration.ownerToken = "owner-secret"
        configuration.sweepInterval = .milliseconds(50)
        configuration.sessionTTL = .seconds(1)
        let (ports, source) = AsyncStream.makeStream(of: Int.self)
        let server = try await CoordinatorServer(
            configuration: configuration, database: database.target,
            artifacts: try ArtifactStore(folder: folder),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ) { source.yield($0) }
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(services: [.init(service: server)], logger: server.parts.logger))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            var iterator = ports.makeAsyncIterator()
            let port = try #require(await iterator.next())
            try await body(server, "http://127.0.0.1:\(port)") { await group.triggerGracefulShutdown() }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }

    private func send(_ method: String, _ url: String, json: (any Encodable)? = nil) async throws -> (Int, Data) {
        var request = URLRequest(url: try #require(URL(string: url)))
        request.httpMethod = method
        request.setValue("Bearer owner-secret", forHTTPHeaderField: "Authorization")
        request.httpBody = try json.map { try JSONEncoder().encode($0) }
        let (data, response) = try await URLSession.shared.data(for: request)
        return ((response as? HTTPURLResponse)?.statusCode ?? 0, data)
    }

    @Test func anEmptyDatabaseIsBroughtUpAndServed() async throws {
        try await withServer { _, url, _ in
            #expect(try await send("GET", url + "/health").0 == 200)
            #expect(try await send("GET", url + "/ready").0 == 200)
            let (status, body) = try await send("GET", url + "/v1/runs")
            #expect(status == 200)
            #expect(try JSONDecoder().decode(RunList.self, from: body).runs.isEmpty)
        }
    }

    @Test func stoppingAnswersWaitingClaims() async throws {
        try await withServer { server, url, stop in
            let (_, grant) = try await send("POST", url + "/v1/sessions", json: Sample.worker)
            let session = try JSONDecoder().decode(SessionGrant.self, from: grant).session
            async let claim = send(
                "POST", url + "/v1/sessions/\(session)/claim", json: Sample.claim(wait: 25_000))
            while server.parts.ready.waiting == 0 { await Task.yield() }
            await stop()
            let (status, body) = try await claim
            #expect(status == 200)
            #expect(try JSONDecoder().decode(ClaimResponse.self, from: body).leases.isEmpty)
        }
    }

    @Test func theLeaseOfASilentWorkerGoesToTheNext() async throws {
        try await withServer { server, url, _ in
            func open() async throws -> String {
                let (_, grant) = try await send("POST", url + "/v1/sessions", json: Sample.worker)
                let session = try JSONDecoder().decode(SessionGrant.self, from: grant).session
                return url + "/v1/sessions/\(session)"
            }
            func claim(_ session: String, wait: Int) async throws -> [LeaseGrant] {
                let (_, body) = try await send("POST", session + "/claim", json: Sample.claim(wait: wait))
                return try JSONDecoder().decode(ClaimResponse.self, from: body).leases
            }
            let run = try await server.parts.store.createRun(
                request: Sample.run(), workflow: "test", dataset: nil, tasks: [Sample.task(0)], requestedBy: "test"
            ).run
            let silent = try await open()
            let first = try #require(try await claim(silent, wait: 0).first)
            // The second worker keeps its session alive while it waits, as a worker does.
            let second = try await open()
            let next = try await withThrowingTaskGroup(of: [LeaseGrant]?.self) { tasks in
                tasks.addTask { try await claim(second, wait: 25_000) }
                tasks.addTask {
                    while !Task.isCancelled {
                        _ = try await send("POST", second + "/heartbeat", json: HeartbeatRequest(held: []))
                    }
                    return nil
                }
                let leases = try await tasks.next() ?? nil
                tasks.cancelAll()
                while let _ = try? await tasks.next() {}
                return leases
            }
            let lease = try #require(next?.first)
            #expect(lease.task == TaskID(run: run, ordinal: 0))
            #expect(lease.token.attempt == 2)
            // The zombie comes back.
            let (_, answer) = try await send(
                "POST", silent + "/complete", json: CompletionRequest(items: [Sample.completion(first)]))
            let verdicts = try JSONDecoder().decode(CompletionResponse.self, from: answer).items.map(\.verdict)
            #expect(verdicts == [.stale])
            let summary = try #require(try await server.parts.store.run(run))
            #expect(summary.counts.succeeded == 0)
            #expect(summary.counts.running == 1)
        }
    }
}
