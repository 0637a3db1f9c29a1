import Foundation
import Testing

/// Kills and stops at chosen moments: the run ends, and its numbers are those of a quiet run.
@Suite(.serialized) struct FaultTests {
    private func submitArguments(_ program: Program) -> [String] {
        [
            "submit", Program.workflow, program.dataset, "--derivatives", program.recon, "--atlas", program.atlas,
            "--set", "model_terms=[\"age\"]",
        ]
    }

    private func postmaster(_ program: Program) throws -> pid_t? {
        let search = FileManager.default.enumerator(atPath: program.state + "/postgres")
        while let file = search?.nextObject() as? String {
            guard file.hasSuffix("postmaster.pid") else { continue }
            let text = try String(contentsOfFile: program.state + "/postgres/" + file, encoding: .utf8)
            return text.split(separator: "\n").first.flatMap { pid_t($0) }
        }
        return nil
    }

    /// One seed per repeat. A soak asks for more of them: QSMFLOW_FAULT_REPEATS=10.
    private static let seeds: ClosedRange<Int> = {
        let asked = ProcessInfo.processInfo.environment["QSMFLOW_FAULT_REPEATS"].flatMap { Int($0) } ?? 2
        return 1...max(1, asked)
    }()

    /// Number of tasks that a worker holds now; nil while the coordinator cannot be asked.
    private func held(_ program: Program) async throws -> Int? {
        let status = try await program.run("status", "1", "--json")
        guard let summary = try? JSONSerialization.jsonObject(with: Data(status.output.utf8)) as? [String: Any],
            let counts = summary["counts"] as? [String: Any]
        else { return nil }
        return counts["running"] as? Int
    }

    @Test(arguments: seeds) func killedAnywhereItEndsWithTheSameNumbers(seed: Int) async throws {
        // A quiet run of the same cohort in another state folder gives the digest to reach.
        let program = try Program()
        try await program.phantom(subjects: 4)
        let quiet = try await program.run(
            "run", Program.workflow, program.dataset, "--derivatives", program.recon, "--atlas", program.atlas, "--set",
            "model_terms=[\"age\"]", environment: ["QSMFLOW_STATE": program.folder + "/quiet"])
        #expect(quiet.code == 0, "\(quiet.errors)")
        let wanted = try await program.run(
            "results", "1", "--digest", environment: ["QSMFLOW_STATE": program.folder + "/quiet"]
        ).output

        var coordinator = try await program.startCoordinator(timeout: 3)
        var workers = [try program.startWorker("a"), try program.startWorker("b")]
        let arguments = submitArguments(program)
        let submitted = try await program.run(
            arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5], arguments[6],
            arguments[7], arguments[8])
        #expect(submitted.code == 0, "\(submitted.errors)")

        var random = SystemLikeGenerator(seed: UInt64(seed))
        for round in 0..<3 {
            try await Task.sleep(for: .milliseconds(Int(random.next() % 900) + 200))  // a random moment is the point
            switch round {
            case 0:
                // Mid-task: both workers are busy, so whichever is killed loses something.
                _ = try await program.eventually(within: 60) { try await held(program) == 2 ? true : nil }
                kill(workers[0].processIdentifier, SIGKILL)
                workers[0].waitUntilExit()
                workers[0] = try program.startWorker("a")
            case 1:
                kill(coordinator.processIdentifier, SIGKILL)
                coordinator.waitUntilExit()
                coordinator = try await program.startCoordinator(timeout: 3)
                // Its port is new, so its workers are too; a fixed port would let them go on.
                for worker in workers { worker.terminate() }
                workers = [try program.startWorker("a"), try program.startWorker("b")]
            default:
                if let pid = try postmaster(program) { kill(pid, SIGKILL) }
            }
        }
        _ = try await program.eventually(within: 180) { try await program.isSettled() }
        let digest = try await program.run("results", "1", "--digest")
        #expect(digest.output == wanted, "\(digest.errors)")
        let lost = try await program.run(
            "sql", "-c", "SELECT count(*) FROM attempts WHERE outcome = 'lost'", "--", "--no-align", "--tuples-only")
        #expect(Int(lost.output.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0 > 0, "no kill cost an attempt")
        let check = try await program.run("fsck")
        #expect(check.code == 0, "\(check.output)\(check.errors)")
        for worker in workers { worker.terminate() }
        coordinator.terminate()
        coordinator.waitUntilExit()
    }
}

/// SplitMix64 (Steele, Lea and Flood 2014): the moments of a test are a number anybody can replay.
private struct SystemLikeGenerator {
    var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
