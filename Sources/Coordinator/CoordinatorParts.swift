import Artifacts
import Hummingbird
import Logging
import Postgres
import Wire
import Workflow

/// What the routes work with.
struct CoordinatorParts: Sendable {
    let store: Store
    let artifacts: ArtifactStore
    let ready: ReadyTasks
    let claims: Claims
    let index: IndexService
    let submission: Submission
    let retention: Retention
    let authentication: Authentication
    let telemetry: Telemetry
    let logger: Logger

    init(configuration: CoordinatorConfiguration, pool: Pool, artifacts: ArtifactStore, logger: Logger) {
        let ready = ReadyTasks()
        let telemetry = Telemetry()
        let store = Store(pool: pool, onReady: { ready.released() })
        self.store = store
        self.artifacts = artifacts
        self.ready = ready
        self.telemetry = telemetry
        self.logger = logger
        claims = Claims(store: store, ready: ready, telemetry: telemetry, sessionTTL: configuration.sessionTTL)
        let digests = SourceDigests(parallelism: configuration.digestParallelism, logger: logger)
        index = IndexService(store: store, digests: digests, logger: logger)
        submission = Submission(store: store, artifacts: artifacts, index: index, digests: digests, logger: logger)
        retention = Retention(
            store: store, artifacts: artifacts, graceSeconds: configuration.artifactGraceSeconds,
            periodically: Periodically(
                name: "retention", interval: configuration.collectionInterval, telemetry: telemetry, logger: logger))
        authentication = Authentication(
            allowsLoopbackWithoutToken: configuration.allowLoopbackWithoutToken,
            ownerToken: configuration.ownerToken
        ) { secret in
            guard let (name, role) = try await store.role(ofSecret: secret) else { return nil }
            return Principal(name: name, role: role)
        }
    }

    /// - Throws: `APIFailure` 404.
    func existing(run: RunID) async throws -> RunSummary {
        guard let summary = try await store.run(run) else { throw APIFailure.unknown(run) }
        return summary
    }

    /// Records what an upload brought.
    func stored(_ digest: ArtifactDigest, existed: Bool, mediaType: String?) async throws -> Response {
        guard let size = try artifacts.size(of: digest) else { throw ArtifactError.notFound(digest) }
        let mediaType = mediaType ?? "application/octet-stream"
        try await store.recordArtifact(digest: digest, sizeBytes: size, mediaType: mediaType)
        // A collection may have removed it at the very moment at which it was found to be there already.
        guard try artifacts.contains(digest) else {
            throw APIFailure(
                .conflict, "upload_in_progress", "Artifact \(digest) was just removed as unused; send it again.")
        }
        telemetry.update { counts in
            counts.uploads[existed ? "existed" : "stored", default: 0] += 1
            if !existed { counts.uploadedBytes += size }
        }
        return try .json(StatusBody(status: existed ? "existed" : "stored"), status: existed ? .ok : .created)
    }

    /// Broken invariants of the database, and artifacts that it names but the store does not have.
    ///
    /// - Parameter scrub: also digests every artifact; damaged ones are removed, and results that had them are not taken
    ///   over any more: the next run makes them anew.
    func check(scrub: Bool) async throws -> [String] {
        var violations = try await store.fsck()
        let live = try await store.liveDigests()
        let imported = try await store.importedModels()
        for digest in live.sorted() where try !artifacts.contains(digest) {
            if try await !store.sources(of: digest).isEmpty { continue }
            if scrub { try await store.disown(artifact: digest) }
            violations.append(
                imported.contains(digest)
                    ? "The bytes of model \(digest) are not in the store; import it again."
                    : "Artifact \(digest) is named by a task but not in the store; run that task again.")
        }
        guard scrub else { return violations }
        for entry in try await artifacts.entries() {
            do {
                try await artifacts.scrub(entry.digest)
            } catch let error as ArtifactError {
                if case .damaged = error { try await store.disown(artifact: entry.digest) }
                violations.append(error.description)
            }
        }
        return violations
    }

    /// Those of `digests` that have to be uploaded: the disk decides, then the database is told of what it lacks.
    func missing(_ digests: [ArtifactDigest]) async throws -> [ArtifactDigest] {
        let unrecorded = Set(try await store.missing(digests))
        var missing: [ArtifactDigest] = []
        for digest in digests {
            guard let size = try artifacts.size(of: digest) else {
                missing.append(digest)
                continue
            }
            try artifacts.touch(digest)
            if unrecorded.contains(digest) {
                try await store.recordArtifact(digest: digest, sizeBytes: size, mediaType: "application/octet-stream")
            }
        }
        return missing
    }

    /// An artifact of the store, or a file of a dataset or atlas as long as it is the one that was digested.
    func open(_ digest: ArtifactDigest) async throws -> ArtifactReader {
        do {
            return try artifacts.open(digest)
        } catch ArtifactError.notFound {
            let sources = try await store.sources(of: digest)
            guard let latest = sources.first else { throw ArtifactError.notFound(digest) }
            for source in sources {
                let reader: ArtifactReader
                do { reader = try ArtifactReader(path: source.path) } catch is ArtifactError { continue }
                if reader.sizeBytes == source.sizeBytes, reader.modifiedNanoseconds == source.modifiedNanoseconds {
                    return reader
                }
            }
            throw APIFailure(
                .gone, "source_changed",
                "The file \(latest.path) is no longer the one that was indexed as \(digest); index the dataset again "
                    + "and submit a new run.")
        }
    }
}
