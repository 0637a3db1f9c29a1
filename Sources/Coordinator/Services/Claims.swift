import Foundation
import Synchronization
import Wire
import Workflow

/// The worker protocol between the routes and the store: claims that wait. The store itself says when tasks became ready.
package struct Claims: Sendable {
    let store: Store
    let ready: ReadyTasks
    let telemetry: Telemetry
    let sessionTTL: Duration
    let groups = SessionGroups()

    init(store: Store, ready: ReadyTasks, telemetry: Telemetry, sessionTTL: Duration) {
        (self.store, self.ready, self.telemetry) = (store, ready, telemetry)
        self.sessionTTL = sessionTTL
    }

    func open(_ request: SessionRequest) async throws -> SessionGrant {
        let grant = try await store.openSession(request, ttl: sessionTTL)
        groups.remember(grant.session, offers: request)
        return grant
    }

    func close(_ session: UUID) async throws {
        groups.forget(session)
        try await store.closeSession(session)
    }

    /// Takes tasks; while there are none, waits in memory for a release.
    ///
    /// - Parameter isConnected: asked before each further try: a claim of a worker that has gone would hold its tasks
    ///   until the session expires.
    func claim(
        session: UUID, _ request: ClaimRequest, isConnected: @Sendable () -> Bool
    ) async throws -> [LeaseGrant] {
        let deadline = ContinuousClock.now + .milliseconds(request.waitMilliseconds)
        let group = groups.group(of: session, request)
        telemetry.update { $0.claims += 1 }
        while true {
            let generation = ready.generation
            guard let leases = try await store.claim(session: session, request: request) else {
                throw APIFailure.sessionExpired
            }
            if !leases.isEmpty {
                telemetry.update { $0.leases += leases.count }
                ready.found(group: group)
                return leases
            }
            let left = ContinuousClock.now.duration(to: deadline)
            guard left > .zero, await ready.wait(group: group, since: generation, timeout: left), isConnected() else {
                telemetry.update { $0.emptyClaims += 1 }
                return []
            }
        }
    }

    func complete(session: UUID, _ items: [CompletionItem]) async throws -> [CompletionResponse.Item] {
        let verdicts = try await store.complete(session: session, items: items)
        telemetry.update { counts in
            for (item, verdict) in zip(items, verdicts) {
                counts.verdicts[verdict.verdict, default: 0] += 1
                if verdict.verdict == .accepted { counts.outcomes[item.outcome.rawValue, default: 0] += 1 }
            }
        }
        return verdicts
    }

    func release(session: UUID, _ leases: [LeaseName]) async throws {
        try await store.release(session: session, leases: leases)
        telemetry.update { $0.releasedLeases += leases.count }
    }
}

/// Which claims can take the same tasks: those of workers that offer the same and have the same free.
///
/// A coordinator that did not open a session does not know what it offers; that session is then a group of its own.
final class SessionGroups: Sendable {
    private let offers = Mutex<[UUID: String]>([:])

    func remember(_ session: UUID, offers request: SessionRequest) {
        let kinds = request.kinds.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        let text = (kinds + request.commands.sorted()).joined(separator: ",")
        offers.withLock { offers in
            // Sessions that ended without a goodbye stay behind; losing the others only splits groups.
            if offers.count >= 100_000 { offers.removeAll() }
            offers[session] = text
        }
    }

    func forget(_ session: UUID) { offers.withLock { $0[session] = nil } }

    func group(of session: UUID, _ request: ClaimRequest) -> String {
        let offer = offers.withLock { $0[session] } ?? session.uuidString
        return "\(request.freeCores) \(request.freeMemoryMiB) \(offer)"
    }
}
