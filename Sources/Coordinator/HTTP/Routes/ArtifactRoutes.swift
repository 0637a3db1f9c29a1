import Artifacts
import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import Wire
import Workflow

/// Bytes by digest. Files of datasets and atlases that the index knows are served too, from where they lie.
func artifactRoutes(_ parts: CoordinatorParts) -> [APIRoute] {
    let digest = APIRoute.Parameter.path("digest", WireSchemas.digest)
    let range = APIRoute.Parameter.header("Range", .string("One range of bytes."))
    let tag = "artifacts"
    return [
        APIRoute(
            .post, "/v1/artifacts/missing", .workers, operation: "missingArtifacts", tag: tag,
            summary: "Which of these the store does not have.", body: .json("ArtifactList"),
            answers: [.init(200, .json("ArtifactList"), "The missing ones.")]
        ) { request, _ in
            let body = try await request.decoded(as: ArtifactList.self)
            return try .json(ArtifactList(digests: try await parts.missing(body.digests)))
        },
        APIRoute(
            .get, "/v1/artifacts/{digest}", .anyRole, operation: "readArtifact", tag: tag,
            summary: "The bytes, or a range of them.",
            parameters: [digest, range, .header("If-None-Match", .string()), .header("If-Range", .string())],
            answers: [
                .init(200, .bytes, "All bytes."), .init(206, .bytes, "The range."),
                .init(304, .nothing, "The client has them."),
            ], errors: [404, 410, 416]
        ) { request, context in
            let digest = try context.digest()
            return try answer(request, digest, try await parts.open(digest), parts.telemetry)
        },
        APIRoute(
            .head, "/v1/artifacts/{digest}", .anyRole, operation: "describeArtifact", tag: tag,
            summary: "The size, without the bytes.", parameters: [digest],
            answers: [.init(200, .nothing, "It is there; Content-Length is its size.")], errors: [404, 410]
        ) { request, context in
            let digest = try context.digest()
            return try answer(request, digest, try await parts.open(digest), parts.telemetry)
        },
        APIRoute(
            .put, "/v1/artifacts/{digest}", .workers, operation: "storeArtifact", tag: tag,
            summary: "Stores bytes, if their SHA-256 is the one named.", parameters: [digest], body: .bytes,
            answers: [
                .init(201, .json("Status"), "Stored."), .init(200, .json("Status"), "It was there already."),
            ], errors: [422, 507]
        ) { request, context in
            let digest = try context.digest()
            let length = try request.byteCount(.contentLength)
            let outcome = try await parts.artifacts.put(digest, expectedBytes: length, chunks: request.body.views)
            return try await parts.stored(
                digest, existed: outcome == .existed, mediaType: request.headers[.contentType])
        },
    ]
}

/// Uploads in several requests.
func uploadRoutes(_ parts: CoordinatorParts) -> [APIRoute] {
    let digest = APIRoute.Parameter.path("digest", WireSchemas.digest)
    let count = Schema.integer(minimum: 0)
    let tag = "artifacts"
    return [
        APIRoute(
            .head, "/v1/uploads/{digest}", .workers, operation: "describeUpload", tag: tag,
            summary: "How much of an unfinished upload is there, in the header Upload-Offset.", parameters: [digest],
            answers: [.init(200, .nothing, "Upload-Offset is where to go on.")]
        ) { _, context in
            let offset = try parts.artifacts.uploadOffset(of: context.digest())
            return Response(status: .ok, headers: [.uploadOffset: "\(offset)", .cacheControl: "no-store"])
        },
        APIRoute(
            .patch, "/v1/uploads/{digest}", .workers, operation: "continueUpload", tag: tag,
            summary: "Appends to an upload; the artifact is stored when it is complete.",
            parameters: [
                digest, .header("Upload-Offset", count, isRequired: true),
                .header("Upload-Length", count, isRequired: true), .header("Upload-Media-Type", .string()),
            ], body: .bytes,
            answers: [
                .init(201, .json("Status"), "Complete and stored."),
                .init(200, .json("Status"), "It was there already."),
                .init(204, .nothing, "More is to come, from Upload-Offset."),
            ], errors: [409, 422, 507]
        ) { request, context in
            let digest = try context.digest()
            guard let offset = try request.byteCount(.uploadOffset), let total = try request.byteCount(.uploadLength)
            else {
                throw APIFailure.invalid("An upload needs the headers Upload-Offset and Upload-Length, in bytes.")
            }
            guard offset <= total else {
                throw APIFailure.invalid("Upload-Offset \(offset) lies beyond Upload-Length \(total).")
            }
            let outcome = try await parts.artifacts.append(
                digest, at: offset, totalBytes: total, chunks: request.body.views)
            if case .incomplete(let stored) = outcome {
                return Response(status: .noContent, headers: [.uploadOffset: "\(stored)"])
            }
            return try await parts.stored(
                digest, existed: outcome == .existed, mediaType: request.headers[.uploadMediaType])
        },
    ]
}

/// Whole, part or headers only, as the request asks.
private func answer(
    _ request: Request, _ digest: ArtifactDigest, _ reader: ArtifactReader, _ telemetry: Telemetry
) throws -> Response {
    let tag = "\"\(digest.hex)\""
    var headers: HTTPFields = [
        .eTag: tag, .acceptRanges: "bytes", .contentType: "application/octet-stream",
        .cacheControl: "private, max-age=31536000, immutable",
    ]
    if let known = request.headers[.ifNoneMatch],
        known.split(separator: ",").contains(where: { $0.trimmingPrefix(" ").trimmingPrefix("W/") == tag || $0 == "*" })
    {
        return Response(status: .notModified, headers: headers)
    }
    let size = reader.sizeBytes
    let mayBePart = request.method == .get && (request.headers[.ifRange].map { $0 == tag } ?? true)
    var (offset, length, status) = (Int64(0), size, HTTPResponse.Status.ok)
    switch ByteRange(header: mayBePart ? request.headers[.range] : nil, sizeBytes: size) {
    case .whole: break
    case .part(let first, let count):
        (offset, length, status) = (first, count, .partialContent)
        headers[.contentRange] = "bytes \(first)-\(first + count - 1)/\(size)"
    case .unsatisfiable:
        throw APIFailure(
            .rangeNotSatisfiable, "invalid_range", "The range lies outside the \(size) bytes of artifact \(digest).",
            headers: [.contentRange: "bytes */\(size)"])
    }
    let body = ResponseBody(contentLength: Int(length)) { [offset, length] writer in
        var position = offset
        let end = offset + length
        while position < end {
            let piece = try await reader.read(at: position, count: Int(min(1 << 18, end - position)))
            // Cutting the answer short tells the client that something is wrong; wrong bytes would not.
            guard !piece.isEmpty else { throw ArtifactError.notFound(digest) }
            // Waits while the client's buffers are full.
            try await writer.write(ByteBuffer(bytes: piece))
            position += Int64(piece.count)
            telemetry.update { $0.servedBytes += Int64(piece.count) }
        }
        try await writer.finish(nil)
    }
    return Response(status: status, headers: headers, body: body)
}
