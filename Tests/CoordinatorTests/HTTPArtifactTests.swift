import Artifacts
import BIDS
import Crypto
import Foundation
import HTTPTypes
import TestSupport
import Testing
import Wire
import Workflow

@testable import Coordinator

@Suite struct HTTPArtifactTests {
    private func bytes(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
        var generator = SeededGenerator(seed: seed)
        return (0..<count).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
    }

    @Test(arguments: [TestingKind.router, .live])
    func roundTripWithRanges(kind: TestingKind) async throws {
        try await APIFixture.with(kind) { api in
            let content = bytes(700_001)
            let digest = ArtifactDigest(of: content)
            let path = "/v1/artifacts/\(digest)"
            let worker = try await api.token(.worker)
            #expect(try await api.send(.head, path, token: worker).status == 404)
            #expect(try await api.send(.put, path, token: worker, bytes: content).status == 201)
            #expect(try await api.send(.put, path, token: worker, bytes: content).status == 200)

            let head = try await api.send(.head, path)
            #expect(head.status == 200)
            #expect(head.headers[.contentLength] == "700001")
            #expect(head.body.isEmpty)

            let whole = try await api.send(.get, path)
            #expect(whole.status == 200)
            #expect(whole.body == content)
            #expect(whole.headers[.eTag] == "\"\(digest)\"")
            #expect(whole.headers[.acceptRanges] == "bytes")

            let part = try await api.send(.get, path, headers: [.range: "bytes=262140-262150"])
            #expect(part.status == 206)
            #expect(part.body == Array(content[262140...262150]))
            #expect(part.headers[.contentRange] == "bytes 262140-262150/700001")
            #expect(try await api.send(.get, path, headers: [.range: "bytes=-5"]).body == Array(content.suffix(5)))
            #expect(
                try await api.send(.get, path, headers: [.range: "bytes=0-1", .ifRange: "\"other\""]).status == 200)

            let beyond = try await api.send(.get, path, headers: [.range: "bytes=700001-"])
            #expect(beyond.status == 416)
            #expect(beyond.headers[.contentRange] == "bytes */700001")
            #expect(try beyond.error.code == "invalid_range")

            let known = try await api.send(.get, path, headers: [.ifNoneMatch: "W/\"x\", \"\(digest)\""])
            #expect(known.status == 304)
            #expect(known.body.isEmpty)
        }
    }

    @Test func anEmptyArtifactIsAnArtifact() async throws {
        try await APIFixture.with { api in
            let digest = ArtifactDigest(of: [UInt8]())
            #expect(try await api.send(.put, "/v1/artifacts/\(digest)", bytes: []).status == 201)
            let answer = try await api.send(.get, "/v1/artifacts/\(digest)")
            #expect(answer.status == 200)
            #expect(answer.body.isEmpty)
        }
    }

    @Test func damagedAndOversizedUploadsAreRefusedAndLeaveNothing() async throws {
        try await APIFixture.with(artifactLimitBytes: 1000) { api in
            let content = bytes(900)
            let digest = ArtifactDigest(of: content)
            var damaged = content
            damaged[7] ^= 0x80
            let answer = try await api.send(.put, "/v1/artifacts/\(digest)", bytes: damaged)
            #expect(answer.status == 422)
            #expect(try answer.error.code == "digest_mismatch")
            #expect(try await api.send(.get, "/v1/artifacts/\(digest)").status == 404)

            let large = bytes(1001)
            let refused = try await api.send(.put, "/v1/artifacts/\(ArtifactDigest(of: large))", bytes: large)
            #expect(refused.status == 413)
            #expect(try refused.error.code == "too_large")
            #expect(try await api.server.parts.artifacts.entries().isEmpty)
            #expect(try await api.store.missing([digest]) == [digest])
        }
    }

    @Test func uploadsResume() async throws {
        try await APIFixture.with { api in
            let content = bytes(50_000)
            let digest = ArtifactDigest(of: content)
            let path = "/v1/uploads/\(digest)"
            func patch(_ offset: Int, _ piece: ArraySlice<UInt8>, total: Int = 50_000) async throws -> APIFixture.Answer
            {
                try await api.send(
                    .patch, path,
                    headers: [
                        .init("Upload-Offset")!: "\(offset)", .init("Upload-Length")!: "\(total)",
                        .init("Upload-Media-Type")!: "image/png",
                    ], bytes: Array(piece))
            }
            #expect(try await api.send(.head, path).headers[.init("Upload-Offset")!] == "0")
            let first = try await patch(0, content[..<20_000])
            #expect(first.status == 204)
            #expect(first.headers[.init("Upload-Offset")!] == "20000")
            #expect(try await api.send(.head, path).headers[.init("Upload-Offset")!] == "20000")

            let wrong = try await patch(10_000, content[10_000...])
            #expect(wrong.status == 409)
            #expect(try wrong.error.code == "wrong_offset")
            #expect(wrong.headers[.init("Upload-Offset")!] == "20000")

            #expect(try await patch(20_000, content[20_000...]).status == 201)
            #expect(try await api.send(.get, "/v1/artifacts/\(digest)").body == content)
            #expect(try await api.store.artifact(digest)?.mediaType == "image/png")
            #expect(try await patch(0, content[...]).status == 200)

            let damaged = try await api.send(
                .patch, "/v1/uploads/\(ArtifactDigest(of: [1] as [UInt8]))",
                headers: [.init("Upload-Offset")!: "0", .init("Upload-Length")!: "1"], bytes: [2])
            #expect(damaged.status == 422)
            #expect(try await api.send(.patch, path, bytes: [1]).status == 400)
        }
    }

    @Test func saysWhatIsMissing() async throws {
        try await APIFixture.with { api in
            let contents = (0..<3).map { bytes(100, seed: UInt64($0 + 10)) }
            let digests = contents.map { ArtifactDigest(of: $0) }
            _ = try await api.send(.put, "/v1/artifacts/\(digests[1])", bytes: contents[1])
            let missing = try await api.call(
                .post, "/v1/artifacts/missing", json: ArtifactList(digests: digests), as: ArtifactList.self)
            #expect(missing.digests == [digests[0], digests[2]])
        }
    }

    @Test func filesOfDatasetsAreServedUntilTheyChange() async throws {
        try await APIFixture.with { api in
            let content = bytes(1000)
            let path = api.folder + "/image.nii"
            try Data(content).write(to: URL(fileURLWithPath: path))
            let record = try FileDigest.sha256(of: path)
            let digest = try #require(ArtifactDigest(hex: record.hex))
            try await api.store.recordDigests([Store.DigestedFile(path: path, stamp: record.stamp, digest: digest)])
            let answer = try await api.send(.get, "/v1/artifacts/\(digest)", headers: [.range: "bytes=1-3"])
            #expect(answer.status == 206)
            #expect(answer.body == Array(content[1...3]))

            try Data(content.reversed()).write(to: URL(fileURLWithPath: path))
            let changed = try await api.send(.get, "/v1/artifacts/\(digest)")
            #expect(changed.status == 410)
            #expect(try changed.error.code == "source_changed")
        }
    }

    @Test func garbageIsCollectedAfterItsGraceAndOnlyThen() async throws {
        let content = bytes(100)
        let digest = ArtifactDigest(of: content)
        try await APIFixture.with { api in
            _ = try await api.send(.put, "/v1/artifacts/\(digest)", bytes: content)
            let report = try await api.call(.post, "/v1/gc", as: CollectionReport.self)
            #expect(report.removed == 0)
        }
        try await APIFixture.with(configure: { $0.artifactGraceSeconds = -10 }) { api in
            _ = try await api.send(.put, "/v1/artifacts/\(digest)", bytes: content)
            let report = try await api.call(.post, "/v1/gc", as: CollectionReport.self)
            #expect(report.removed == 1)
            #expect(report.bytes == 100)
            #expect(try await api.send(.get, "/v1/artifacts/\(digest)").status == 404)
            let missing = try await api.call(
                .post, "/v1/artifacts/missing", json: ArtifactList(digests: [digest]), as: ArtifactList.self)
            #expect(missing.digests == [digest])
        }
    }

    @Test func scrubbingFindsRot() async throws {
        try await APIFixture.with { api in
            let content = bytes(100)
            let digest = ArtifactDigest(of: content)
            _ = try await api.send(.put, "/v1/artifacts/\(digest)", bytes: content)
            #expect(try await api.call(.get, "/v1/fsck?scrub=true", as: CheckReport.self).violations.isEmpty)
            let path = api.server.parts.artifacts.path(of: digest)
            #expect(chmod(path, 0o644) == 0)
            try Data(content.reversed()).write(to: URL(fileURLWithPath: path))
            let report = try await api.call(.get, "/v1/fsck?scrub=true", as: CheckReport.self)
            #expect(report.violations.count == 1)
            #expect(try await api.send(.put, "/v1/artifacts/\(digest)", bytes: content).status == 201)
        }
    }
}
