import BIDS
import CoordinatorClient
import Foundation
import Logging
import Synchronization
import Testing
import Wire
import Worker
import Workflow

/// The whole worker against a coordinator that is cut off, forgets, or cancels at chosen moments; a sound coordinator
/// with its database is in `WorkerCoordinatorTests`.
@Suite struct WorkerServiceTests {
    private let folder: WorkerTestFolder

    init() throws { folder = try WorkerTestFolder() }

    /// Answers the worker protocol from memory, as the test tells it.
    private final class Script: Sendable {
        struct State {
            var sessions = 0
            var leases: [LeaseGrant] = []
            var heartbeats: @Sendable (HeartbeatRequest) -> ClientTestServer.Reply = { _ in Script.alive() }
            var verdicts: [CompletionVerdict] = []
            var completions: [CompletionItem] = []
            var released: [LeaseName] = []
            var closed = 0
            var stored: [String: Data] = [:]
            var uploads = 0
        }

        let state = Mutex(State())

        static func alive(cancel: [TaskID] = [], unknown: [TaskID] = []) -> ClientTestServer.Reply {
            json(HeartbeatResponse(ttlMilliseconds: 2_000, cancel: cancel, unknown: unknown, drain: false))
        }

        static func json(_ value: some Encodable, status: Int = 200) -> ClientTestServer.Reply {
            do {
                return .answer(status: status, body: try JSONEncoder().encode(value))
            } catch {
                return .answer(status: 500, body: Data("\(error)".utf8))
            }
        }

        static func gone() -> ClientTestServer.Reply {
            .answer(status: 410, body: Data(#"{"error":{"code":"session_expired","message":"gone"}}"#.utf8))
        }

        func reply(_ request: ClientTestServer.Request) -> ClientTestServer.Reply {
            do {
                return try state.withLock { try Self.reply(request, &$0) }
            } catch {
                return .answer(status: 400, body: Data("\(error)".utf8))
            }
        }

        private static func reply(
            _ request: ClientTestServer.Request, _ state: inout State
        ) throws -> ClientTestServer.Reply {
            let decoder = JSONDecoder()
            let steps = request.target.split(separator: "/").map(String.init)
            switch (request.method, steps.dropFirst().first, steps.last) {
            case ("POST", "sessions", "sessions"):
                state.sessions += 1
                return json(
                    SessionGrant(session: UUID(), ttlMilliseconds: 2_000, heartbeatMilliseconds: 50), status: 201)
            case ("DELETE", "sessions", _):
                state.closed += 1
                return .answer(status: 204)
            case (_, "sessions", "claim"):
                if state.leases.isEmpty {
                    // As a long poll that ends soon, so that the test sees what follows.
                    usleep(5000)
                    return json(ClaimResponse(leases: []))
                }
                return json(ClaimResponse(leases: [state.leases.removeFirst()]))
            case (_, "sessions", "heartbeat"):
                return state.heartbeats(try decoder.decode(HeartbeatRequest.self, from: request.body))
            case (_, "sessions", "complete"):
                let items = try decoder.decode(CompletionRequest.self, from: request.body).items
                state.completions += items
                return json(
                    CompletionResponse(
                        items: items.map {
                            CompletionResponse.Item(
                                task: $0.lease.task,
                                verdict: state.verdicts.isEmpty ? .accepted : state.verdicts.removeFirst())
                        }))
            case (_, "sessions", "release"):
                state.released += try decoder.decode(ReleaseRequest.self, from: request.body).leases
                return .answer(status: 200, body: Data("{}".utf8))
            case (_, "artifacts", "missing"):
                let digests = try decoder.decode(ArtifactList.self, from: request.body).digests
                return json(ArtifactList(digests: digests.filter { state.stored[$0.hex] == nil }))
            case ("PUT", "artifacts", let hex?):
                state.uploads += 1
                state.stored[hex] = request.body
                return .answer(status: 201)
            case ("GET", "artifacts", let hex?):
                guard let data = state.stored[hex] else { return .answer(status: 404) }
                return .answer(status: 200, body: data)
            default: return .answer(status: 405)
            }
        }
    }

    /// Starts a worker, runs the body, asks the worker to leave, and waits for it.
    private func withWorker(
        _ script: Script, child: String, drainGrace: Duration = .seconds(30),
        _ body: (_ drain: Latch) async throws -> Void
    ) async throws {
        let server = try ClientTestServer { script.reply($0) }
        defer { server.stop() }
        let program = try folder.write("#!/bin/sh\n" + child, to: "child.sh", executable: true)
        var configuration = WorkerConfiguration(
            name: "tester", cores: 2, memoryMiB: 2048, kinds: ["k": 1], instructionSet: "none", version: "0",
            attemptExecutable: program, environment: ["PATH": "/usr/bin:/bin"], scratchFolder: folder.path + "/scratch")
        configuration.drainGrace = drainGrace
        configuration.terminationGrace = .milliseconds(100)
        configuration.listensForSecondSignal = false
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let worker = try WorkerService(
            configuration: configuration,
            client: CoordinatorClient(ClientConfiguration(baseURL: server.url), environment: [:]), logger: logger)
        let drain = Latch()
        let running = Task { try await worker.run(drain: drain, force: Latch()) }
        let outcome: Result<Void, any Error>
        do {
            try await body(drain)
            outcome = .success(())
        } catch {
            outcome = .failure(error)
        }
        drain.set()
        try await running.value
        try outcome.get()
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path + "/scratch") == ["lock"])
    }

    private func lease(_ ordinal: Int = 0, inputs: [TaskInput] = []) -> LeaseGrant {
        LeaseGrant(
            task: TaskID(run: RunID(rawValue: 1), ordinal: ordinal), token: FencingToken(attempt: 1, nonce: UUID()),
            step: "s", kind: "k", kindVersion: 1, context: TaskContext(subject: "01"),
            parameters: .object(["p": .integer(3)]), inputs: inputs, missing: [],
            resources: TaskResources(cores: 1, memoryMiB: 256), timeLimitMilliseconds: 600_000)
    }

    /// Writes an output and a result that names it.
    private let goodChild = """
        cat "$2/inputs/0/"* > "$2/outputs/copy.txt"
        echo hello
        printf '{"outputs":[{"port":"copy","file":"copy.txt","mediaType":"text/plain"}],"measurements":\
        [{"metric":"mean","value":1.5,"unit":"ppm"}],"warnings":["careful"]}' > "$2/result.part"
        mv "$2/result.part" "$2/result.json"
        """

    private func pid() -> pid_t? {
        (try? String(contentsOfFile: folder.path + "/pid", encoding: .utf8)).flatMap {
            pid_t($0.trimmingCharacters(in: .whitespacesAndNewlines))
        }
    }

    private var sleepingChild: String {
        "echo $$ > '\(folder.path)/pid.part'; mv '\(folder.path)/pid.part' '\(folder.path)/pid'; exec sleep 1000"
    }

    @Test func anAttemptIsStagedRunPublishedAndCompleted() async throws {
        let script = Script()
        let bytes = Data("voxels".utf8)
        let digest = ArtifactDigest(of: bytes)
        let lease = lease(
            inputs: [
                TaskInput(
                    port: "image", context: .cohort, name: "größe 1.nii", digest: digest, sizeBytes: 6)
            ])
        script.state.withLock {
            $0.stored[digest.hex] = bytes
            $0.leases = [lease]
        }
        try await withWorker(script, child: goodChild) { _ in
            #expect(await eventually { script.state.withLock { !$0.completions.isEmpty } })
        }
        let item = try #require(script.state.withLock { $0.completions.first })
        #expect(item.lease == lease.name)
        #expect(item.outcome == .succeeded)
        #expect(item.outputs.map(\.port) == ["copy"])
        #expect(item.outputs.first?.digest == digest)
        #expect(item.measurements.first?.value == 1.5)
        #expect(item.warnings == ["careful"])
        #expect(item.logTail == "hello\n")
        #expect(item.usage.stagedBytes == 6)
        // The store has these bytes already: they are not sent.
        #expect(script.state.withLock { $0.uploads } == 0)
        #expect(script.state.withLock { $0.closed } == 1)
    }

    @Test func anArtifactThatTheStoreLostIsSentAgain() async throws {
        let script = Script()
        let bytes = Data("voxels".utf8)
        let digest = ArtifactDigest(of: bytes)
        let source = try folder.write("voxels", to: "source.nii")
        let input = TaskInput(
            port: "image", context: .cohort, name: "a.nii", digest: digest, sizeBytes: 6, sourcePath: source)
        script.state.withLock {
            $0.leases = [lease(inputs: [input])]
            $0.verdicts = [.missingArtifact]
        }
        try await withWorker(script, child: goodChild) { _ in
            #expect(await eventually { script.state.withLock { $0.completions.count == 2 } })
        }
        #expect(script.state.withLock { $0.completions.map(\.outcome) } == [.succeeded, .succeeded])
        #expect(script.state.withLock { $0.stored[digest.hex] } == bytes)
    }

    @Test func aWorkerCutOffStopsItsAttemptByItselfAndSendsNothing() async throws {
        let script = Script()
        script.state.withLock { $0.leases = [lease()] }
        try await withWorker(script, child: sleepingChild) { _ in
            #expect(await eventually { pid() != nil })
            let child = try #require(pid())
            #expect(isRunning(child))
            script.state.withLock { $0.heartbeats = { _ in .close } }
            #expect(await eventually { !isRunning(child) })
            // It comes back with a new session.
            #expect(await eventually { script.state.withLock { $0.sessions >= 2 } })
            script.state.withLock { $0.heartbeats = { _ in Script.alive() } }
        }
        #expect(script.state.withLock { $0.completions.isEmpty })
        #expect(script.state.withLock { $0.uploads } == 0)
    }

    @Test func anExpiredSessionEndsItsAttemptsAndIsReplaced() async throws {
        let script = Script()
        script.state.withLock { $0.leases = [lease()] }
        try await withWorker(script, child: sleepingChild) { _ in
            #expect(await eventually { pid() != nil })
            let child = try #require(pid())
            script.state.withLock { $0.heartbeats = { $0.held.isEmpty ? Script.alive() : Script.gone() } }
            #expect(await eventually { !isRunning(child) })
            #expect(await eventually { script.state.withLock { $0.sessions } == 2 })
        }
        #expect(script.state.withLock { $0.completions.isEmpty })
        #expect(script.state.withLock { $0.released.isEmpty })
    }

    @Test(arguments: [true, false]) func anAttemptThatIsNotWantedIsStopped(cancelledByOperator: Bool) async throws {
        let script = Script()
        let lease = lease()
        script.state.withLock { $0.leases = [lease] }
        try await withWorker(script, child: sleepingChild) { _ in
            #expect(await eventually { pid() != nil })
            let child = try #require(pid())
            script.state.withLock { state in
                state.heartbeats = { request in
                    guard !request.held.isEmpty else { return Script.alive() }
                    return cancelledByOperator
                        ? Script.alive(cancel: [lease.task]) : Script.alive(unknown: [lease.task])
                }
            }
            #expect(await eventually { !isRunning(child) })
        }
        // An operator's cancellation is recorded; of a lease that is not ours nothing is said.
        let outcomes = script.state.withLock { $0.completions.map(\.outcome) }
        #expect(outcomes == (cancelledByOperator ? [.cancelled] : []))
        #expect(script.state.withLock { $0.sessions } == 1)
    }

    @Test func aDrainingWorkerFinishesWhatItHas() async throws {
        let script = Script()
        script.state.withLock { $0.leases = [lease()] }
        let gate = folder.path + "/gate"
        let child = """
            echo $$ > '\(folder.path)/pid'
            while [ ! -e '\(gate)' ]; do sleep 0.01; done
            echo '{"outputs":[],"measurements":[],"warnings":[]}' > "$2/result.json"
            """
        try await withWorker(script, child: child) { drain in
            #expect(await eventually { pid() != nil })
            drain.set()
            // No more is claimed, what is there goes on.
            #expect(await eventually { script.state.withLock { $0.leases.isEmpty } })
            script.state.withLock { $0.leases = [lease(1)] }
            _ = try folder.write("", to: "gate")
        }
        #expect(script.state.withLock { $0.completions.map(\.outcome) } == [.succeeded])
        #expect(script.state.withLock { $0.closed } == 1)
        // A claim that was under way when draining began may bring a lease: it is handed back, never run.
        #expect(script.state.withLock { $0.leases.count + $0.released.count } == 1)
    }

    @Test func whatADrainingWorkerCannotFinishIsHandedBack() async throws {
        let script = Script()
        let lease = lease()
        script.state.withLock { $0.leases = [lease] }
        try await withWorker(script, child: sleepingChild, drainGrace: .milliseconds(50)) { drain in
            #expect(await eventually { pid() != nil })
            drain.set()
            let child = try #require(pid())
            #expect(await eventually { !isRunning(child) })
        }
        #expect(script.state.withLock { $0.released } == [lease.name])
        #expect(script.state.withLock { $0.completions.isEmpty })
        #expect(script.state.withLock { $0.closed } == 1)
    }

    @Test func aFailureToStartIsTold() async throws {
        let script = Script()
        script.state.withLock { $0.leases = [lease()] }
        // The interpreter is missing, which only the attempt finds out.
        let program = folder.path + "/child.sh"
        try await withWorker(script, child: "exit 0") { _ in
            #expect(await eventually { script.state.withLock { $0.completions.count == 1 } })
            try FileManager.default.removeItem(atPath: program)
            script.state.withLock { $0.leases = [lease(1)] }
            #expect(await eventually { script.state.withLock { $0.completions.count == 2 } })
        }
        let items = script.state.withLock { $0.completions }
        try #require(items.map(\.outcome) == [.permanent, .transient])
        #expect(items[1].message?.contains(program) == true)
    }

    @Test func aConfigurationThatCannotWorkIsRefused() throws {
        var configuration = WorkerConfiguration(
            name: "x", cores: 0, memoryMiB: 1000, kinds: [:], instructionSet: "", version: "",
            attemptExecutable: "/bin/sh", scratchFolder: folder.path)
        #expect(throws: WorkerError.self) { try configuration.validate() }
        configuration.cores = 1
        try configuration.validate()
        configuration.allowedCommands = ["ants": "bin/ants"]
        let error = #expect(throws: WorkerError.self) { try configuration.validate() }
        #expect(error?.description.contains("“ants”") == true)
        configuration.allowedCommands = [:]
        configuration.attemptExecutable = "/no/such"
        #expect(throws: WorkerError.self) { try configuration.validate() }
    }
}
