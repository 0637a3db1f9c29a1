import BIDS
import Foundation
import Testing

/// A training that is killed goes on from its checkpoint, and gives the model that an undisturbed one gives, bit for bit.
@Suite(.serialized) struct NetworkResumptionTests {
    private static let epochs = 12

    /// Weights averaged from the third epoch on depend on every later one: no epoch can be lost unseen.
    private static func workflow(cores: Int, seed: Int = 1) -> Data {
        Data(
            """
            name: train
            version: "1"
            parameters: {seed: \(seed)}
            steps:
              train:
                kind: network.train
                inputs:
                  images: {bids: {suffix: Chimap, space: none, desc: none}}
                  labels: {bids: {suffix: dseg, space: none, desc: nuclei}, optional: true}
                parameters:
                  classes: [{name: left_putamen, labels: [3]}, {name: right_putamen, labels: [4]}]
                  lateral_pairs: [[left_putamen, right_putamen]]
                  widths: [4, 8]
                  patch: [24, 24, 24]
                  samples_per_epoch: 16
                  epochs: \(epochs)
                  averaging_from: 2
                  seed: "${seed}"
                resources: {cores: \(cores), memory: 2GiB}
                missing: any

            """.utf8)
    }

    /// The program, a cohort with labels, and the training as a workflow of this many cores.
    private func program(cores: Int) async throws -> Program {
        let program = try Program()
        try await program.phantom(subjects: 4)
        try Self.workflow(cores: cores).write(to: URL(fileURLWithPath: program.folder + "/train.yaml"))
        return program
    }

    private func arguments(_ program: Program, _ command: String) -> [String] {
        [
            command, program.folder + "/train.yaml", program.dataset, "--derivatives", program.recon, "--derivatives",
            program.labels,
        ]
    }

    private func end(_ program: Program, _ process: Process) async throws {
        _ = try await program.eventually(within: 180) { process.isRunning ? nil : true }
        process.waitUntilExit()
    }

    private func startRun(_ program: Program, _ log: String, cores: Int) throws -> Process {
        try program.start(
            arguments(program, "run") + ["--cores", "\(cores)", "--memory-mib", "3000"], log: log)
    }

    /// Digests of the model and of the table of losses that a run's training made.
    private func made(_ program: Program, run: Int = 1) async throws -> [String] {
        let rows = try await program.run("results", "\(run)", "outputs", "--json")
        let outputs = try #require(try JSONValue.parse(rows.output).arrayValue, "\(rows.errors)")
        return try ["model", "curve"].map { port in
            try #require(outputs.first { $0["port"]?.stringValue == port }?["digest"]?.stringValue, "\(rows.output)")
        }
    }

    /// What an undisturbed training on two cores makes; one for all tests.
    private static let undisturbed = Undisturbed()

    private actor Undisturbed {
        private var task: Task<[String], any Error>?

        func made(_ suite: NetworkResumptionTests) async throws -> [String] {
            if let task { return try await task.value }
            // Unstructured, as several tests wait for the same training.
            let task = Task {
                let program = try await suite.program(cores: 2)
                let process = try suite.startRun(program, "run", cores: 2)
                try await suite.end(program, process)
                #expect(process.terminationStatus == 0)
                let log = try await suite.logs(program, run: 1)
                #expect(log.map(\.epochs) == [Array(1...NetworkResumptionTests.epochs)])
                return try await suite.made(program)
            }
            self.task = task
            return try await task.value
        }
    }

    private struct Attempt {
        var outcome: String
        var log: String
        var message: String

        /// Numbers of the epochs that its log tells of.
        var epochs: [Int] {
            log.split(separator: "\n").filter { $0.hasPrefix("epoch ") }
                .compactMap { Int($0.dropFirst(6).prefix { $0 != "/" }) }
        }

        /// After how many epochs it took a checkpoint up; nil where it began anew.
        var takenUpAfter: Int? {
            guard let found = log.range(of: "goes on from the checkpoint of an earlier attempt, after epoch ") else {
                return nil
            }
            return Int(log[found.upperBound...].prefix { $0 != "/" })
        }
    }

    private func logs(_ program: Program, run: Int) async throws -> [Attempt] {
        let logs = try await program.run("logs", "\(run).0", "--json")
        let detail = try JSONValue.parse(logs.output)
        return try #require(detail["attempts"]?.arrayValue, "\(logs.errors)").map {
            Attempt(
                outcome: $0["outcome"]?.stringValue ?? "", log: $0["logTail"]?.stringValue ?? "",
                message: $0["message"]?.stringValue ?? "")
        }
    }

    /// Checkpoints below a scratch folder.
    private func checkpoints(_ scratch: String) -> [String] {
        (FileManager.default.subpaths(atPath: scratch + "/kept") ?? [])
            .filter { $0.hasSuffix("/checkpoint.safetensors") }.map { scratch + "/kept/" + $0 }
    }

    /// The process of the attempt that runs for this program, and not another.
    private func attempt(_ program: Program) -> pid_t? {
        // Without a list of processes none is found, and the test says so.
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc"))?.compactMap { pid_t($0) }.first { pid in
            // Processes end while one looks.
            guard let line = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") else { return false }
            let words = line.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
            return words.count > 2 && words[1] == "run-task" && words[2].hasPrefix(program.folder + "/")
        }
    }

    /// Waits for a checkpoint of a later state than `earlier`, while an attempt runs; and gives that attempt.
    private func untilACheckpoint(
        _ program: Program, below scratch: String, after earlier: Data? = nil
    ) async throws -> (attempt: pid_t, path: String) {
        try await program.eventually(within: 120) {
            guard let path = checkpoints(scratch).first,
                let bytes = FileManager.default.contents(atPath: path), bytes != earlier,
                let pid = attempt(program)
            else { return nil }
            return (pid, path)
        }
    }

    @Test func killedWithItsProcessAndWithItsWorkerItGoesOn() async throws {
        let program = try await program(cores: 1)
        let coordinator = try await program.startCoordinator(timeout: 3)
        var worker = try program.startWorker("a")
        let submitted = try program.start(arguments(program, "submit"), log: "submit")
        try await end(program, submitted)
        #expect(submitted.terminationStatus == 0)

        // At its second checkpoint, the log tells of the first.
        let begun = try await untilACheckpoint(program, below: program.scratch("a"))
        let first = try await untilACheckpoint(
            program, below: program.scratch("a"), after: try Data(contentsOf: URL(fileURLWithPath: begun.path)))
        // While it holds still, what it has said is seen from outside.
        kill(first.attempt, SIGSTOP)
        let status = try await program.eventually(within: 60) {
            let status = try await program.run("status", "1").output
            return status.contains("epoch ") ? status : nil
        }
        #expect(status.contains("At work") && status.contains(/running \d+ %: epoch \d+\/12, loss \d/), "\(status)")
        let live = try await program.run("logs", "1.0")
        #expect(
            live.output.contains("an attempt is at work on a") && live.output.contains("| epoch "), "\(live.output)")
        kill(first.attempt, SIGKILL)
        // The next attempt gets further, and then the whole worker goes.
        _ = try await program.eventually(within: 60) { attempt(program) == first.attempt ? nil : true }
        let left = try Data(contentsOf: URL(fileURLWithPath: first.path))
        let second = try await untilACheckpoint(program, below: program.scratch("a"), after: left)
        kill(second.attempt, SIGSTOP)
        #expect(second.attempt != first.attempt && second.path == first.path)
        kill(worker.processIdentifier, SIGKILL)
        worker.waitUntilExit()
        worker = try program.startWorker("a")
        #expect(try await program.eventually(within: 180) { try await program.isSettled() })

        let attempts = try await logs(program, run: 1)
        try #require(attempts.map(\.outcome) == ["crashed", "lost", "succeeded"], "\(attempts)")
        // The log of a killed attempt is there to the last line, and in its last words.
        let done = attempts[0].epochs
        #expect(!done.isEmpty && done == Array(1...done.count), "\(attempts[0].log)")
        #expect(attempts[0].message.contains("epoch \(done.count)/\(Self.epochs)"), "\(attempts[0].message)")
        // What the lost one did after the first, the last took up.
        let taken = try #require(attempts[2].takenUpAfter, "\(attempts[2].log)")
        #expect(taken > done.count && taken <= Self.epochs)
        #expect(attempts[2].epochs == Array((taken + 1)..<(Self.epochs + 1)), "\(attempts[2].log)")
        #expect(try await made(program) == Self.undisturbed.made(self))
        #expect(checkpoints(program.scratch("a")).isEmpty, "what is done needs no checkpoint")
        worker.terminate()
        coordinator.terminate()
        coordinator.waitUntilExit()
    }

    @Test func aRunThatWasKilledTakesUpItsOwnCheckpointOnly() async throws {
        let program = try await program(cores: 1)
        let scratch = program.state + "/scratch"
        let workflow = URL(fileURLWithPath: program.folder + "/train.yaml")

        // A training of another seed leaves a checkpoint …
        try Self.workflow(cores: 1, seed: 2).write(to: workflow)
        let other = try startRun(program, "other", cores: 1)
        let foreign = try await untilACheckpoint(program, below: scratch).path
        kill(other.processIdentifier, SIGKILL)
        other.waitUntilExit()
        _ = try await program.eventually(within: 60) { attempt(program) == nil ? true : nil }
        let cancelled = try await program.run("cancel", "1")
        #expect(cancelled.code == 0, "\(cancelled.errors)")
        // … which the training that is wanted does not look at.
        try Self.workflow(cores: 1).write(to: workflow)
        let killed = try startRun(program, "killed", cores: 1)
        let own = try await program.eventually(within: 120) {
            checkpoints(scratch).first { $0 != foreign && attempt(program) != nil }
        }
        kill(killed.processIdentifier, SIGKILL)
        killed.waitUntilExit()
        _ = try await program.eventually(within: 60) { attempt(program) == nil ? true : nil }

        // Its own is damaged, as if half of it had been written, and a writer died over the next.
        let whole = try Data(contentsOf: URL(fileURLWithPath: own))
        try whole.prefix(whole.count / 2).write(to: URL(fileURLWithPath: own))
        try whole.prefix(100).write(to: URL(fileURLWithPath: own + ".writing-1-2"))
        let damaged = try startRun(program, "damaged", cores: 1)
        _ = try await program.eventually(within: 120) {
            let bytes = FileManager.default.contents(atPath: own)
            return attempt(program) != nil && (bytes?.count ?? 0) > whole.count / 2 ? true : nil
        }
        #expect(!FileManager.default.fileExists(atPath: own + ".writing-1-2"))
        kill(try #require(attempt(program)), SIGKILL)
        _ = try await program.eventually(within: 180) { damaged.isRunning ? nil : true }
        damaged.waitUntilExit()
        let said = try String(contentsOfFile: program.folder + "/damaged.err", encoding: .utf8)
        #expect(damaged.terminationStatus == 0, "\(said)")

        let run = try #require(said.firstMatch(of: /Going on with run (\d+)/).flatMap { Int($0.1) }, "\(said)")
        let attempts = try await logs(program, run: run)
        try #require(attempts.map(\.outcome) == ["lost", "crashed", "succeeded"], "\(attempts)")
        #expect(attempts[1].log.contains("the checkpoint of an earlier attempt is not used: "), "\(attempts[1].log)")
        #expect(attempts[1].log.contains("is cut short") && attempts[1].epochs.first == 1)
        let taken = try #require(attempts[2].takenUpAfter, "\(attempts[2].log)")
        #expect(taken >= 1 && attempts[2].epochs == Array((taken + 1)..<(Self.epochs + 1)), "\(attempts[2].log)")
        #expect(try await made(program, run: run) == Self.undisturbed.made(self))
        // That of the other training waits for it.
        #expect(checkpoints(scratch) == [foreign])
    }
}
