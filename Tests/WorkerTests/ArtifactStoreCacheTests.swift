import Foundation
import Testing
import Workflow

@testable import Artifacts

@Suite struct ArtifactStoreCacheTests {
    private func item(_ number: Int, size: Int = 100) -> (digest: ArtifactDigest, bytes: [UInt8]) {
        let bytes = seededBytes(size, seed: UInt64(number) + 1000)
        return (ArtifactDigest(of: bytes), bytes)
    }

    private func bring(_ cache: ArtifactCache, _ number: Int) async throws -> PinnedArtifact {
        let (digest, bytes) = item(number)
        return try await cache.artifact(digest, sizeBytes: Int64(bytes.count)) { path in
            try Data(bytes).write(to: URL(fileURLWithPath: path))
        }
    }

    @Test func evictsTheLeastRecentlyUsedAndNeverWhatIsPinned() async throws {
        try await withFolder { folder in
            let cache = try ArtifactCache(folder: folder, limitBytes: 300)
            let zero = try await bring(cache, 0)
            for number in [1, 2, 1, 3] { _ = try await bring(cache, number) }
            // Room for three: 0 is pinned, 1 was used after 2.
            #expect(cache.usedBytes == 300)
            #expect(try await cache.artifactIfPresent(item(0).digest) != nil)
            #expect(try await cache.artifactIfPresent(item(1).digest) != nil)
            #expect(try await cache.artifactIfPresent(item(2).digest) == nil)
            #expect(!FileManager.default.fileExists(atPath: cache.path(of: item(2).digest)))
            #expect(try Array(Data(contentsOf: URL(fileURLWithPath: zero.path))) == item(0).bytes)

            let one = try await bring(cache, 1)
            let three = try await bring(cache, 3)
            await #expect(
                throws: ArtifactError.cacheFull(neededBytes: 100, limitBytes: 300, pinnedBytes: 300)
            ) { _ = try await bring(cache, 4) }
            withExtendedLifetime((zero, one, three)) {}
        }
    }

    @Test func aPinEndsWithItsHolder() async throws {
        try await withFolder { folder in
            let cache = try ArtifactCache(folder: folder, limitBytes: 100)
            for number in 0..<5 { _ = try await bring(cache, number) }
            #expect(cache.usedBytes == 100)
        }
    }

    @Test func attemptsThatNeedTheSameShareOneDownload() async throws {
        try await withFolder { folder in
            let cache = try ArtifactCache(folder: folder, limitBytes: 1000)
            let (digest, bytes) = item(7)
            let downloads = Counter()
            try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<20 {
                    group.addTask {
                        try await cache.artifact(digest, sizeBytes: 100) { path in
                            downloads.next()
                            await Task.yield()
                            try Data(bytes).write(to: URL(fileURLWithPath: path))
                        }.path
                    }
                }
                for try await path in group { #expect(path == cache.path(of: digest)) }
            }
            #expect(downloads.value == 1)
            #expect(cache.usedBytes == 100)
        }
    }

    @Test func afterAFailedDownloadTheNextOneWaitingTakesOver() async throws {
        try await withFolder { folder in
            let cache = try ArtifactCache(folder: folder, limitBytes: 1000)
            let (digest, bytes) = item(8)
            let downloads = Counter()
            let failures = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<10 {
                    group.addTask {
                        do {
                            _ = try await cache.artifact(digest, sizeBytes: 100) { path in
                                let number = downloads.next()
                                await Task.yield()
                                if number <= 3 { throw Interrupted() }
                                try Data(bytes).write(to: URL(fileURLWithPath: path))
                            }
                            return 0
                        } catch is Interrupted {
                            return 1
                        }
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(failures == 3)
            #expect(downloads.value == 4)
            #expect(cache.usedBytes == 100)
        }
    }

    @Test func wrongBytesAreRefused() async throws {
        try await withFolder { folder in
            let cache = try ArtifactCache(folder: folder, limitBytes: 1000)
            let (digest, _) = item(9)
            let other = item(10)
            await #expect(throws: ArtifactError.digestMismatch(expected: digest, found: other.digest)) {
                try await cache.artifact(digest, sizeBytes: 100) { path in
                    try Data(other.bytes).write(to: URL(fileURLWithPath: path))
                }
            }
            await #expect(throws: ArtifactError.lengthMismatch(digest, expectedBytes: 100, foundBytes: 1)) {
                try await cache.artifact(digest, sizeBytes: 100) { path in
                    try Data([1]).write(to: URL(fileURLWithPath: path))
                }
            }
            #expect(cache.usedBytes == 0)
            #expect(try FileTree.names(in: folder + "/partial").isEmpty)
        }
    }

    @Test func aRestartKeepsWhatIsSoundAndBringsAgainWhatIsDamaged() async throws {
        try await withFolder { folder in
            var cache: ArtifactCache? = try ArtifactCache(folder: folder, limitBytes: 1000)
            for number in 0..<3 { _ = try await bring(cache!, number) }
            #expect(throws: ArtifactError.cacheInUse(path: folder)) {
                try ArtifactCache(folder: folder, limitBytes: 1000)
            }
            let damaged = cache!.path(of: item(1).digest)
            cache = nil
            try Data(item(5).bytes).write(to: URL(fileURLWithPath: damaged))

            let again = try ArtifactCache(folder: folder, limitBytes: 1000)
            #expect(again.usedBytes == 300)
            #expect(try await again.artifactIfPresent(item(0).digest) != nil)
            #expect(try await again.artifactIfPresent(item(1).digest) == nil)
            let pin = try await bring(again, 1)
            #expect(try Array(Data(contentsOf: URL(fileURLWithPath: pin.path))) == item(1).bytes)
            #expect(again.usedBytes == 300)
        }
    }

    @Test func aSmallerLimitAfterARestartTrims() async throws {
        try await withFolder { folder in
            var cache: ArtifactCache? = try ArtifactCache(folder: folder, limitBytes: 1000)
            for number in 0..<3 { _ = try await bring(cache!, number) }
            cache = nil
            #expect(try ArtifactCache(folder: folder, limitBytes: 150).usedBytes == 100)
        }
    }

    @Test func adoptsFilesAndPlacesThem() async throws {
        try await withFolder { folder in
            let cache = try ArtifactCache(folder: folder + "/cache", limitBytes: 1000)
            let (digest, bytes) = item(11)
            try Data(bytes).write(to: URL(fileURLWithPath: folder + "/output"))
            let pin = try await cache.adopt(fileAt: folder + "/output", as: digest, sizeBytes: 100)
            try pin.place(at: folder + "/input")
            #expect(try Array(Data(contentsOf: URL(fileURLWithPath: folder + "/input"))) == bytes)
            #expect(throws: ArtifactError.self) { try pin.place(at: folder + "/input") }
        }
    }

    @Test func waitingIsCancellable() async throws {
        try await withFolder { folder in
            let cache = try ArtifactCache(folder: folder, limitBytes: 1000)
            let (digest, bytes) = item(12)
            let (gate, open) = AsyncStream.makeStream(of: Void.self)
            let (started, start) = AsyncStream.makeStream(of: Void.self)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    _ = try await cache.artifact(digest, sizeBytes: 100) { path in
                        start.finish()
                        for await _ in gate {}
                        try Data(bytes).write(to: URL(fileURLWithPath: path))
                    }
                }
                for await _ in started {}
                // Unstructured, because it is to be cancelled while the download goes on; awaited below.
                let waiter = Task {
                    _ = try await cache.artifact(digest, sizeBytes: 100) { _ in throw Interrupted() }
                }
                waiter.cancel()
                await #expect(throws: CancellationError.self) { try await waiter.value }
                open.finish()
                try await group.waitForAll()
            }
            #expect(try await cache.artifactIfPresent(digest) != nil)
        }
    }
}
