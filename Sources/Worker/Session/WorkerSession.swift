import Artifacts
import CoordinatorClient
import Foundation
import Logging
import Synchronization
import Wire
import Workflow

/// What every session and attempt of one worker process shares.
struct WorkerEquipment: Sendable {
    let configuration: WorkerConfiguration
    let client: CoordinatorClient
    let cache: ArtifactCache
    let verified: VerifiedFiles
    let scratch: ScratchFolder
    let logger: Logger
}

/// `LeaseKeeper` behind a lock, on the real clock.
final class LeaseTrust: Sendable {
    private let keeper: Mutex<LeaseKeeper>

    init(_ keeper: LeaseKeeper) { self.keeper = Mutex(keeper) }

    var isTrusted: Bool { keeper.withLock { $0.isTrusted(at: .now) } }
    var trustedUntil: ContinuousClock.Instant { keeper.withLock { $0.trustedUntil } }
    var remaining: Duration { max(.zero, ContinuousClock.now.duration(to: trustedUntil)) }
    func withLock<Value: Sendable>(_ body: (inout LeaseKeeper) -> Value) -> Value { keeper.withLock { body(&$0) } }
}

/// One session with the coordinator: claims, heartbeats, attempts, until it ends one way or another.
///
/// Decisions are made by `PullLoop` and `LeaseKeeper` under a lock each; everything that waits happens outside them.
final class WorkerSession: Sendable {
    enum End: Sendable, Hashable {
        /// Drained: nothing left in hand.
        case drained
        /// The coordinator ended it: every lease is lost.
        case expired
        /// No heartbeat was answered for so long that the leases cannot be believed in any more.
        case lostContact
        /// Told to leave at once.
        case forced
    }

    private enum Event: Sendable {
        case leases([LeaseGrant], claimedAt: ContinuousClock.Instant)
        case end(End)
    }

    private struct State {
        var pull: PullLoop
        var controls: [LeaseName: AttemptControl] = [:]
    }

    private let grant: SessionGrant
    private let equipment: WorkerEquipment
    private let contact: SessionContact
    private let trust: LeaseTrust
    private let state: Mutex<State>
    private let events: AsyncStream<Event>
    private let eventSink: AsyncStream<Event>.Continuation
    /// Something changed that a claim may follow from.
    private let wake = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
    private let logger: Logger

    /// - Parameter start: when the request that opened the session was sent.
    init(grant: SessionGrant, openedAt start: ContinuousClock.Instant, equipment: WorkerEquipment) {
        self.grant = grant
        self.equipment = equipment
        let (configuration, client) = (equipment.configuration, equipment.client)
        state = Mutex(State(pull: PullLoop(cores: configuration.cores, memoryMiB: configuration.memoryMiB)))
        let trust = LeaseTrust(LeaseKeeper(openedAt: start, grant: grant))
        self.trust = trust
        let (events, eventSink) = AsyncStream<Event>.makeStream()
        (self.events, self.eventSink) = (events, eventSink)
        let expired: @Sendable () -> Void = { eventSink.yield(.end(.expired)) }
        let completions = CompletionBatcher { items in
            do {
                return try await client.complete(
                    session: grant.session, CompletionRequest(items: items), patience: trust.remaining,
                    mayContinue: { trust.isTrusted }
                ).items
            } catch let error as APIError where error.endsSession {
                expired()
                throw error
            }
        }
        contact = SessionContact(
            id: grant.session, client: client, completions: completions, isTrusted: { trust.isTrusted },
            remainingTrust: { trust.remaining }, expired: expired)
        var logger = equipment.logger
        logger[metadataKey: "session"] = "\(grant.session.uuidString.prefix(8).lowercased())"
        self.logger = logger
    }

    /// Works until the session ends; nothing of it runs any more when this returns.
    ///
    /// - Parameters:
    ///   - drain: set when the worker is to finish what it has and leave.
    ///   - force: set when it is to leave at once.
    func run(drain: Latch, force: Latch) async -> End {
        var end = End.forced
        await withDiscardingTaskGroup { group in
            group.addTask { await self.keepBeating(drain: drain) }
            group.addTask { await self.watchTrust() }
            group.addTask { await self.pull(drain: drain) }
            group.addTask { await self.leave(drain: drain) }
            group.addTask {
                await force.wait()
                self.eventSink.yield(.end(.forced))
            }
            // The loop also ends, as forced, when the service is cancelled.
            events: for await event in events {
                switch event {
                case .leases(let leases, let claimedAt):
                    for lease in leases { group.addTask { await self.attempt(lease, claimedAt: claimedAt) } }
                case .end(let reason):
                    end = reason
                    break events
                }
            }
            stopAll(end == .forced || end == .drained ? .handBack : .leaseLost)
            await contact.completions.close()
            group.cancelAll()
        }
        return end
    }

    private func stopAll(_ reason: AttemptControl.Reason) {
        for control in state.withLock({ Array($0.controls.values) }) { control.stop(reason) }
    }

    // MARK: - Claims

    private func pull(drain: Latch) async {
        var signals = wake.stream.makeAsyncIterator()
        while !Task.isCancelled {
            let step = state.withLock { state in
                // Here and below, so that nothing is begun once the latch is set, whoever comes to act on it first.
                if drain.isSet { state.pull.drain() }
                return state.pull.next(at: .now, newClaim: UUID())
            }
            switch step {
            case .claim(let request): await claim(request, drain: drain)
            case .wait(let until): try? await Task.sleep(until: until, clock: .continuous)  // cancelled: seen above
            case .idle: _ = await signals.next()
            case .drained:
                eventSink.yield(.end(.drained))
                return
            }
        }
    }

    private func claim(_ request: ClaimRequest, drain: Latch) async {
        do {
            let response = try await contact.client.claim(session: grant.session, request, patience: .zero)
            let now = ContinuousClock.now
            let (run, handBack) = state.withLock { state in
                if drain.isSet { state.pull.drain() }
                let answer = state.pull.answered(response.leases)
                for lease in answer.run { state.controls[lease.name] = AttemptControl() }
                return answer
            }
            if !run.isEmpty { eventSink.yield(.leases(run, claimedAt: now)) }
            if !handBack.isEmpty {
                try await contact.client.release(
                    session: grant.session, ReleaseRequest(leases: handBack), patience: .seconds(2))
            }
        } catch let error as APIError where error.endsSession {
            eventSink.yield(.end(.expired))
            state.withLock { $0.pull.failed(at: .now, jitter: 1) }
        } catch {
            state.withLock { $0.pull.failed(at: .now, jitter: .random(in: 0..<1)) }
            if !(error is CancellationError) {
                logger.warning("claiming work failed", metadata: ["reason": "\(error)"])
            }
        }
    }

    private func attempt(_ lease: LeaseGrant, claimedAt: ContinuousClock.Instant) async {
        guard let control = state.withLock({ $0.controls[lease.name] }) else { return }
        var logger = logger
        logger[metadataKey: "task"] = "\(lease.task)"
        logger[metadataKey: "attempt"] = "\(lease.token.attempt)"
        logger.debug("attempt begins", metadata: ["step": "\(lease.step)", "context": "\(lease.context)"])
        let isTrusted = contact.isTrusted
        let client = contact.client
        let trust = trust
        let runner = AttemptRunner(
            configuration: equipment.configuration, contact: contact, cache: equipment.cache,
            staging: Staging(cache: equipment.cache, verified: equipment.verified) { digest, path in
                // Only this lease's own end ends the download for it; another attempt may wait for the same bytes.
                try await client.download(digest, to: path, patience: trust.remaining, mayContinue: isTrusted)
            },
            scratchPath: equipment.scratch.path, keptPath: equipment.scratch.keptPath, logger: logger)
        let hasRoom = await runner.run(lease, control: control, claimedAt: claimedAt) { [self] in
            state.withLock { $0.pull.computed(lease.name) }
            wake.continuation.yield()
        }
        let isDrained = state.withLock { state in
            if !hasRoom { state.pull.ranOutOfRoom(at: .now) }
            state.pull.finished(lease.name)
            state.controls[lease.name] = nil
            return state.pull.isDraining && state.pull.isIdle
        }
        // A claim that still waits at the coordinator ends with the session.
        if isDrained { eventSink.yield(.end(.drained)) }
        wake.continuation.yield()
    }

    // MARK: - Leases

    private func keepBeating(drain: Latch) async {
        while !Task.isCancelled {
            do {
                try await Task.sleep(until: trust.withLock { $0.nextBeat }, clock: .continuous)
                await beat(drain: drain)
            } catch {
                return  // cancelled: the session is over
            }
        }
    }

    private func beat(drain: Latch) async {
        let held = await heldLeases()
        let isDraining = state.withLock { $0.pull.isDraining }
        let start = ContinuousClock.now
        let timeout = trust.withLock { $0.timeout(at: start) }
        do {
            let response = try await contact.client.heartbeat(
                session: grant.session, HeartbeatRequest(held: held, draining: isDraining), timeout: timeout)
            trust.withLock { $0.answered(sentAt: start, ttlMilliseconds: response.ttlMilliseconds) }
            for lease in held.map(\.lease) {
                // By the name that was sent: the task may meanwhile be in hand under a new lease.
                let control = state.withLock { $0.controls[lease] }
                if response.unknown.contains(lease.task) {
                    control?.stop(.leaseLost)
                } else if response.cancel.contains(lease.task) {
                    control?.stop(.cancelled)
                }
            }
            if response.drain { drain.set() }
        } catch let error as APIError where error.endsSession {
            eventSink.yield(.end(.expired))
            trust.withLock { $0.failed(at: .now, jitter: 1) }
        } catch {
            trust.withLock { $0.failed(at: .now, jitter: .random(in: 0..<1)) }
            if !(error is CancellationError) {
                logger.warning(
                    "heartbeat unanswered",
                    metadata: ["reason": "\(error)", "trustedForSeconds": "\(Int(trust.remaining / .seconds(1)))"])
            }
        }
    }

    private func heldLeases() async -> [HeartbeatRequest.Held] {
        let controls = state.withLock { $0.controls }
        return controls.map { lease, control in
            HeartbeatRequest.Held(
                lease: lease, progress: control.progress, residentMiB: control.residentMiB,
                lastLine: control.lastLine, sending: control.isSending ? true : nil)
        }
    }

    /// Ends the session when its leases can no longer be believed in, also after this process was stopped for a while.
    private func watchTrust() async {
        while !Task.isCancelled {
            let until = trust.trustedUntil
            if ContinuousClock.now >= until {
                eventSink.yield(.end(.lostContact))
                return
            }
            try? await Task.sleep(until: until, clock: .continuous)  // cancelled: seen above
        }
    }

    // MARK: - Leaving

    private func leave(drain: Latch) async {
        await drain.wait()
        guard !Task.isCancelled else { return }
        let held = state.withLock { state in
            state.pull.drain()
            return state.controls.count
        }
        logger.notice("draining", metadata: ["attempts": "\(held)"])
        if held == 0 { eventSink.yield(.end(.drained)) }
        wake.continuation.yield()
        // At once: a claim that waits at the coordinator must not be given what this worker is about to hand back.
        await beat(drain: drain)
        do {
            try await Task.sleep(for: equipment.configuration.drainGrace)
            logger.notice("handing back what is not finished")
            stopAll(.handBack)
        } catch {
            return  // drained in time
        }
    }
}
