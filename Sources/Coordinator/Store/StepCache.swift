// Steps do not change once stored, so each is read once.

import BIDS
import Foundation
import Postgres
import Synchronization
import Workflow

/// What tasks of one step have in common.
struct StepRow: Sendable {
    var id: Int64
    var name: String
    var kind: String
    var kindVersion: Int
    var parameters: JSONValue
    var retry: RetryPolicy
    var fanIn: FanInPolicy
    var timeoutMilliseconds: Int64
    var cores: Int
    var memoryMiB: Int
    var command: String?
    var cacheSalt: String?
}

final class StepCache: Sendable {
    private let rows = Mutex<[Int64: StepRow]>([:])
    private static let limit = 4096

    /// The steps with these numbers, from memory or from the database.
    ///
    /// - Parameter remember: false for steps of a transaction that may yet be rolled back.
    func steps(_ ids: some Sequence<Int64>, _ session: Session, remember: Bool = true) throws -> [Int64: StepRow] {
        let wanted = Set(ids)
        var found = rows.withLock { rows in rows.filter { wanted.contains($0.key) } }
        let missing = wanted.subtracting(found.keys)
        guard !missing.isEmpty else { return found }
        let loaded = try session.query(
            """
            SELECT step_id, name, kind, kind_version, parameters, retry, fan_in, timeout_ms, cores, memory_mib, command,
                   cache_salt
            FROM step WHERE step_id = ANY ($1)
            """, [.bigintArray(missing.sorted())]
        ) { row in
            let retry: String = try row["retry"]
            let parameters: String = try row["parameters"]
            let fraction: Double? = try row["fan_in"]
            return StepRow(
                id: try row["step_id"], name: try row["name"], kind: try row["kind"],
                kindVersion: try row["kind_version"],
                parameters: try StoredJSON.value(parameters, table: "step"),
                retry: try StoredJSON.decode(RetryPolicy.self, retry, table: "step"),
                fanIn: FanInPolicy(stored: fraction), timeoutMilliseconds: try row["timeout_ms"],
                cores: try row["cores"], memoryMiB: try row["memory_mib"], command: try row["command"],
                cacheSalt: try row["cache_salt"])
        }
        for step in loaded { found[step.id] = step }
        guard remember else { return found }
        rows.withLock { rows in
            if rows.count + loaded.count > Self.limit { rows.removeAll() }
            for step in loaded { rows[step.id] = step }
        }
        return found
    }
}

extension FanInPolicy {
    /// NULL: all; -1: any; else the least fraction.
    init(stored fraction: Double?) {
        self = fraction.map { $0 < 0 ? .any : .atLeast($0) } ?? .all
    }

    var stored: Double? {
        switch self {
        case .all: nil
        case .any: -1
        case .atLeast(let fraction): fraction
        }
    }
}
