import Foundation
import Testing

extension Program {
    /// Runs a workflow of the project to its end, and expects that nothing fails.
    /// - Parameters:
    ///   - options: of `run`, before the settings.
    ///   - settings: `name=value`, of the workflow or of a step.
    ///   - log: name of the files that keep what was said.
    func run(
        workflow: String, on dataset: String, derivatives: [String], options: [String] = [], settings: [String],
        log: String
    ) async throws {
        let process = try start(
            ["run", "\(Self.root)/workflows/\(workflow).yaml", dataset]
                + derivatives.flatMap { ["--derivatives", $0] } + ["--cores", "2", "--memory-mib", "9000"] + options
                + settings.flatMap { ["--set", $0] }, log: log)
        _ = try await eventually(within: 600) { process.isRunning ? nil : true }
        process.waitUntilExit()
        let said = try String(contentsOfFile: "\(folder)/\(log).err", encoding: .utf8)
        #expect(process.terminationStatus == 0, "\(said)")
    }

    /// Takes away what an expert drew of somebody: `sub-007` gets no `desc-lesionclass_dseg`.
    static func removeLabels(_ description: String, of person: String, from labels: String) throws {
        for ending in ["nii.gz", "json"] {
            try FileManager.default.removeItem(
                atPath: "\(labels)/\(person)/anat/\(person)_desc-\(description)_dseg.\(ending)")
        }
    }

    /// What a query finds, as texts.
    func rows(_ query: String) async throws -> [[String]] {
        let answer = try await run("sql", "-c", query, "--", "-At")
        #expect(answer.code == 0, "\(answer.errors)")
        return answer.output.split(separator: "\n").map {
            $0.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
        }
    }
}
