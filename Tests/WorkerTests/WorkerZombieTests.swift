import CoordinatorClient
import Dispatch
import Foundation
import Testing
import Wire
import Worker
import Workflow

/// What a worker in a process of its own is told, in a variable.
private struct Assignment: Codable, Sendable {
    static let variable = "QSMFLOW_TEST_WORKER"
    static let given = ProcessInfo.processInfo.environment[variable]

    var url: String
    var program: String
    var scratch: String
    var pidFile: String
}

/// Workers that are killed, or stopped past their lease and continued, as real processes.
@Suite struct WorkerZombieTests {
    /// No test of its own: what the tests below start this program again for. Skipped wherever nobody asks for it.
    @Test(.enabled(if: Assignment.given != nil, "the other tests start it, as a process of its own"))
    func workUntilToldToStop() async throws {
        let assignment = try JSONDecoder().decode(Assignment.self, from: Data(try #require(Assignment.given).utf8))
        let drain = Latch()
        signal(SIGTERM, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: SIGTERM)
        source.setEventHandler { drain.set() }
        source.activate()
        try Data("\(getpid())".utf8).write(to: URL(fileURLWithPath: assignment.pidFile), options: .atomic)
        let worker = try WorkerService(
            configuration: WorkerTestSite.configuration(
                name: "mortal", program: assignment.program, scratch: assignment.scratch),
            client: WorkerTestSite.client(assignment.url), logger: WorkerTestSite.quietLogger)
        try await worker.run(drain: drain, force: Latch())
        withExtendedLifetime(source) {}
    }

    private func assignment(_ site: WorkerTestSite, program: String) -> Assignment {
        Assignment(
            url: site.url, program: program, scratch: site.scratch, pidFile: site.folder.path + "/worker.pid")
    }

    /// This program again, as a worker.
    private func process(_ assignment: Assignment, log: String) throws -> AttemptProcess {
        var environment = ProcessInfo.processInfo.environment
        environment[Assignment.variable] = String(decoding: try JSONEncoder().encode(assignment), as: UTF8.self)
        return AttemptProcess(
            AttemptProcess.Request(
                executable: "/proc/self/exe",
                arguments: ["--testing-library", "swift-testing", "--filter", "workUntilToldToStop"],
                environment: environment, workingFolder: "/", logPath: log, memoryLimitBytes: 8 << 30,
                deadline: .now.advanced(by: .seconds(300)), terminationGrace: .seconds(1),
                samplingInterval: .milliseconds(100)))
    }

    private func number(in path: String) -> pid_t? {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
        return pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines))
    }

    @Test func anOldTokenIsRefusedUnderAnySession() async throws {
        try await WorkerTestSite.with(sessionTTL: .seconds(1)) { site in
            let run = try await site.submit([.k(0)])
            // It says nothing for so long that its lease is given to another.
            let zombie = try await site.client.openSession(WorkerTestSite.sessionRequest("zombie")).session
            let old = try #require(try await site.claim(zombie))
            try await site.withSession("other") { other in
                let new = try #require(try await site.claim(other))
                #expect(new.task == old.task)
                #expect(new.token.attempt == old.token.attempt + 1)
                let own = try await site.complete(zombie, old, value: 666)
                #expect(own == .stale)
                let gone = await #expect(throws: APIError.self) {
                    try await site.client.heartbeat(
                        session: zombie, HeartbeatRequest(held: []), timeout: .seconds(10))
                }
                #expect(gone?.code == "session_expired")
                // Also under a session that lives: the token decides, not the session.
                let borrowed = try await site.complete(other, old, value: 666)
                #expect(borrowed == .stale)
                let before = try await site.client.run(run)
                #expect(before.counts.succeeded == 0)

                let good = try await site.complete(other, new, value: 1)
                #expect(good == .accepted)
                let again = try await site.complete(other, new, value: 1)
                #expect(again == .duplicate)
            }
            #expect(try await site.client.run(run).counts.succeeded == 1)
            #expect(try await site.detail(run, 0).attempts.map(\.outcome) == [.lost, .succeeded])
            #expect(try await !site.measurements(run).contains("666"))
            #expect(try await site.client.check() == [])
        }
    }

    @Test func aStoppedWorkerNoticesBeforeItSendsAnything() async throws {
        try await WorkerTestSite.with(sessionTTL: .seconds(2)) { site in
            let run = try await site.submit([.k(0)])
            let folder = site.folder.path
            // The attempt's process goes on while its worker stands still, and leaves a good result.
            let program = try site.script(
                """
                touch '\(folder)/begun'
                while [ ! -e '\(folder)/gate' ]; do sleep 0.01; done
                echo 'of the zombie' > "$2/outputs/out.txt"
                echo '{"outputs":[{"port":"out","file":"out.txt","mediaType":"text/plain"}],"measurements":\
                [{"metric":"size","value":666,"unit":"1"}],"warnings":[]}' > "$2/result.part"
                mv "$2/result.part" "$2/result.json"
                touch '\(folder)/ended'
                """, name: "zombie")
            let assignment = assignment(site, program: program)
            let worker = try process(assignment, log: folder + "/worker.log")
            async let end = worker.run()
            #expect(await eventually { FileManager.default.fileExists(atPath: folder + "/begun") })
            let pid = try #require(number(in: assignment.pidFile))
            kill(pid, SIGSTOP)
            try await site.withSession("other") { other in
                // Given out again only after the zombie's lease has ended.
                let new = try #require(try await site.claim(other))
                _ = try site.folder.write("", to: "gate")
                #expect(await eventually { FileManager.default.fileExists(atPath: folder + "/ended") })
                kill(pid, SIGCONT)
                // It is back with a new session: whatever it was going to send, it has sent.
                let zombies = try await sessions(of: "mortal", at: site)
                #expect(zombies > 0)
                let verdict = try await site.complete(other, new, value: 1)
                #expect(verdict == .accepted)
            }
            kill(pid, SIGTERM)
            #expect(try await end.exitCode == 0)
            #expect(try await site.detail(run, 0).attempts.map(\.outcome) == [.lost, .succeeded])
            #expect(try await !site.measurements(run).contains("666"))
            let output = ArtifactDigest(of: Data("of the zombie\n".utf8))
            #expect(try await site.client.missing([output]) == [output])
            #expect(try await site.client.check() == [])
            #expect(try FileManager.default.contentsOfDirectory(atPath: site.scratch) == ["lock"])
        }
    }

    /// Waits until a worker of this name is at work; its number of sessions.
    private func sessions(of name: String, at site: WorkerTestSite) async throws -> Int {
        let giveUp = ContinuousClock.now.advanced(by: .seconds(60))
        while ContinuousClock.now < giveUp {
            let active = try await site.client.workers().filter { $0.worker == name && $0.state == "active" }
            if !active.isEmpty { return active.count }
            try await Task.sleep(for: .milliseconds(5))
        }
        return 0
    }

    @Test func aKilledWorkerTakesItsAttemptAlongAndAnotherFinishes() async throws {
        try await WorkerTestSite.with(sessionTTL: .seconds(2)) { site in
            let run = try await site.submit([.k(0)])
            let folder = site.folder.path
            let program = try site.script(
                "echo $$ > '\(folder)/attempt.part'; mv '\(folder)/attempt.part' '\(folder)/attempt'; exec sleep 1000",
                name: "killed")
            let assignment = assignment(site, program: program)
            let worker = try process(assignment, log: folder + "/worker.log")
            async let end = worker.run()
            #expect(await eventually { number(in: folder + "/attempt") != nil })
            let attempt = try #require(number(in: folder + "/attempt"))
            kill(try #require(number(in: assignment.pidFile)), SIGKILL)
            #expect(try await end.signal == Int(SIGKILL))
            #expect(await eventually { !isRunning(attempt) })
            #expect(try FileManager.default.contentsOfDirectory(atPath: site.scratch).count == 2)
            try await site.withWorker(name: "heir", child: WorkerTestSite.joiningChild) { _ in
                let state = try await site.settled(run).state
                #expect(state == .succeeded)
                // The dead one's folder is gone; the heir's own is there.
                #expect(try FileManager.default.contentsOfDirectory(atPath: site.scratch).count == 2)
            }
            #expect(try await site.detail(run, 0).attempts.map(\.outcome) == [.lost, .succeeded])
            #expect(try await site.client.check() == [])
        }
    }
}
