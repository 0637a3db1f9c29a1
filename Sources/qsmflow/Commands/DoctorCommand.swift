import ArgumentParser
import CoordinatorClient
import Foundation
import Wire

struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Check that this machine can run qsmflow; each line says what to do.",
        discussion: "Exit code 1 when something must be repaired, 0 when all is well or only worth a look.")

    @Option(name: .long, parsing: .upToNextOption, help: "NAME=PATH of a program that a worker here is to allow.")
    var allowCommand: [String] = []
    @OptionGroup var output: JSONOption
    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        var findings = MachineChecks.libraries() + MachineChecks.resources()
        findings += MachineChecks.stateFolder(connection.stateFolder)
        findings += await DatabaseChecks(connection: connection).findings()
        findings += await coordinator()
        findings += MachineChecks.commands(allowCommand)
        if try output.printed(findings) == false {
            for finding in findings {
                let colour: Console.Colour =
                    switch finding.verdict {
                    case .ok: .green
                    case .warn: .yellow
                    case .fail: .red
                    }
                let mark = finding.verdict.rawValue + String(repeating: " ", count: 5 - finding.verdict.rawValue.count)
                Console.print(Console.coloured(mark, colour) + "\(finding.what): \(finding.sentence)")
            }
        }
        if findings.contains(where: { $0.verdict == .fail }) { throw CommandFailure.silent(ExitStatus.failed) }
    }

    private func coordinator() async -> [Finding] {
        let what = "coordinator"
        let running = connection.stateFolder.announced()
        guard let url = connection.coordinator ?? ConnectionOptions.variable("QSMFLOW_COORDINATOR") ?? running?.url
        else {
            return [Finding(.ok, what, "none is at work here; commands start their own for the time being")]
        }
        do {
            let token = try running.flatMap { $0.url == url ? $0.token : nil } ?? connection.token()
            var configuration = ClientConfiguration(baseURL: url, token: token)
            configuration.retryFor = .seconds(2)
            let client = try CoordinatorClient(configuration)
            try await client.ready(patience: .seconds(2))
            var findings = [Finding(.ok, what, "\(url) answers, and its database too")]
            if configuration.sendsTokenInClear {
                findings.append(
                    Finding(
                        .warn, what,
                        "the token crosses the network in the clear; put a proxy with TLS before it and use https"))
            }
            let workers = try await client.workers()
            findings.append(
                workers.isEmpty
                    ? Finding(.warn, "workers", "none is there; start one with `qsmflow worker`")
                    : Finding(.ok, "workers", "\(workers.count), \(workers.reduce(0) { $0 + $1.cores }) cores"))
            return findings
        } catch {
            return [Finding(.fail, what, "\(url): \(error)")]
        }
    }
}

/// One thing looked at.
struct Finding: Encodable, Sendable {
    enum Verdict: String, Encodable, Sendable { case ok, warn, fail }

    var verdict: Verdict
    var what: String
    /// What was found and, unless all is well, what to do.
    var sentence: String

    init(_ verdict: Verdict, _ what: String, _ sentence: String) {
        (self.verdict, self.what, self.sentence) = (verdict, what, sentence)
    }
}
