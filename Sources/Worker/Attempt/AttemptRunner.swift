import Artifacts
import BIDS
import CoordinatorClient
import Foundation
import Logging
import Wire
import Workflow

/// Runs one lease from its inputs to the coordinator's verdict.
///
///     stage inputs ─► child process ─► digest and upload outputs ─► complete with the fencing token
///
/// Each arrow asks whether the lease may still be believed in. Whatever happens, the folder is removed, and exactly one
/// of these is said: a completion, a release, or nothing (the lease is not ours any more).
struct AttemptRunner: Sendable {
    let configuration: WorkerConfiguration
    let contact: SessionContact
    let cache: ArtifactCache
    let staging: Staging
    let scratchPath: String
    let keptPath: String
    let logger: Logger

    /// - Parameters:
    ///   - claimedAt: the time limit counts from here.
    ///   - computed: called once the attempt needs no cores and memory any more.
    /// - Returns: false when it was handed back because a disk is full: the worker had better wait before it asks for more.
    func run(
        _ lease: LeaseGrant, control: AttemptControl, claimedAt: ContinuousClock.Instant,
        computed: @escaping @Sendable () -> Void
    ) async -> Bool {
        let nonce = lease.token.nonce.uuidString.prefix(8).lowercased()
        let folder = AttemptFolder(path: "\(scratchPath)/\(lease.task)-\(lease.token.attempt)-\(nonce)")
        // Its own task, owned by `control` and awaited below: stopping an attempt cancels its work, but not what has to
        // be said and cleaned up afterwards.
        let work = Task { try await perform(lease, folder: folder, control: control, claimedAt: claimedAt, computed) }
        control.attach(cancelWork: { work.cancel() })
        let ended = await withTaskCancellationHandler {
            await work.result
        } onCancel: {
            control.stop(.handBack)
        }
        computed()
        var hasRoom = true
        if case .failure(let error) = ended, control.reason == nil,
            AttemptFailure.isWithoutRoom(error, inputBytes: lease.inputs.reduce(0) { $0 + $1.sizeBytes })
        {
            hasRoom = false
            logger.error(
                "no room on the disk or in the cache; the task is handed back", metadata: ["reason": "\(error)"])
        }
        await conclude(lease, ended, control: control, claimedAt: claimedAt, handBack: !hasRoom)
        do {
            try await BlockingWork.run { try ScratchFolder.remove(folder.path) }
        } catch {
            logger.warning("attempt folder left behind", metadata: ["reason": "\(error)"])
        }
        return hasRoom
    }

    /// What there is to say about an attempt, before anybody has agreed.
    private struct Ended: Sendable {
        var verdict: AttemptVerdict
        var result = TaskResult()
        var prepared: [Publisher.Prepared] = []
        var usage: AttemptUsage
        var logTail = ""
    }

    // MARK: - Work

    private func perform(
        _ lease: LeaseGrant, folder: AttemptFolder, control: AttemptControl, claimedAt: ContinuousClock.Instant,
        _ computed: @Sendable () -> Void
    ) async throws -> CompletionItem? {
        var usage = AttemptUsage(
            wallMilliseconds: 0, userMilliseconds: 0, systemMilliseconds: 0, peakResidentMiB: 0)
        let timeLimit = Duration.milliseconds(lease.timeLimitMilliseconds)

        try await BlockingWork.run { try folder.make() }
        let staged = try await staging.stage(
            lease.inputs, in: folder.inputs, asCopies: lease.kind == "command")
        defer { staged.release() }
        usage.stagedBytes = staged.fetchedBytes
        try Task.checkCancellation()

        let kept = try await BlockingWork.run { try keptFolder(lease) }
        let request = TaskRequest(
            task: lease.task, attempt: lease.token.attempt, step: lease.step, kind: lease.kind,
            kindVersion: lease.kindVersion, context: lease.context, parameters: lease.parameters,
            inputs: staged.inputs, missing: lease.missing, threads: max(1, lease.resources.cores),
            memoryMiB: lease.resources.memoryMiB, outputFolder: folder.outputs, commandPath: commandPath(lease),
            keptFolder: kept)
        try await BlockingWork.run { try folder.write(request) }
        let process = AttemptProcess(processRequest(lease, folder: folder, deadline: claimedAt.advanced(by: timeLimit)))
        control.attach(process: process, folder: folder)
        let end = try await process.run()
        control.beginSending()
        computed()
        // The cache may drop the inputs from here on.
        staged.release()

        usage.add(end)
        let (left, logTail) = try await BlockingWork.run { (folder.result(), LogTail.read(folder.log)) }
        let verdict = AttemptVerdict.judge(
            end, left: left, kind: lease.kind, logTail: logTail, memoryMiB: lease.resources.memoryMiB,
            timeLimit: timeLimit)
        // Looked at while what filled it is still there.
        if verdict.outcome == .transient, Self.isFull(folder.path) {
            throw WorkerError.system(doing: "writing", path: folder.path, errorNumber: ENOSPC)
        }
        var ended = Ended(verdict: verdict, usage: usage, logTail: logTail)
        if case .result(let result) = left { ended.result = result }
        let remaining = try await publish(lease, &ended, folder: folder, control: control, claimedAt: claimedAt)
        if let kept, verdict.outcome == .succeeded || verdict.outcome == .permanent {
            try await BlockingWork.run { try ScratchFolder.remove(kept) }
        }
        return remaining
    }

    /// Where the attempts of this work keep their progress: named after all that decides its result, so that no other
    /// work, of whatever coordinator, ever finds it.
    private func keptFolder(_ lease: LeaseGrant) throws -> String? {
        guard TaskKindCatalog.kind(lease.kind)?.keepsProgress == true else { return nil }
        let key = CacheKey.make(
            kind: lease.kind, kindVersion: lease.kindVersion, parameters: lease.parameters, inputs: lease.inputs,
            missing: lease.missing, context: lease.context, salt: nil)
        let path = "\(keptPath)/\(key.hex)"
        try ScratchFolder.makeFolder(path)
        return path
    }

    /// Whether so little is free that a file of a task could not be written.
    private static func isFull(_ path: String) -> Bool {
        var status = statvfs()
        return statvfs(path, &status) == 0 && UInt64(status.f_bavail) * UInt64(status.f_frsize) < 1 << 20
    }

    private func commandPath(_ lease: LeaseGrant) -> String? {
        guard lease.kind == "command", let name = lease.parameters["program"]?.stringValue else { return nil }
        return configuration.allowedCommands[name]
    }

    private func processRequest(
        _ lease: LeaseGrant, folder: AttemptFolder, deadline: ContinuousClock.Instant
    ) -> AttemptProcess.Request {
        let memory = Int64(lease.resources.memoryMiB) << 20
        return AttemptProcess.Request(
            executable: configuration.attemptExecutable,
            arguments: configuration.attemptArguments + [folder.path],
            environment: AttemptEnvironment.variables(
                from: configuration.environment, folder: folder.path, threads: max(1, lease.resources.cores)),
            workingFolder: folder.path, logPath: folder.log, memoryLimitBytes: memory,
            // Programs that others wrote may reserve any amount of address space without using it.
            addressSpaceBytes: lease.kind == "command" ? nil : 2 * memory + (8 << 30), deadline: deadline,
            terminationGrace: configuration.terminationGrace, samplingInterval: configuration.samplingInterval)
    }

    // MARK: - Publishing

    /// Sends outputs and completion until the coordinator has said something final.
    ///
    /// - Returns: nil when all is said, else what remains to be said.
    private func publish(
        _ lease: LeaseGrant, _ ended: inout Ended, folder: AttemptFolder, control: AttemptControl,
        claimedAt: ContinuousClock.Instant
    ) async throws -> CompletionItem? {
        let isTrusted = contact.isTrusted
        let mayContinue: @Sendable () -> Bool = { isTrusted() && control.reason == nil }
        let publisher = Publisher(contact: contact, cache: cache, mayContinue: mayContinue)
        guard mayContinue() else { throw CancellationError() }
        if ended.verdict.outcome == .succeeded {
            do {
                ended.prepared = try await publisher.prepare(ended.result.outputs, in: folder)
            } catch let error as WorkerError {
                ended.verdict = AttemptVerdict(.permanent, error.description)
            }
        }
        for _ in 0..<3 {
            if ended.verdict.outcome == .succeeded {
                let prepared = ended.prepared
                async let kept: Void = publisher.keep(prepared)
                ended.usage.uploadedBytes += try await publisher.upload(prepared)
                await kept
            }
            guard mayContinue() else { throw CancellationError() }
            let verdict = try await contact.completions.complete(item(lease, ended, claimedAt: claimedAt))
            switch verdict {
            case .accepted, .duplicate:
                logger.debug(
                    "completion \(verdict.rawValue)", metadata: ["outcome": "\(ended.verdict.outcome.rawValue)"])
                return nil
            case .stale:
                logger.notice("the lease is no longer in force; the result was dropped")
                return nil
            case .missingArtifact:
                logger.notice("the store lost an output; sending it again")
            }
        }
        ended.verdict = AttemptVerdict(.transient, "the coordinator's store keeps losing the outputs; see its disk")
        return item(lease, ended, claimedAt: claimedAt)
    }

    private func item(_ lease: LeaseGrant, _ ended: Ended, claimedAt: ContinuousClock.Instant) -> CompletionItem {
        let succeeded = ended.verdict.outcome == .succeeded
        var usage = ended.usage
        usage.wallMilliseconds = Int(claimedAt.duration(to: .now) / .milliseconds(1))
        return CompletionItem(
            lease: lease.name, outcome: ended.verdict.outcome, message: ended.verdict.message,
            outputs: succeeded ? ended.prepared.map(\.output) : [],
            measurements: succeeded ? ended.result.measurements : [], warnings: ended.result.warnings, usage: usage,
            logTail: ended.logTail)
    }

    // MARK: - The end

    /// Says what `perform` could not: a failure before or after the process, a cancellation, a lease handed back.
    private func conclude(
        _ lease: LeaseGrant, _ result: Result<CompletionItem?, any Error>, control: AttemptControl,
        claimedAt: ContinuousClock.Instant, handBack: Bool
    ) async {
        do {
            var remaining: CompletionItem?
            switch result {
            case .success(let item): remaining = item
            case .failure(let error): remaining = failure(lease, error, control: control, claimedAt: claimedAt)
            }
            if control.reason == .handBack || handBack, contact.isTrusted(), case .failure = result {
                try await contact.noting {
                    try await contact.client.release(
                        session: contact.id, ReleaseRequest(leases: [lease.name]),
                        patience: min(.seconds(2), contact.remainingTrust()))
                }
            } else if let remaining, contact.isTrusted() {
                let verdict = try await contact.completions.complete(remaining)
                logger.info(
                    "attempt ended \(remaining.outcome.rawValue)",
                    metadata: ["message": "\(remaining.message ?? "")", "verdict": "\(verdict.rawValue)"])
            }
        } catch {
            // The session's end or the lease's expiry settles the task.
            logger.warning("nothing could be said about the attempt", metadata: ["reason": "\(error)"])
        }
    }

    /// What an error means for the attempt; nil when nothing may be said.
    private func failure(
        _ lease: LeaseGrant, _ error: any Error, control: AttemptControl, claimedAt: ContinuousClock.Instant
    ) -> CompletionItem? {
        var ended = Ended(
            verdict: AttemptVerdict(.cancelled, "an operator cancelled the task"),
            usage: AttemptUsage(wallMilliseconds: 0, userMilliseconds: 0, systemMilliseconds: 0, peakResidentMiB: 0))
        switch control.reason {
        case .cancelled: return item(lease, ended, claimedAt: claimedAt)
        case .handBack, .leaseLost: return nil
        case nil: break
        }
        guard let verdict = AttemptFailure.verdict(on: error) else { return nil }
        ended.verdict = verdict
        return item(lease, ended, claimedAt: claimedAt)
    }
}

extension AttemptUsage {
    fileprivate mutating func add(_ end: AttemptProcess.End) {
        userMilliseconds = Int(end.userMicroseconds / 1000)
        systemMilliseconds = Int(end.systemMicroseconds / 1000)
        peakResidentMiB = Int((end.peakResidentBytes + (1 << 20) - 1) >> 20)
        signal = end.signal
        exitCode = end.exitCode
    }
}
