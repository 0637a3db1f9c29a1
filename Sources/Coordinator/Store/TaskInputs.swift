// What a task reads, put together from the files it names and from what its parents left.

import BIDS
import Foundation
import Postgres
import Workflow

/// The inputs of one task as they are now.
struct ResolvedInputs: Sendable {
    var inputs: [TaskInput] = []
    var missing: [MissingInput] = []
    /// Items per port, and how many of them are there.
    var ports: [String: (present: Int, total: Int)] = [:]
    /// Failed and cancelled tasks because of which items of a port are not there.
    var roots: [String: Set<Int64>] = [:]

    /// Why a tolerant task cannot go on with what there is.
    struct Shortage: CustomStringConvertible {
        var port: String
        /// Nothing of the port is there, so that there is nothing to judge.
        var isTotal: Bool
        var description: String
    }

    /// Why a tolerant task cannot go on with what there is; nil when it can.
    ///
    /// Each port that gathers outputs of other tasks is judged by itself; one that has nothing at all comes first.
    func shortage(under policy: FanInPolicy) -> Shortage? {
        let short = ports.sorted { $0.key < $1.key }.compactMap { shortage(of: $0.key, $0.value, under: policy) }
        return short.first(where: \.isTotal) ?? short.first
    }

    private func shortage(
        of port: String, _ count: (present: Int, total: Int), under policy: FanInPolicy
    ) -> Shortage? {
        let enough =
            switch policy {
            case .all: count.present == count.total
            case .any: count.present > 0
            // Compared as counts: 0.9 of 10 is 9, whatever the binary fraction says.
            case .atLeast(let fraction): Double(count.present) >= fraction * Double(count.total) - 1e-9
            }
        if enough { return nil }
        let reason = missing.first { $0.port == port }?.reason
        let rule =
            switch policy {
            case .all: "all are needed"
            case .any: "at least one is needed"
            case .atLeast(let fraction): "at least \(Self.percent(fraction)) are needed"
            }
        return Shortage(
            port: port, isTotal: count.present == 0,
            description: "\(count.total - count.present) of the \(count.total) inputs “\(port)” are missing and \(rule)"
                + (reason.map { ": \($0)" } ?? "."))
    }

    /// The first of the failures because of which a port has nothing; nil when none of its tasks failed.
    func root(of port: String) -> Int64? { roots[port]?.min() }

    private static func percent(_ fraction: Double) -> String {
        let percent = fraction * 100
        return percent == percent.rounded() ? "\(Int(percent)) %" : "\(percent) %"
    }
}

enum TaskInputs {
    /// The inputs of some tasks, in the order the workflow states them.
    static func resolve(_ tasks: [Int64], _ session: Session) throws -> [Int64: ResolvedInputs] {
        var resolved: [Int64: ResolvedInputs] = [:]
        resolved.reserveCapacity(tasks.count)
        for task in tasks { resolved[task] = ResolvedInputs() }
        let rows = try session.query(
            """
            SELECT i.task_id, i.port, i.subject, i.session, i.atlas, i.fold,
                   coalesce(i.digest, a.digest), coalesce(i.name, a.name), coalesce(i.size_bytes, a.size_bytes),
                   coalesce(i.metadata, a.metadata), i.path, i.parent_id, p.state, coalesce(b.message, p.message),
                   s.name, i.parent_port, CASE WHEN p.state IN (3, 4, 5) THEN coalesce(p.blocked_by, p.task_id) END
            FROM task_input i
            LEFT JOIN task p ON p.task_id = i.parent_id
            LEFT JOIN task b ON b.task_id = p.blocked_by
            LEFT JOIN step s ON s.step_id = p.step_id
            LEFT JOIN artifact_ref a ON a.result_id = p.result_id AND a.port = i.parent_port
            WHERE i.task_id = ANY ($1)
            ORDER BY i.task_id, i.position, a.name
            """, [.bigintArray(tasks)])
        // Sidecars repeat from step to step; each text is parsed once.
        var parsed: [String: JSONValue] = [:]
        for row in rows {
            let (task, port, subject, sessionLabel, atlas, fold, digest, name, size, metadata, path, parent) =
                try row.decode(
                    Int64.self, String.self, String?.self, String?.self, String?.self, Int?.self, [UInt8]?.self,
                    String?.self, Int64?.self, String?.self, String?.self, Int64?.self)
            let context = TaskContext(subject: subject, session: sessionLabel, atlas: atlas, fold: fold)
            if let digest, let name, let size {
                if let metadata, parsed[metadata] == nil {
                    parsed[metadata] = try StoredJSON.value(metadata, table: "task_input")
                }
                resolved[task]?.inputs.append(
                    TaskInput(
                        port: port, context: context, name: name,
                        digest: try ArtifactDigest(bytes: digest, table: "task_input"), sizeBytes: size,
                        sourcePath: path, metadata: metadata.flatMap { parsed[$0] }))
            } else {
                resolved[task]?.missing.append(
                    MissingInput(port: port, context: context, reason: try Self.reason(row)))
            }
            if parent != nil {
                let present = digest == nil ? 0 : 1
                let before = resolved[task]?.ports[port] ?? (0, 0)
                resolved[task]?.ports[port] = (before.present + present, before.total + 1)
                if let root: Int64 = try row[16] { resolved[task]?.roots[port, default: []].insert(root) }
            }
        }
        return resolved
    }

    /// Why an output that a task reads is not there.
    private static func reason(_ row: Row) throws -> String {
        let state: Int16? = try row[12]
        let message: String? = try row[13]
        let step: String? = try row[14]
        let port: String? = try row[15]
        let name = step ?? "an earlier step"
        switch try state.map(TaskState.init(stored:)) {
        case .cancelled: return "step \(name) was cancelled"
        case .succeeded: return "step \(name) made no output \"\(port ?? "")\""
        default: return message ?? "step \(name) did not succeed"
        }
    }
}
