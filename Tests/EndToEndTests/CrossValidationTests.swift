import BIDS
import Foundation
import Testing

/// A cross-validation on real workers: killed and broken in between it gives what an undisturbed one gives, bit for bit.
@Suite(.serialized) struct CrossValidationTests {
    private static let workflow = """
        name: validated
        version: "1"
        parameters: {train: true, models: []}
        folds:
          count: each-person
          among: {suffix: dseg, space: none, desc: nuclei}
        steps:
          train:
            kind: network.train
            when: "${train}"
            each: fold
            people: training
            inputs:
              images: {bids: {suffix: Chimap, space: none, desc: none}}
              labels: {bids: {suffix: dseg, space: none, desc: nuclei}}
            parameters:
              classes: [{name: left_putamen, labels: [3]}, {name: right_putamen, labels: [4]}]
              lateral_pairs: [[left_putamen, right_putamen]]
              widths: [4, 8]
              patch: [24, 24, 24]
              samples_per_epoch: 16
              epochs: 6
              validation: 0
            resources: {cores: 1, memory: 2GiB}
          copy:
            kind: command
            scope: cohort
            when: "${train}"
            each: fold
            inputs: {curve: {step: train.curve}}
            parameters:
              program: copy
              arguments: ["{inputs.curve}", "{outputs.table}"]
              outputs: {table: curve.tsv}
            retries: 0
          segment:
            kind: network.segment
            inputs:
              image: {bids: {suffix: Chimap, space: none, desc: none}}
              model: [{step: train.model}, {model: "${models}"}]
            resources: {cores: 1, memory: 2GiB}
          regions:
            kind: roi.statistics
            inputs:
              chimap: {bids: {suffix: Chimap, space: none, desc: none}}
              labels: {step: segment.labels}
              table: {step: segment.table}
          agreement:
            kind: evaluate.segmentation
            when: "${train}"
            people: folds
            inputs:
              prediction: {step: segment.labels}
              prediction_table: {step: segment.table}
              reference: {bids: {suffix: dseg, space: none, desc: nuclei}}
              reference_table: {bids: {suffix: dseg, desc: nuclei, extension: .tsv}}
            parameters: {only_shared: true}
          summary:
            kind: evaluate.summary
            when: "${train}"
            people: folds
            inputs: {tables: {step: agreement.table}, folds: {folds: assignment}}
          sum:
            kind: command
            scope: cohort
            when: "${train}"
            inputs: {folds: {folds: assignment}, tables: {step: copy.table, gather: true}}
            parameters:
              program: copy
              arguments: ["{inputs.folds}", "{outputs.folds}"]
              outputs: {folds: folds.json}

        """

    /// Fails the first time that it is asked, and copies from then on.
    private static let script = """
        #!/bin/sh
        mkdir "$0.has-failed" 2>/dev/null && { echo "broken on purpose" >&2; exit 3; }
        exec cp "$1" "$2"

        """

    private func program() async throws -> Program {
        let program = try Program()
        try await program.phantom(subjects: 4)
        // Somebody has no labels, and is in no fold.
        try Program.removeLabels("nuclei", of: "sub-004", from: program.labels)
        try Data(Self.workflow.utf8).write(to: URL(fileURLWithPath: program.folder + "/validated.yaml"))
        try Data(Self.script.utf8).write(to: URL(fileURLWithPath: program.folder + "/flaky"))
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o755], ofItemAtPath: program.folder + "/flaky")
        return program
    }

    private func submit(_ program: Program, _ options: String...) async throws {
        let process = try program.start(
            [
                "submit", program.folder + "/validated.yaml", program.dataset, "--derivatives", program.recon,
                "--derivatives", program.labels,
            ] + options, log: "submit-\(UUID().uuidString)")
        _ = try await program.eventually(within: 180) { process.isRunning ? nil : true }
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
    }

    private func list(_ program: Program, _ run: Int) async throws -> [JSONValue] {
        let answer = try await program.run("tasks", "\(run)", "--json")
        return try #require(try JSONValue.parse(answer.output).arrayValue, "\(answer.errors)")
    }

    /// Every file that a run made, by what it is of, and one digest over all its numbers.
    private func made(_ program: Program, state: String? = nil) async throws -> [String] {
        let environment = state.map { ["QSMFLOW_STATE": $0] } ?? [:]
        let answer = try await program.run("results", "1", "outputs", "--json", environment: environment)
        let rows = try #require(try JSONValue.parse(answer.output).arrayValue, "\(answer.errors)")
        let numbers = try await program.run("results", "1", "--digest", environment: environment)
        return rows.map { row in
            ["step", "subject", "fold", "port", "digest"].map { row[$0]?.stringValue ?? row[$0]?.canonicalString ?? "" }
                .joined(separator: " ")
        }.sorted() + [numbers.output]
    }

    @Test func killedAndBrokenItGivesTheSameResults() async throws {
        let program = try await program()
        let quiet = program.folder + "/quiet"
        let undisturbed = try program.start(
            [
                "run", program.folder + "/validated.yaml", program.dataset, "--derivatives", program.recon,
                "--derivatives", program.labels, "--cores", "2", "--memory-mib", "6000", "--allow-command",
                "copy=/bin/cp",
            ], log: "quiet", environment: ["QSMFLOW_STATE": quiet])
        _ = try await program.eventually(within: 300) { undisturbed.isRunning ? nil : true }
        undisturbed.waitUntilExit()
        let said = try String(contentsOfFile: program.folder + "/quiet.out", encoding: .utf8)
        #expect(
            undisturbed.terminationStatus == 0 && said.contains("qsmflow models name-folds 1 NAME")
                && said.contains("--set train=false models=NAME"), "\(said)")
        let wanted = try await made(program, state: quiet)
        // 3 × (model, curve, split), 3 copies, 4 × (labels, table, table), 3 judged, what they sum up to, the assignment, and
        // one digest over all numbers, Dice among them.
        let files = Dictionary(grouping: wanted.dropLast()) { String($0.prefix { $0 != " " }) }.mapValues(\.count)
        #expect(
            files.filter { $0.key != "summary" } == [
                "train": 9, "copy": 3, "segment": 8, "regions": 4, "agreement": 3, "sum": 1,
            ], "\(wanted)")
        #expect(files["summary"] ?? 0 > 0)

        let coordinator = try await program.startCoordinator(timeout: 3)
        let options = ["--allow-command", "copy=" + program.folder + "/flaky"]
        var first = try program.startWorker("a", options: options)
        let second = try program.startWorker("b", options: options)
        try await submit(program)
        // In the middle of a training: its worker goes, with all that it has begun.
        _ = try await program.eventually(within: 120) {
            let training = try await list(program, 1).first {
                $0["step"] == "train" && $0["running"] == true && $0["worker"] == "a"
                    && $0["lastLine"]?.stringValue?.hasPrefix("epoch ") == true
            }
            return training == nil ? nil : true
        }
        kill(first.processIdentifier, SIGKILL)
        first.waitUntilExit()
        first = try program.startWorker("a", options: options)
        #expect(try await program.eventually(within: 240) { try await program.isSettled() })

        // One fold of the command failed, and nothing else but what waits for it.
        let before = try await list(program, 1)
        let failed = before.filter { $0["state"] == "failed" }
        try #require(failed.count == 1 && failed[0]["step"] == "copy", "\(failed)")
        let fold = try #require(failed[0]["context"]?["fold"]?.integerValue)
        #expect(before.filter { $0["state"] == "blocked" }.compactMap { $0["step"]?.stringValue } == ["sum"])
        let status = try await program.run("status", "1")
        #expect(status.output.contains("copy  fold-\(fold): "), "\(status.output)")
        let retried = try await program.run("retry", "1", "--step", "copy", "--fold", "\(fold)")
        #expect(retried.output.contains("1 task of run 1 is back to work."), "\(retried.output)\(retried.errors)")
        #expect(try await program.eventually(within: 120) { try await program.isSettled() })
        let after = try await list(program, 1)
        #expect(after.allSatisfy { $0["state"] == "succeeded" })
        for (old, new) in zip(before, after) {
            let more = new["attempts"]!.integerValue! - old["attempts"]!.integerValue!
            #expect(more == (old["state"] == "succeeded" ? 0 : 1), "\(new)")
        }
        #expect(try await made(program) == wanted)
        let lost = try await program.run(
            "sql", "-c",
            "select count(*) filter (where outcome = 'lost'), count(distinct worker) from attempts "
                + "where step = 'train'", "--", "-At")
        let counts = lost.output.trimmingCharacters(in: .whitespacesAndNewlines).split(separator: "|").compactMap {
            Int($0)
        }
        #expect(counts.count == 2 && counts[0] > 0 && counts[1] == 2, "\(lost.output)\(lost.errors)")

        try await isAppliedByName(program)
        let check = try await program.run("fsck")
        #expect(check.code == 0, "\(check.output)\(check.errors)")
        for process in [first, second, coordinator] {
            process.terminate()
            process.waitUntilExit()
        }
    }

    /// The same file without training: everybody is segmented by the models of all folds.
    private func isAppliedByName(_ program: Program) async throws {
        let named = try await program.run("models", "name-folds", "1", "putamen")
        #expect(named.code == 0 && named.output.contains("putamen stands for all 3."), "\(named.errors)")
        try await submit(program, "--set", "train=false", "--set", "models=putamen")
        #expect(try await program.eventually(within: 120) { try await program.isSettled(run: 2) })
        let tasks = try await list(program, 2)
        #expect(tasks.count == 8 && tasks.allSatisfy { $0["state"] == "succeeded" }, "\(tasks)")
        // Whoever was in no fold was segmented by all of them before.
        let cached = tasks.filter { $0["outcome"] == "cached" }.compactMap { $0["context"]?["subject"]?.stringValue }
        #expect(cached == ["004", "004"])
        let inputs = try await program.run(
            "sql", "-c", "select count(*) from inputs where run = 2 and step = 'segment' and port = 'model'", "--",
            "-At")
        #expect(inputs.output.trimmingCharacters(in: .whitespacesAndNewlines) == "12")
    }
}
