import Foundation
import Testing

/// What keeps a run from going on is said, and the same command goes on once it is mended.
@Suite struct RepairTests {
    @Test func theSameCommandGoesOnAfterRepairs() async throws {
        let program = try Program()
        try await program.phantom(subjects: 2)
        let arguments = [
            "run", Program.root + "/workflows/command-example.yaml", program.dataset, "--derivatives", program.recon,
            "--cores", "1", "--memory-mib", "2000",
        ]
        func run(_ more: String...) async throws -> Program.Outcome {
            let process = try program.start(arguments + more, log: "run-\(more.count)")
            _ = try await program.eventually(within: 180) { process.isRunning ? nil : true }
            process.waitUntilExit()
            return Program.Outcome(
                code: process.terminationStatus, output: "",
                errors: try String(contentsOfFile: "\(program.folder)/run-\(more.count).err", encoding: .utf8))
        }

        // Nothing that is ready fits: an end with the reason, not a wait for ever.
        let refused = try await run()
        #expect(refused.code == 1, "\(refused.errors)")
        #expect(refused.errors.contains("allows the program \"prepare\""), "\(refused.errors)")
        #expect(refused.errors.contains("--allow-command"))

        // A sidecar is repaired: the unfinished run would go on with what the old one said.
        let sidecars = try #require(FileManager.default.enumerator(atPath: program.dataset))
            .compactMap { $0 as? String }.filter { $0.hasSuffix("_T1w.json") }.sorted()
        let sidecar = URL(fileURLWithPath: program.dataset + "/" + (try #require(sidecars.first)))
        var fields = try #require(
            try JSONSerialization.jsonObject(with: Data(contentsOf: sidecar)) as? [String: Any])
        fields["StationName"] = "repaired"
        try JSONSerialization.data(withJSONObject: fields).write(to: sidecar)
        let mended = try await run("--allow-command", "prepare=/bin/cp")
        #expect(mended.code == 0, "\(mended.errors)")
        #expect(mended.errors.contains("A file has changed"), "\(mended.errors)")
        #expect(mended.errors.contains("Run 2:"))
        let status = try await program.run("status", "1", "--json")
        #expect(status.output.contains("\"cancelled\""), "\(status.output)")

        // Another program under the same name: its results are its own. The same one: taken over.
        let other = program.folder + "/prepare"
        try Data("#!/bin/sh\nexec cp \"$1\" \"$2\"\n".utf8).write(to: URL(fileURLWithPath: other))
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: other)
        func cached(_ command: String, _ log: String) async throws -> Int {
            let process = try program.start(arguments + ["--allow-command", command, "--json"], log: log)
            _ = try await program.eventually(within: 180) { process.isRunning ? nil : true }
            let data = try Data(contentsOf: URL(fileURLWithPath: "\(program.folder)/\(log).out"))
            let counts = (try JSONSerialization.jsonObject(with: data) as? [String: Any])?["counts"] as? [String: Int]
            return try #require(counts?["cached"])
        }
        #expect(try await cached("prepare=/bin/cp", "same") == 4)
        #expect(try await cached("prepare=\(other)", "other") < 4)

        let retried = try await program.run("retry", "1")
        #expect(retried.code == 0)
        #expect(retried.errors.contains("run the same command again"), "\(retried.errors)")
    }
}
