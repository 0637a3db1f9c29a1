import Artifacts
import CoordinatorClient
import Dispatch
import Foundation
import Logging
import ServiceLifecycle
import Wire

/// A worker: pulls tasks, runs each as a child process, publishes what they give.
///
/// It holds nothing that matters. Killed, it only lets its session expire; cut off, it computes on while its leases can
/// be believed in and then stops by itself; asked to leave (graceful shutdown), it finishes what it has or hands it
/// back. It never ends because coordinator or database cannot be reached.
package struct WorkerService: Service {
    private let configuration: WorkerConfiguration
    private let client: CoordinatorClient
    private let logger: Logger

    /// - Throws: `WorkerError.unusable` for a configuration under which every attempt would fail.
    package init(configuration: WorkerConfiguration, client: CoordinatorClient, logger: Logger) throws(WorkerError) {
        try configuration.validate()
        (self.configuration, self.client, self.logger) = (configuration, client, logger)
    }

    /// - Throws: `APIError` when the coordinator does not want this worker (its token, its version); `WorkerError` and
    ///   `ArtifactError` when scratch or cache cannot be used.
    package func run() async throws {
        let (drain, force) = (Latch(), Latch())
        let secondSignal = configuration.listensForSecondSignal ? SecondSignal(force) : nil
        try await withGracefulShutdownHandler {
            try await run(drain: drain, force: force)
        } onGracefulShutdown: {
            drain.set()
            secondSignal?.listen()
        }
    }

    /// As `run()`, told to leave by latches.
    ///
    /// - Parameters:
    ///   - drain: set when attempts under way are to be finished, or handed back after the grace.
    ///   - force: set when all is to be handed back at once; cancelling the task does the same.
    package func run(drain: Latch, force: Latch) async throws {
        let scratch = try ScratchFolder(in: configuration.scratchFolder)
        let outcome: Result<Void, any Error>
        do {
            let equipment = WorkerEquipment(
                configuration: configuration, client: client,
                cache: try await cache(in: configuration.cacheFolder ?? scratch.path + "/cache", drain: drain),
                verified: VerifiedFiles(), scratch: scratch, logger: logger)
            try await withTaskCancellationHandler {
                try await work(equipment, drain: drain, force: force)
            } onCancel: {
                force.set()
                drain.set()
            }
            outcome = .success(())
        } catch {
            outcome = .failure(error)
        }
        do {
            try scratch.removeAll()
        } catch {
            logger.warning("scratch folder left behind", metadata: ["reason": "\(error)"])
        }
        try outcome.get()
    }

    /// The cache, waited for as long as a worker that is about to leave may still hold it.
    private func cache(in folder: String, drain: Latch) async throws -> ArtifactCache {
        let end = ContinuousClock.now.advanced(by: configuration.drainGrace + .seconds(10))
        while true {
            do {
                return try ArtifactCache(folder: folder, limitBytes: configuration.cacheLimitBytes)
            } catch ArtifactError.cacheInUse where ContinuousClock.now < end && !drain.isSet {
                logger.info("another worker holds the cache; waiting for it", metadata: ["folder": "\(folder)"])
                try await Task.sleep(for: .milliseconds(500))  // a lock of another process: nothing tells of its end
            }
        }
    }

    private func work(_ equipment: WorkerEquipment, drain: Latch, force: Latch) async throws {
        // The same for all sessions of this process: by it the coordinator knows that an earlier one is over.
        let bootID = UUID()
        let predecessor = CacheHolder.replace(by: bootID, ofCache: equipment.cache.folder)
        while !drain.isSet {
            guard let (grant, start) = try await open(bootID, after: predecessor, drain: drain) else { return }
            logger.info("session opened", metadata: ["session": "\(grant.session.uuidString.lowercased())"])
            let session = WorkerSession(grant: grant, openedAt: start, equipment: equipment)
            let end = await session.run(drain: drain, force: force)
            logger.info("session ended", metadata: ["how": "\(end)"])
            if end != .expired { await sayGoodbye(grant.session) }
        }
    }

    /// Opens a session, trying for as long as it takes. - Returns: nil when asked to leave meanwhile.
    private func open(
        _ bootID: UUID, after predecessor: UUID?, drain: Latch
    ) async throws -> (SessionGrant, ContinuousClock.Instant)? {
        let request = SessionRequest(
            worker: configuration.name, bootID: bootID, cores: configuration.cores,
            memoryMiB: configuration.memoryMiB, kinds: configuration.kinds,
            commands: configuration.allowedCommands.keys.sorted(), instructionSet: configuration.instructionSet,
            version: configuration.version, predecessor: predecessor)
        return try await drain.orElse { [client, logger] in
            var backoff = Backoff(base: .milliseconds(200), limit: .seconds(10))
            while true {
                let start = ContinuousClock.now
                do {
                    return (try await client.openSession(request, patience: .zero), start)
                } catch let error as APIError where error.isPassing {
                    logger.warning("the coordinator is not ready", metadata: ["reason": "\(error)"])
                } catch let error as ClientError where error.isTransient {
                    logger.warning("the coordinator cannot be reached", metadata: ["reason": "\(error)"])
                } catch ClientError.unexpectedAnswer(let url, let status, let excerpt) where status >= 500 {
                    // A proxy in front of a coordinator that is not up.
                    let error = ClientError.unexpectedAnswer(url: url, status: status, excerpt: excerpt)
                    logger.warning("the coordinator cannot be reached", metadata: ["reason": "\(error)"])
                }
                try await Task.sleep(for: backoff.next(jitter: .random(in: 0..<1)))
            }
        }
    }

    /// Gives all leases back at once instead of letting them expire.
    private func sayGoodbye(_ session: UUID) async {
        // Its own task: a cancelled service still says goodbye, for at most this long.
        let goodbye = Task { try await client.closeSession(session, patience: .seconds(2)) }
        do {
            try await goodbye.value
        } catch let error as APIError where error.endsSession {
            return
        } catch {
            logger.info("left without saying goodbye", metadata: ["reason": "\(error)"])
        }
    }
}

/// Sets a latch at the next SIGTERM or SIGINT after `listen`.
private final class SecondSignal: Sendable {
    private let latch: Latch
    private let queue = DispatchQueue(label: "second signal")

    init(_ latch: Latch) { self.latch = latch }

    /// The service group has stopped listening by now: the first signal was its cue.
    func listen() {
        for number in [SIGTERM, SIGINT] {
            // Dispatch sees a signal only when its ordinary action is off.
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            // The handler holds the source, which so lives as long as the process: it is leaving anyway.
            source.setEventHandler { [latch] in
                withExtendedLifetime(source) { latch.set() }
            }
            source.activate()
        }
    }
}
