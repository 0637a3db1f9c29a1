import Foundation
import Testing
import Workflow

@testable import Artifacts

@Suite struct ArtifactStoreTests {
    @Test func storesBytesUnderTheirDigest() async throws {
        try await withFolder { folder in
            let store = try ArtifactStore(folder: folder)
            for size in [0, 1, 1 << 20, (1 << 20) + 1, 3_500_001] {
                let bytes = seededBytes(size, seed: UInt64(size))
                let digest = ArtifactDigest(of: bytes)
                #expect(try await store.put(digest, chunks: pieces(of: bytes, 65_537)) == .stored)
                #expect(try store.size(of: digest) == Int64(size))
                let reader = try store.open(digest)
                #expect(try await reader.read(at: 0, count: size + 10) == bytes)
                if size > 100 {
                    #expect(try await reader.read(at: 77, count: 11) == Array(bytes[77..<88]))
                    #expect(try await reader.read(at: Int64(size) - 3, count: 11) == Array(bytes.suffix(3)))
                }
                #expect(try await store.put(digest, chunks: pieces(of: [1, 2, 3], 2)) == .existed)
            }
            #expect(try await store.entries().count == 5)
            #expect(try FileTree.names(in: store.partialFolder).isEmpty)
        }
    }

    @Test func refusesDamagedTruncatedAndOversizedUploads() async throws {
        try await withFolder { folder in
            let store = try ArtifactStore(folder: folder, limitBytes: 1000)
            let bytes = seededBytes(900, seed: 1)
            let digest = ArtifactDigest(of: bytes)
            var damaged = bytes
            damaged[450] ^= 1
            await #expect(throws: ArtifactError.digestMismatch(expected: digest, found: ArtifactDigest(of: damaged))) {
                try await store.put(digest, chunks: pieces(of: damaged, 100))
            }
            await #expect(throws: ArtifactError.lengthMismatch(digest, expectedBytes: 900, foundBytes: 899)) {
                try await store.put(digest, expectedBytes: 900, chunks: pieces(of: Array(bytes.dropLast()), 100))
            }
            await #expect(throws: ArtifactError.tooLarge(limitBytes: 1000)) {
                try await store.put(digest, chunks: pieces(of: seededBytes(1001, seed: 2), 100))
            }
            await #expect(throws: ArtifactError.tooLarge(limitBytes: 1000)) {
                try await store.put(digest, expectedBytes: 1001, chunks: pieces(of: bytes, 100))
            }
            await #expect(throws: Interrupted.self) {
                try await store.put(digest, chunks: InterruptedChunks(chunks: [bytes], after: 1))
            }
            #expect(try store.size(of: digest) == nil)
            #expect(try FileTree.names(in: store.partialFolder).isEmpty)
            #expect(throws: ArtifactError.notFound(digest)) { try store.open(digest) }
        }
    }

    @Test func aFileOfTheWrongSizeIsReplacedByAGoodUpload() async throws {
        try await withFolder { folder in
            let store = try ArtifactStore(folder: folder)
            let bytes = seededBytes(5000, seed: 3)
            let digest = ArtifactDigest(of: bytes)
            try await store.put(digest, chunks: pieces(of: bytes, 999))
            // Root may write read-only files, others may not.
            #expect(chmod(store.path(of: digest), 0o644) == 0)
            #expect(truncate(store.path(of: digest), 10) == 0)
            #expect(try await store.put(digest, expectedBytes: 5000, chunks: pieces(of: bytes, 999)) == .stored)
            #expect(try await store.open(digest).read(at: 0, count: 5000) == bytes)
        }
    }

    @Test func manyWritersOfOneArtifactAllSucceed() async throws {
        try await withFolder { folder in
            let store = try ArtifactStore(folder: folder)
            let bytes = seededBytes(300_000, seed: 4)
            let digest = ArtifactDigest(of: bytes)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<50 {
                    group.addTask { _ = try await store.put(digest, chunks: pieces(of: bytes, 1000 + writer)) }
                }
                try await group.waitForAll()
            }
            #expect(try await store.entries().map(\.digest) == [digest])
            #expect(try await store.open(digest).read(at: 0, count: 300_001) == bytes)
            #expect(try FileTree.names(in: store.partialFolder).isEmpty)
        }
    }

    @Test func interruptedUploadsGoOnWhereTheyStopped() async throws {
        try await withFolder { folder in
            let store = try ArtifactStore(folder: folder)
            let bytes = seededBytes(2_500_000, seed: 5)
            let digest = ArtifactDigest(of: bytes)
            let total = Int64(bytes.count)
            let first = [Array(bytes[..<700_000]), Array(bytes[700_000..<1_400_000])]
            await #expect(throws: Interrupted.self) {
                _ = try await store.append(
                    digest, at: 0, totalBytes: total, chunks: InterruptedChunks(chunks: first, after: 2))
            }
            #expect(try store.uploadOffset(of: digest) == 1_400_000)
            #expect(try store.size(of: digest) == nil)
            await #expect(throws: ArtifactError.wrongOffset(digest, storedBytes: 1_400_000, givenBytes: 1_000_000)) {
                try await store.append(
                    digest, at: 1_000_000, totalBytes: total, chunks: pieces(of: Array(bytes[1_000_000...]), 4096))
            }
            // Another process, after a restart, goes on.
            let later = try ArtifactStore(folder: folder)
            #expect(
                try await later.append(
                    digest, at: 1_400_000, totalBytes: total,
                    chunks: pieces(of: Array(bytes[1_400_000..<1_500_000]), 4096))
                    == .incomplete(storedBytes: 1_500_000))
            #expect(
                try await later.append(
                    digest, at: 1_500_000, totalBytes: total, chunks: pieces(of: Array(bytes[1_500_000...]), 4096))
                    == .stored)
            #expect(try await later.open(digest).digest() == digest)
            #expect(try later.uploadOffset(of: digest) == 0)
            #expect(
                try await later.append(digest, at: 0, totalBytes: total, chunks: pieces(of: bytes, 4096)) == .existed)
        }
    }

    @Test func aResumedUploadOfWrongBytesIsDiscarded() async throws {
        try await withFolder { folder in
            let store = try ArtifactStore(folder: folder)
            let digest = ArtifactDigest(of: seededBytes(10, seed: 6))
            let other = seededBytes(10, seed: 7)
            await #expect(throws: ArtifactError.digestMismatch(expected: digest, found: ArtifactDigest(of: other))) {
                try await store.append(digest, at: 0, totalBytes: 10, chunks: pieces(of: other, 3))
            }
            await #expect(throws: ArtifactError.lengthMismatch(digest, expectedBytes: 10, foundBytes: 11)) {
                try await store.append(digest, at: 0, totalBytes: 10, chunks: pieces(of: other + [1], 30))
            }
            #expect(try store.uploadOffset(of: digest) == 0)
            #expect(try await store.entries().isEmpty)
        }
    }

    @Test func scrubFindsAndRemovesRot() async throws {
        try await withFolder { folder in
            let store = try ArtifactStore(folder: folder)
            let digest = ArtifactDigest(of: [1, 2, 3] as [UInt8])
            try await store.put(digest, chunks: pieces(of: [1, 2, 3], 1))
            try await store.scrub(digest)
            #expect(chmod(store.path(of: digest), 0o644) == 0)
            try Data([1, 2, 4]).write(to: URL(fileURLWithPath: store.path(of: digest)))
            await #expect(throws: ArtifactError.damaged(digest, path: store.path(of: digest))) {
                try await store.scrub(digest)
            }
            #expect(try !store.contains(digest))
            await #expect(throws: ArtifactError.notFound(digest)) { try await store.scrub(digest) }
        }
    }

    @Test func addsFilesAndRemovesWhatWasAbandoned() async throws {
        try await withFolder { folder in
            let store = try ArtifactStore(folder: folder + "/store")
            let bytes = seededBytes(1_234_567, seed: 8)
            try Data(bytes).write(to: URL(fileURLWithPath: folder + "/file"))
            let added = try await store.add(fileAt: folder + "/file")
            #expect(added.digest == ArtifactDigest(of: bytes))
            #expect(added.sizeBytes == 1_234_567)
            #expect(try await store.add(fileAt: folder + "/file").digest == added.digest)
            #expect(try FileTree.names(in: store.partialFolder).isEmpty)

            let other = ArtifactDigest(of: [9] as [UInt8])
            _ = try await store.append(other, at: 0, totalBytes: 9, chunks: pieces(of: [1, 2, 3], 1))
            #expect(try store.removeAbandonedUploads(olderThanSeconds: 3600) == 0)
            #expect(try store.removeAbandonedUploads(olderThanSeconds: -10) == 3)
            #expect(try store.uploadOffset(of: other) == 0)
            #expect(try store.remove(added.digest))
            #expect(try !store.remove(added.digest))
        }
    }

    /// /dev/full refuses every write the way a full disk does.
    @Test(.enabled(if: FileManager.default.fileExists(atPath: "/dev/full"), "needs /dev/full"))
    func aFullDiskIsSaidToBeFull() throws {
        let file = try FileDescriptor("/dev/full", flags: O_WRONLY)
        #expect(throws: ArtifactError.storageFull(path: "/dev/full")) {
            try [UInt8](repeating: 1, count: 10).withUnsafeBytes { try file.write($0) }
        }
    }

    @Test func anUploadThatCannotFitIsRefusedBeforeItsBytesAreRead() async throws {
        try await withFolder { folder in
            let store = try ArtifactStore(folder: folder, limitBytes: .max)
            let digest = ArtifactDigest(of: [1] as [UInt8])
            await #expect(throws: ArtifactError.storageFull(path: folder)) {
                try await store.put(digest, expectedBytes: 1 << 60, chunks: InterruptedChunks(chunks: [], after: 0))
            }
        }
    }
}
