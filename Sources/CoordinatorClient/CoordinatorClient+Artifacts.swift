import Foundation
import Wire
import Workflow

// Artifacts by digest: asking, reading, fetching into a file.
extension CoordinatorClient {
    /// Those of `digests` that the store does not have, in its order.
    package func missing(
        _ digests: [ArtifactDigest], patience: Duration? = nil, mayContinue: (@Sendable () -> Bool)? = nil
    ) async throws -> [ArtifactDigest] {
        guard !digests.isEmpty else { return [] }
        let answer: ArtifactList = try await call(
            .post, Self.target(["artifacts", "missing"]), body: ArtifactList(digests: digests), mayRepeat: true,
            patience: patience, mayContinue: mayContinue)
        return answer.digests
    }

    /// Size in bytes; nil when the store does not have it.
    package func artifactSize(_ digest: ArtifactDigest) async throws -> Int64? {
        let target = Self.artifact(digest)
        let answer = try await send(HTTPRequest(method: .head, target: target), on: control, mayRepeat: true)
        if answer.status == 404 { return nil }
        guard answer.isSuccess, let size = answer.headers["content-length"].flatMap({ Int64($0) }) else {
            throw refusal(answer, target: target)
        }
        return size
    }

    /// Hands an artifact's bytes on as they arrive. The digest is not checked: use `download` where it matters.
    ///
    /// - Parameters:
    ///   - range: bytes wanted; nil: all.
    ///   - receive: called in order, on the transport's thread.
    package func read(
        _ digest: ArtifactDigest, range: Range<Int64>? = nil,
        receive: @escaping @Sendable (UnsafeRawBufferPointer) throws -> Void
    ) async throws {
        if let range, range.isEmpty { return }
        let target = Self.artifact(digest)
        var request = HTTPRequest(method: .get, target: target)
        if let range { request.headers.append(("Range", "bytes=\(range.lowerBound)-\(range.upperBound - 1)")) }
        request.receive = { _, piece in try receive(piece) }
        let answer = try await send(request, on: data, mayRepeat: true)
        guard answer.isSuccess else { throw refusal(answer, target: target) }
    }

    /// Fetches an artifact or source file into a file, checking its digest as it is written.
    ///
    /// A broken connection is resumed where it broke, for as long as `patience` lasts without progress. On failure the
    /// file is removed.
    ///
    /// - Parameters:
    ///   - path: created or overwritten; its folder exists.
    ///   - mayContinue: asked before each piece; false gives up with `ClientError.abandoned`.
    /// - Throws: `ClientError.digestMismatch` when the bytes are wrong twice in a row.
    package func download(
        _ digest: ArtifactDigest, to path: String, patience: Duration? = nil,
        mayContinue: (@Sendable () -> Bool)? = nil
    ) async throws {
        do {
            do {
                try await fetch(digest, to: path, patience: patience, mayContinue: mayContinue)
            } catch ClientError.digestMismatch {
                // Damaged on the way, or damaged in the store; once more tells which.
                try await fetch(digest, to: path, patience: patience, mayContinue: mayContinue)
            }
        } catch {
            unlink(path)
            throw error
        }
    }

    private func fetch(
        _ digest: ArtifactDigest, to path: String, patience: Duration?, mayContinue: (@Sendable () -> Bool)?
    ) async throws {
        let sink = try DigestingFile(path: path)
        let target = Self.artifact(digest)
        let patience = patience ?? configuration.retryFor
        var giveUp = ContinuousClock.now.advanced(by: patience)
        var backoff = configuration.backoff
        while true {
            let before = sink.count
            var request = HTTPRequest(method: .get, target: target)
            if before > 0 { request.headers.append(("Range", "bytes=\(before)-")) }
            request.mayContinue = mayContinue
            request.receive = { head, piece in
                // A server that does not know ranges begins again.
                if head.receivedBytes == 0, head.status != 206 { try sink.restart() }
                try sink.append(piece)
            }
            do {
                let remaining = ContinuousClock.now.duration(to: giveUp)
                let answer = try await send(request, on: data, mayRepeat: true, patience: max(.zero, remaining))
                guard answer.isSuccess || answer.status == 416 else { throw refusal(answer, target: target) }
                break
            } catch let error as ClientError where error.isTransient {
                if sink.count != before {
                    backoff.reset()
                    giveUp = ContinuousClock.now.advanced(by: patience)
                }
                let wait = backoff.next(jitter: .random(in: 0..<1))
                guard ContinuousClock.now.advanced(by: wait) < giveUp else { throw error }
                try await Task.sleep(for: wait)
            }
        }
        let found = try sink.finish()
        guard found == digest else {
            throw ClientError.digestMismatch(name: "artifact \(digest)", expected: digest.hex, found: found.hex)
        }
    }

    static func artifact(_ digest: ArtifactDigest) -> String { target(["artifacts", digest.hex]) }
}
