import BIDS
import Postgres

/// The workers that are there to take tasks, as far as it matters which task fits which.
struct WorkerFleet: Sendable {
    struct Worker: Sendable {
        var capability: WorkerCapability
        var cores: Int
        var memoryMiB: Int
    }

    /// Workers that are alike but for their cores are one, with the cores of the largest.
    var workers: [Worker]

    static func load(_ session: Session) throws -> WorkerFleet {
        WorkerFleet(
            workers: try session.query(
                """
                SELECT max(cores), memory_mib, kinds, commands FROM worker_session
                WHERE expires_at > now() AND NOT draining GROUP BY memory_mib, kinds, commands
                """
            ) { row in
                let (cores, memory, kinds, commands) = try row.decode(Int.self, Int.self, String.self, [String].self)
                let versions = try StoredJSON.value(kinds, table: "worker_session").objectValue ?? [:]
                return Worker(
                    capability: WorkerCapability(
                        kinds: versions.compactMapValues { $0.integerValue.map { Int($0) } }, commands: Set(commands)),
                    cores: cores, memoryMiB: memory)
            })
    }

    /// The lane as it is offered: with at most the cores of the largest worker that could take it otherwise.
    ///
    /// Results do not depend on the number of threads. So a task that asks for more cores than anybody has is given all
    /// that a worker has, and takes longer for the same bits; waiting for a larger worker would be for ever.
    func offered(_ lane: Lane) -> Lane {
        let able = workers.filter { $0.capability.fits(lane) && $0.memoryMiB >= lane.memoryMiB }
        guard let widest = able.map(\.cores).max() else { return lane }
        var lane = lane
        lane.cores = min(lane.cores, max(1, widest))
        return lane
    }
}
