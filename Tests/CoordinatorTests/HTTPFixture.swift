import Artifacts
import BIDS
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import NIOCore
import Postgres
import TestSupport
import Testing
import Wire
import Workflow

@testable import Coordinator

/// A coordinator on a database and an artifact folder of its own, and a client that speaks JSON to it.
struct APIFixture: Sendable {
    let server: CoordinatorServer
    let client: any TestClientProtocol
    let folder: String
    /// Secret of an operator.
    let owner: String

    var store: Store { server.parts.store }

    /// - Parameter kind: `.router` answers in this process, `.live` over a socket.
    static func with(
        _ kind: TestingKind = .router, configure: (inout CoordinatorConfiguration) -> Void = { _ in },
        artifactLimitBytes: Int64 = 1 << 30, _ body: @escaping @Sendable (APIFixture) async throws -> Void
    ) async throws {
        let database = try await TestDatabase.make(key: "coordinator") { target in
            let pool = Store.pool(target)
            try await Migrator().migrate(pool)
            pool.close()
        }
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("qsmflow-\(UUID().uuidString)").path
        defer {
            do { try FileManager.default.removeItem(atPath: folder) } catch {
                Issue.record("\(folder) stays: \(error)")
            }
        }
        var configuration = CoordinatorConfiguration(host: "127.0.0.1", port: 0)
        configuration.ownerToken = "owner-secret"
        configure(&configuration)
        let server = try await CoordinatorServer(
            configuration: configuration, database: database.target,
            artifacts: try ArtifactStore(folder: folder + "/artifacts", limitBytes: artifactLimitBytes),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await Application(router: server.router).test(kind.setup) { client in
            try await body(APIFixture(server: server, client: client, folder: folder, owner: "owner-secret"))
        }
        server.pool.close()
    }

    struct Answer: Sendable {
        var status: Int
        var headers: HTTPFields
        var body: [UInt8]

        func decoded<Value: Decodable>(as type: Value.Type) throws -> Value {
            try JSONDecoder().decode(type, from: Data(body))
        }

        /// The error, which every refusal must hold.
        var error: APIError {
            get throws { try decoded(as: ErrorBody.self).error }
        }
    }

    /// - Parameter token: nil sends none.
    func send(
        _ method: HTTPRequest.Method, _ path: String, token: String? = "owner-secret", headers: HTTPFields = [:],
        bytes: [UInt8]? = nil
    ) async throws -> Answer {
        var headers = headers
        if let token { headers[.authorization] = "Bearer \(token)" }
        return try await client.execute(
            uri: path, method: method, headers: headers, body: bytes.map { ByteBuffer(bytes: $0) }
        ) { response in
            Answer(
                status: response.status.code, headers: response.headers, body: Array(response.body.readableBytesView))
        }
    }

    func send(
        _ method: HTTPRequest.Method, _ path: String, token: String? = "owner-secret", json: some Encodable
    ) async throws -> Answer {
        try await send(method, path, token: token, bytes: Array(try JSONEncoder().encode(json)))
    }

    /// Sends and expects a status and a type.
    func call<Value: Decodable>(
        _ method: HTTPRequest.Method, _ path: String, token: String? = "owner-secret", json: (any Encodable)? = nil,
        status: Int = 200, as type: Value.Type
    ) async throws -> Value {
        let answer =
            if let json {
                try await send(method, path, token: token, json: json)
            } else {
                try await send(method, path, token: token)
            }
        try #require(answer.status == status, "\(method) \(path): \(String(decoding: answer.body, as: UTF8.self))")
        return try answer.decoded(as: type)
    }

    func token(_ role: TokenRole) async throws -> String {
        try await store.createToken(name: "\(role)-\(UUID())", role: role).secret
    }
}

/// Tasks and workers for tests.
enum Sample {
    static func task(
        _ ordinal: Int, kind: String = "test.kind", step: String = "step", subject: String? = nil,
        inputs: [InputBinding] = [], fanIn: FanInPolicy = .all
    ) -> ExpandedTask {
        ExpandedTask(
            ordinal: ordinal, step: step, kind: kind, kindVersion: 1, context: TaskContext(subject: subject),
            parameters: .object(["number": .integer(Int64(ordinal))]), inputs: inputs, fanIn: fanIn,
            resources: TaskResources(cores: 1, memoryMiB: 100), timeoutSeconds: 60, retry: RetryPolicy())
    }

    static func run(_ name: String = "run") -> RunRequest {
        RunRequest(name: name, workflowText: "name: test", workflowPath: "/test.yaml", dataset: "/data")
    }

    static let worker = SessionRequest(
        worker: "worker", bootID: UUID(), cores: 4, memoryMiB: 4096, kinds: ["test.kind": 1], commands: [],
        instructionSet: "x86-64-v3", version: "1")

    static func claim(wait: Int = 0, tasks: Int = 1) -> ClaimRequest {
        ClaimRequest(claim: UUID(), freeCores: 4, freeMemoryMiB: 4096, maximumTasks: tasks, waitMilliseconds: wait)
    }

    static func completion(
        _ lease: LeaseGrant, outcome: AttemptOutcome = .succeeded, outputs: [CompletionItem.Output] = []
    ) -> CompletionItem {
        CompletionItem(
            lease: LeaseName(task: lease.task, token: lease.token), outcome: outcome,
            message: outcome == .succeeded ? nil : "It failed.", outputs: outputs, measurements: [], warnings: [],
            usage: AttemptUsage(wallMilliseconds: 5, userMilliseconds: 4, systemMilliseconds: 1, peakResidentMiB: 10),
            logTail: "")
    }
}

/// `TestingSetup` as an argument of a test.
enum TestingKind: String, Sendable, CustomTestStringConvertible {
    case router, live

    var setup: TestingSetup { self == .router ? .router : .live }
    var testDescription: String { rawValue }
}

/// Returns when a claim waits; throws when none comes to, so that a test fails instead of running for ever.
///
/// Entering the queue is nothing a caller can await, so this looks again every millisecond.
func untilWaiting(_ ready: ReadyTasks) async throws {
    struct NobodyWaits: Error {}
    let deadline = ContinuousClock.now + .seconds(120)
    while ready.waiting == 0 {
        guard ContinuousClock.now < deadline else { throw NobodyWaits() }
        try await Task.sleep(for: .milliseconds(1))
    }
}
