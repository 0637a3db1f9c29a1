import Foundation
import Wire
import Workflow

extension CoordinatorClient {
    /// Files up to this size are sent in one piece and from the start after a break.
    private static let wholeUploadBytes: Int64 = 4 << 20

    /// Sends a file to the store, resuming where a broken connection left off. Sending what is there already is
    /// harmless and quick.
    ///
    /// - Parameters:
    ///   - digest, sizeBytes: of the file's bytes as they are now; the coordinator refuses any others.
    ///   - patience: how long to go on without progress.
    ///   - mayContinue: asked before each piece; false gives up with `ClientError.abandoned`.
    package func upload(
        _ path: String, digest: ArtifactDigest, sizeBytes: Int64, mediaType: String, patience: Duration? = nil,
        mayContinue: (@Sendable () -> Bool)? = nil
    ) async throws {
        let upload = Upload(path: path, digest: digest, sizeBytes: sizeBytes, mediaType: mediaType)
        if sizeBytes <= Self.wholeUploadBytes {
            try await uploadWhole(upload, patience: patience, mayContinue: mayContinue)
        } else {
            try await uploadResumably(upload, patience: patience, mayContinue: mayContinue)
        }
    }

    private struct Upload {
        var path: String
        var digest: ArtifactDigest
        var sizeBytes: Int64
        var mediaType: String
    }

    private func uploadWhole(
        _ upload: Upload, patience: Duration?, mayContinue: (@Sendable () -> Bool)?
    ) async throws {
        let target = Self.artifact(upload.digest)
        var request = HTTPRequest(method: .put, target: target)
        request.headers = [("Content-Type", upload.mediaType)]
        request.body = .file(path: upload.path, offset: 0, length: upload.sizeBytes)
        request.mayContinue = mayContinue
        let answer = try await send(request, on: data, mayRepeat: true, patience: patience)
        guard answer.isSuccess else { throw refusal(answer, target: target) }
    }

    private func uploadResumably(
        _ upload: Upload, patience: Duration?, mayContinue: (@Sendable () -> Bool)?
    ) async throws {
        let target = Self.target(["uploads", upload.digest.hex])
        let patience = patience ?? configuration.retryFor
        var giveUp = ContinuousClock.now.advanced(by: patience)
        var backoff = configuration.backoff
        var furthest: Int64 = -1
        var mayStartOver = true
        while true {
            let offset = try await uploadOffset(target, patience: patience)
            if offset > furthest {
                furthest = offset
                backoff.reset()
                giveUp = ContinuousClock.now.advanced(by: patience)
            }
            var request = HTTPRequest(method: .patch, target: target)
            request.headers = [
                ("Content-Type", "application/octet-stream"), ("Upload-Offset", "\(offset)"),
                ("Upload-Length", "\(upload.sizeBytes)"), ("Upload-Media-Type", upload.mediaType),
            ]
            let start = min(offset, upload.sizeBytes)
            request.body = .file(path: upload.path, offset: start, length: upload.sizeBytes - start)
            request.mayContinue = mayContinue
            let stopped: any Error
            do {
                let answer = try await send(request, on: data, mayRepeat: false, patience: patience)
                if answer.status == 201 || answer.status == 200 { return }
                let error = refusal(answer, target: target)
                switch answer.status {
                case 204, 409, 429, 502, 503, 504:
                    // Part of it was taken, or another upload of the same bytes is ahead: see how far it is.
                    stopped = error
                case 422 where mayStartOver:
                    // The pieces of an earlier try were damaged and are discarded now.
                    (mayStartOver, furthest, stopped) = (false, -1, error)
                default: throw error
                }
            } catch let error as ClientError where error.isTransient {
                stopped = error
            }
            let wait = backoff.next(jitter: .random(in: 0..<1))
            guard ContinuousClock.now.advanced(by: wait) < giveUp else { throw stopped }
            try await Task.sleep(for: wait)
        }
    }

    /// How many bytes of an unfinished upload the coordinator has; 0 when it knows of none.
    package func uploadedBytes(of digest: ArtifactDigest) async throws -> Int64 {
        try await uploadOffset(Self.target(["uploads", digest.hex]), patience: configuration.retryFor)
    }

    private func uploadOffset(_ target: String, patience: Duration) async throws -> Int64 {
        let answer = try await send(
            HTTPRequest(method: .head, target: target), on: control, mayRepeat: true, patience: patience)
        if answer.status == 404 { return 0 }
        guard answer.isSuccess else { throw refusal(answer, target: target) }
        guard let offset = answer.headers["upload-offset"].flatMap({ Int64($0) }), offset >= 0 else { return 0 }
        return offset
    }
}
