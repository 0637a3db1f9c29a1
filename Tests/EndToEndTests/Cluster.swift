import Foundation
import Testing

/// A coordinator and workers, as on a cluster, on the state folder of the test.
extension Program {
    /// - Parameter timeout: seconds after which a worker that is not heard of has lost its tasks.
    func startCoordinator(timeout: Int) async throws -> Process {
        let process = try start(
            "coordinator", "--listen", "127.0.0.1:0", "--worker-timeout", "\(timeout)",
            log: "coordinator-\(UUID().uuidString)")
        _ = try await eventually(within: 60) { () -> Bool? in
            // Not there yet.
            guard let text = try? String(contentsOfFile: state + "/coordinator.json", encoding: .utf8),
                text.contains("\"pid\":\(process.processIdentifier)")
            else { return process.isRunning ? nil : false }
            return true
        }
        return process
    }

    private func connection() throws -> [String: String] {
        let data = try Data(contentsOf: URL(fileURLWithPath: state + "/coordinator.json"))
        let json = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        return [
            "QSMFLOW_COORDINATOR": try #require(json["url"] as? String),
            "QSMFLOW_TOKEN": try #require(json["token"] as? String),
        ]
    }

    /// Where the worker of this name has its attempts.
    func scratch(_ worker: String) -> String { folder + "/scratch-" + worker }

    func startWorker(_ name: String, options: [String] = []) throws -> Process {
        try start(
            ["worker", "--name", name, "--cores", "1", "--memory-mib", "4000", "--scratch", scratch(name)] + options,
            log: "worker-\(name)-\(UUID().uuidString)", environment: try connection())
    }

    /// Whether a run has come to its end; nil while it has not, or the coordinator is away.
    func isSettled(run number: Int = 1) async throws -> Bool? {
        let status = try await run("status", "\(number)", "--json")
        guard status.code == 0 || status.code == 2,
            // Coordinator away.
            let summary = try? JSONSerialization.jsonObject(with: Data(status.output.utf8)) as? [String: Any]
        else { return nil }
        return summary["state"] as? String == "running" ? nil : true
    }
}
