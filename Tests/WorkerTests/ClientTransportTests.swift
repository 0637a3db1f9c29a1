import CoordinatorClient
import Foundation
import Synchronization
import Testing
import Wire
import Workflow

/// What the client makes of servers that break, stall or talk nonsense. The real coordinator is used where it can be.
@Suite struct ClientTransportTests {
    private func client(_ url: String, retryFor: Duration = .seconds(20)) throws -> CoordinatorClient {
        var configuration = ClientConfiguration(baseURL: url, token: "secret")
        configuration.retryFor = retryFor
        configuration.backoff = Backoff(base: .milliseconds(1), limit: .milliseconds(5))
        return try CoordinatorClient(configuration, environment: [:])
    }

    private func json(_ text: String) -> Data { Data(text.utf8) }

    @Test func passingConditionsAreTriedAgainOnOneConnection() async throws {
        let server = try ClientTestServer { request in
            request.number < 3
                ? .answer(
                    status: 503, body: Data(#"{"error":{"code":"database_unavailable","message":"no"}}"#.utf8))
                : .answer(status: 200, body: Data(#"{"runs":[]}"#.utf8))
        }
        defer { server.stop() }
        #expect(try await client(server.url).runs().isEmpty)
        #expect(server.requestCount == 4)
        #expect(server.connectionCount == 1)
    }

    @Test func anErrorOfTheCoordinatorIsThrownAsItSaysIt() async throws {
        let server = try ClientTestServer { request in
            .answer(
                status: request.headers["authorization"] == "Bearer secret" ? 404 : 401,
                body: Data(#"{"error":{"code":"not_found","message":"there is no run 7","details":["a"]}}"#.utf8))
        }
        defer { server.stop() }
        let error = await #expect(throws: APIError.self) {
            try await client(server.url).run(RunID(rawValue: 7))
        }
        #expect(error?.code == "not_found")
        #expect(error?.details == ["a"])
        #expect(server.requestCount == 1)
    }

    @Test func anUnreachableCoordinatorIsNamedWithARemedy() async throws {
        let url = "http://127.0.0.1:\(try ClientTestServer.unusedPort())"
        let error = await #expect(throws: ClientError.self) {
            try await client(url, retryFor: .zero).runs()
        }
        #expect(error?.description.contains(url) == true)
        #expect(error?.description.contains("qsmflow coordinator") == true)
        #expect(error?.isTransient == true)
    }

    @Test func aSubmissionThatMayHaveArrivedIsNotRepeated() async throws {
        let server = try ClientTestServer { _ in .close }
        defer { server.stop() }
        let request = RunRequest(workflowText: "", workflowPath: "/w.yaml", dataset: "/d")
        await #expect(throws: ClientError.self) { try await client(server.url).createRun(request) }
        #expect(server.requestCount == 1)
    }

    @Test func aRequestThatMayBeRepeatedSurvivesBrokenConnections() async throws {
        let server = try ClientTestServer { request in
            request.number < 3 ? .close : .answer(status: 200, body: Data(#"{"runs":[]}"#.utf8))
        }
        defer { server.stop() }
        #expect(try await client(server.url).runs().isEmpty)
        #expect(server.requestCount == 4)
    }

    @Test func anAnswerOfAnotherServerIsRecognised() async throws {
        let server = try ClientTestServer { request in
            request.target.hasPrefix("/v1/runs/")
                ? .answer(status: 200, body: Data(#"{"run":"three"}"#.utf8))
                : .answer(status: 404, body: Data("<html>\nnginx</html>".utf8))
        }
        defer { server.stop() }
        let error = await #expect(throws: ClientError.self) { try await client(server.url).runs() }
        guard case .unexpectedAnswer(_, 404, "<html> nginx</html>") = error else {
            Issue.record("unexpected \(String(describing: error))")
            return
        }
        let shape = await #expect(throws: ClientError.self) {
            try await client(server.url).run(RunID(rawValue: 3))
        }
        guard case .undecodable = shape else {
            Issue.record("unexpected \(String(describing: shape))")
            return
        }
    }

    @Test func cancellingEndsAWaitingRequest() async throws {
        let asked = AsyncStream<Void>.makeStream()
        let server = try ClientTestServer { _ in
            asked.continuation.yield()
            return .silence
        }
        defer { server.stop() }
        let client = try client(server.url)
        let waiting = Task { try await client.runs() }
        for await _ in asked.stream { break }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
    }

    @Test(arguments: ["", "ftp://host", "http://", "localhost:8080", "http://a?b", "unix:relative"])
    func addressesThatAreNoneAreRefused(_ text: String) {
        #expect(throws: ClientError.self) { try CoordinatorClient(ClientConfiguration(baseURL: text)) }
    }

    @Test func segmentsAndQueriesAreEscaped() async throws {
        let targets = Mutex<[String]>([])
        let server = try ClientTestServer { request in
            targets.withLock { $0.append(request.target) }
            return .answer(status: 200, body: Data(#"{"tasks":[]}"#.utf8))
        }
        defer { server.stop() }
        try await client(server.url + "/prefix/").revokeToken(name: "größe/a b?")
        _ = try await client(server.url).tasks(
            TaskFilter(run: RunID(rawValue: 2), states: [.failed, .ready], subjects: ["a&b"], limit: 5))
        #expect(
            targets.withLock { $0 } == [
                "/prefix/v1/tokens/gr%C3%B6%C3%9Fe%2Fa%20b%3F",
                "/v1/tasks?run=2&state=failed%2Cready&subject=a%26b&limit=5",
            ])
    }

    // MARK: Artifacts

    /// Bytes that differ everywhere, the same each time.
    private func payload(_ count: Int) -> Data {
        var state: UInt64 = 0x9E37_79B9_7F4A_7C15
        var data = Data(capacity: count)
        while data.count < count {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            withUnsafeBytes(of: state) { data.append(contentsOf: $0) }
        }
        return data.prefix(count)
    }

    private func withFolder<Result>(_ body: (String) async throws -> Result) async throws -> Result {
        let folder = NSTemporaryDirectory() + "client-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }  // a leftover in the temporary folder is harmless
        return try await body(folder)
    }

    @Test(arguments: [true, false]) func aBrokenDownloadResumes(serverKnowsRanges: Bool) async throws {
        let bytes = payload(1_000_003)
        let ranges = Mutex<[String?]>([])
        let server = try ClientTestServer { request in
            let range = request.headers["range"]
            ranges.withLock { $0.append(range) }
            let start = range.flatMap { Int($0.dropFirst("bytes=".count).dropLast()) } ?? 0
            let rest = serverKnowsRanges ? Data(bytes[start...]) : bytes
            let status = serverKnowsRanges && range != nil ? 206 : 200
            return request.number < 2
                ? .cut(status: status, body: rest, prefix: 300_000) : .answer(status: status, body: rest)
        }
        defer { server.stop() }
        try await withFolder { folder in
            let path = folder + "/größe file.bin"
            try await client(server.url).download(ArtifactDigest(of: bytes), to: path)
            #expect(try Data(contentsOf: URL(filePath: path)) == bytes)
        }
        let seen = ranges.withLock { $0 }
        #expect(seen.count == 3)
        #expect(seen[0] == nil)
        #expect(seen[1] == "bytes=300000-")
        #expect(seen[2] == (serverKnowsRanges ? "bytes=600000-" : "bytes=300000-"))
    }

    @Test func damagedBytesAreRefusedAfterASecondTry() async throws {
        let bytes = payload(10_000)
        let server = try ClientTestServer { _ in .answer(status: 200, body: bytes) }
        defer { server.stop() }
        try await withFolder { folder in
            let path = folder + "/x"
            let error = await #expect(throws: ClientError.self) {
                try await client(server.url).download(ArtifactDigest(of: Data("other".utf8)), to: path)
            }
            guard case .digestMismatch = error else {
                Issue.record("unexpected \(String(describing: error))")
                return
            }
            #expect(!FileManager.default.fileExists(atPath: path))
        }
        #expect(server.requestCount == 2)
    }

    @Test func aBrokenUploadResumesWhereTheServerIs() async throws {
        let bytes = payload(9_000_001)
        let received = Mutex(Data())
        // The first PATCH is cut off after some 3 MB; the server keeps what it got.
        let server = try ClientTestServer(bodyLimit: { method, number in
            method == "PATCH" && number == 1 ? 3_000_000 : nil
        }) { request in
            received.withLock { received in
                switch request.method {
                case "HEAD" where received.isEmpty: return .answer(status: 404)
                case "HEAD": return .answer(status: 200, headers: ["Upload-Offset": "\(received.count)"])
                case "PATCH":
                    guard request.headers["upload-offset"] == "\(received.count)" else { return .answer(status: 409) }
                    received.append(request.body)
                    let isComplete = "\(received.count)" == request.headers["upload-length"]
                    return .answer(status: isComplete ? 201 : 204)
                default: return .answer(status: 405)
                }
            }
        }
        defer { server.stop() }
        try await withFolder { folder in
            let path = folder + "/big"
            try bytes.write(to: URL(filePath: path))
            try await client(server.url).upload(
                path, digest: ArtifactDigest(of: bytes), sizeBytes: Int64(bytes.count), mediaType: "x/y")
        }
        #expect(received.withLock { $0 } == bytes)
        #expect(server.requestCount == 4)
    }

    @Test func anUploadThatIsNoLongerWantedStops() async throws {
        let bytes = payload(9_000_000)
        let server = try ClientTestServer { request in
            request.method == "HEAD" ? .answer(status: 404) : .answer(status: 201)
        }
        defer { server.stop() }
        try await withFolder { folder in
            let path = folder + "/big"
            try bytes.write(to: URL(filePath: path))
            let asked = Mutex(0)
            let error = await #expect(throws: ClientError.self) {
                try await client(server.url).upload(
                    path, digest: ArtifactDigest(of: bytes), sizeBytes: Int64(bytes.count), mediaType: "x/y",
                    mayContinue: {
                        asked.withLock {
                            $0 += 1
                            return $0 < 3
                        }
                    })
            }
            guard case .abandoned = error else {
                Issue.record("unexpected \(String(describing: error))")
                return
            }
            #expect(asked.withLock { $0 } == 3)
        }
    }

    @Test func backoffDoublesUpToItsLimit() {
        var backoff = Backoff(base: .milliseconds(50), limit: .seconds(1))
        let waits = (0..<7).map { _ in backoff.next(jitter: 1) }
        #expect(waits == [50, 100, 200, 400, 800, 1000, 1000].map { .milliseconds($0) })
        backoff.reset()
        #expect(backoff.next(jitter: 0.5) == .milliseconds(25))
    }
}
