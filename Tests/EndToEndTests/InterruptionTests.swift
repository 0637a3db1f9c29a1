import Foundation
import Testing

/// Ctrl-C, `kill` and `kill -9` of a local run: the same command, at once, goes on and ends with everything.
@Suite(.serialized) struct InterruptionTests {
    private func start(_ program: Program, _ log: String) throws -> Process {
        try program.start(
            "run", Program.workflow, program.dataset, "--derivatives", program.recon, "--atlas", program.atlas,
            "--set", "model_terms=[\"age\"]", "--cores", "1", "--memory-mib", "4000", log: log)
    }

    private func untilATaskRuns(_ program: Program, _ process: Process) async throws {
        _ = try await program.eventually(within: 120) { () -> Bool? in
            guard process.isRunning else { return false }
            guard FileManager.default.fileExists(atPath: program.state + "/coordinator.json") else { return nil }
            let status = try await program.run("status", "1", "--json")
            // Not submitted yet, or the command has just ended.
            guard let summary = try? JSONSerialization.jsonObject(with: Data(status.output.utf8)) as? [String: Any],
                let counts = summary["counts"] as? [String: Any], let running = counts["running"] as? Int
            else { return nil }
            return running > 0 ? true : nil
        }
        #expect(process.isRunning, "it ended before a task ran")
    }

    private func end(_ program: Program, _ process: Process) async throws {
        _ = try await program.eventually(within: 120) { process.isRunning ? nil : true }
        process.waitUntilExit()
    }

    private func errors(_ program: Program, _ log: String) throws -> String {
        try String(contentsOfFile: program.folder + "/\(log).err", encoding: .utf8)
    }

    private func hasServer(_ program: Program) -> Bool {
        let search = FileManager.default.enumerator(atPath: program.state + "/postgres")
        while let file = search?.nextObject() as? String {
            if file.hasSuffix("postmaster.pid") { return true }
        }
        return false
    }

    @Test func interruptedAndKilledItGoesOnAtOnce() async throws {
        let program = try Program()
        try await program.phantom(subjects: 4)

        for (signal, code) in [(SIGINT, 130), (SIGTERM, 143)] {
            let log = "signal-\(signal)"
            let process = try start(program, log)
            try await untilATaskRuns(program, process)
            kill(process.processIdentifier, signal)
            try await end(program, process)
            #expect(process.terminationReason == .exit)
            let said = try errors(program, log)
            #expect(process.terminationStatus == code, "\(said)")
            #expect(said.contains("the same command goes on with run 1"))
            #expect(!FileManager.default.fileExists(atPath: program.state + "/coordinator.json"))
            #expect(!hasServer(program), "the private server still runs")
        }

        #expect(try await !outcomes(program).contains("lost"), "told to end, a run hands back what it has")

        let killed = try start(program, "killed")
        try await untilATaskRuns(program, killed)
        kill(killed.processIdentifier, SIGKILL)
        killed.waitUntilExit()
        // What a killed process says of itself, even with the number of one that lives, keeps nobody out.
        let announcement = program.state + "/coordinator.json"
        let stale = try String(contentsOfFile: announcement, encoding: .utf8).replacing(
            "\"pid\":\(killed.processIdentifier)", with: "\"pid\":1")
        try Data(stale.utf8).write(to: URL(fileURLWithPath: announcement))

        let last = try start(program, "last")
        try await end(program, last)
        let said = try errors(program, "last")
        #expect(last.terminationStatus == 0, "\(said)")
        #expect(said.contains("Going on with run 1"))
        let status = try await program.run("status", "1", "--json")
        let summary = try #require(
            try JSONSerialization.jsonObject(with: Data(status.output.utf8)) as? [String: Any], "\(status.errors)")
        let counts = try #require(summary["counts"] as? [String: Any])
        #expect(counts.filter { ($0.value as? Int ?? 0) > 0 }.keys.allSatisfy { ["succeeded", "cached"].contains($0) })
        #expect((counts["succeeded"] as? Int ?? 0) > 20)
        #expect(try await outcomes(program).contains("lost"), "the kill cost an attempt")
    }

    private func outcomes(_ program: Program) async throws -> [String] {
        let outcomes = try await program.run(
            "sql", "-c", "SELECT DISTINCT outcome FROM attempts ORDER BY 1", "--", "--no-align", "--tuples-only")
        #expect(outcomes.code == 0, "\(outcomes.errors)")
        return outcomes.output.split(separator: "\n").map(String.init)
    }
}
