import Artifacts
import CDispatch
import Dispatch
import Foundation
import Glibc
import Synchronization
import Testing
import Worker
import Workflow

/// Inputs in place, through the cache, and neither.
@Suite struct StagingTests {
    private let folder: WorkerTestFolder
    private let served = Served()

    init() throws { folder = try WorkerTestFolder() }

    /// Stands for the coordinator's store: gives bytes by digest and counts.
    private final class Served: Sendable {
        private let bytes = Mutex<[ArtifactDigest: Data]>([:])
        private let requests = Mutex<[ArtifactDigest]>([])

        func add(_ data: Data) -> ArtifactDigest {
            let digest = ArtifactDigest(of: data)
            bytes.withLock { $0[digest] = data }
            return digest
        }

        func replace(_ digest: ArtifactDigest, with data: Data) { bytes.withLock { $0[digest] = data } }
        var asked: [ArtifactDigest] { requests.withLock { $0 } }

        func fetch(_ digest: ArtifactDigest, _ path: String) throws {
            requests.withLock { $0.append(digest) }
            guard let data = bytes.withLock({ $0[digest] }) else { throw ArtifactError.notFound(digest) }
            try data.write(to: URL(fileURLWithPath: path))
        }
    }

    private func staging(limitBytes: Int64 = 1 << 30, verified: VerifiedFiles = VerifiedFiles()) throws -> Staging {
        let cache = try ArtifactCache(folder: folder.path + "/cache-\(UUID().uuidString)", limitBytes: limitBytes)
        return Staging(cache: cache, verified: verified) { [served] in try served.fetch($0, $1) }
    }

    private func input(
        _ digest: ArtifactDigest, _ size: Int, name: String = "sub-01_T1w.nii.gz", source: String? = nil
    ) -> TaskInput {
        TaskInput(
            port: "image", context: TaskContext(subject: "01"), name: name, digest: digest, sizeBytes: Int64(size),
            sourcePath: source)
    }

    private func contents(_ path: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path)) }

    @Test func aReadableSourceIsUsedInPlace() async throws {
        let source = try folder.write("voxels", to: "größe und Raum.nii")
        let digest = ArtifactDigest(of: Data("voxels".utf8))
        let name = "größe und Raum.nii"
        let staged = try await staging().stage(
            [input(digest, 6, name: name, source: source)], in: folder.path + "/inputs")
        let path = try #require(staged.inputs.first?.path)
        #expect(path.hasSuffix("/" + name))
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: path) == source)
        #expect(try contents(path) == Data("voxels".utf8))
        #expect(staged.fetchedBytes == 0)
        #expect(served.asked.isEmpty)
    }

    @Test(arguments: ["other!", "longer than that", nil])
    func aSourceWithOtherBytesIsNotUsed(_ found: String?) async throws {
        let bytes = Data("voxels".utf8)
        let source = try found.map { try folder.write($0, to: "T1w.nii") } ?? folder.path + "/absent"
        let digest = served.add(bytes)
        let staged = try await staging().stage([input(digest, 6, source: source)], in: folder.path + "/inputs")
        #expect(try contents(staged.inputs[0].path) == bytes)
        #expect(served.asked == [digest])
        #expect(staged.fetchedBytes == 6)
    }

    @Test func aVerifiedSourceIsReadOnlyOnce() async throws {
        let verified = VerifiedFiles()
        let source = try folder.write("voxels", to: "T1w.nii")
        let digest = ArtifactDigest(of: Data("voxels".utf8))
        var status = stat()
        #expect(stat(source, &status) == 0)
        #expect(try await verified.check(source, digest: digest, sizeBytes: 6) == .matches)
        // Other bytes behind the same size, time and inode: only reading again could tell.
        let file = try #require(fopen(source, "r+"))
        fputs("VOXELS", file)
        fclose(file)
        var times = [status.st_mtim, status.st_mtim]
        #expect(utimensat(AT_FDCWD, source, &times, 0) == 0)
        #expect(try await verified.check(source, digest: digest, sizeBytes: 6) == .matches)
        // Another time: it is read again.
        times[1].tv_sec -= 10
        #expect(utimensat(AT_FDCWD, source, &times, 0) == 0)
        #expect(try await verified.check(source, digest: digest, sizeBytes: 6) == .differs)
    }

    @Test func gatheredInputsMayShareAName() async throws {
        let first = served.add(Data("one".utf8))
        let second = served.add(Data("other".utf8))
        let inputs = (0..<9).map { $0 % 2 == 0 ? input(first, 3, name: "a.json") : input(second, 5, name: "a.json") }
        let staged = try await staging().stage(inputs, in: folder.path + "/inputs")
        #expect(Set(staged.inputs.map(\.path)).count == 9)
        for (index, item) in staged.inputs.enumerated() {
            #expect(item.input == inputs[index])
            #expect(try contents(item.path) == Data((index % 2 == 0 ? "one" : "other").utf8))
        }
        // Nine inputs, two artifacts, two downloads.
        #expect(served.asked.count == 2)
    }

    @Test(arguments: ["", ".", "..", "a/b", "../../etc/passwd", "a\u{0}b"])
    func aNameThatLeavesTheFolderIsRefused(_ name: String) async throws {
        let digest = served.add(Data("x".utf8))
        await #expect(throws: WorkerError.unsafeName(name, port: "image")) {
            try await staging().stage([input(digest, 1, name: name)], in: folder.path + "/inputs")
        }
        #expect(served.asked.isEmpty)
    }

    @Test func damagedBytesNeverReachAnAttempt() async throws {
        let digest = served.add(Data("voxels".utf8))
        served.replace(digest, with: Data("vOxels".utf8))
        await #expect(throws: ArtifactError.self) {
            try await staging().stage([input(digest, 6)], in: folder.path + "/inputs")
        }
        #expect(!FileManager.default.fileExists(atPath: folder.path + "/inputs/0/sub-01_T1w.nii.gz"))
    }

    @Test func theCacheMakesRoomButNotByWhatIsInUse() async throws {
        let staging = try staging(limitBytes: 100)
        let payloads = (0..<3).map { Data(repeating: UInt8($0), count: 60) }
        let digests = payloads.map(served.add)
        let first = try await staging.stage([input(digests[0], 60)], in: folder.path + "/1")
        // The first is pinned by its attempt: no room for another.
        await #expect(throws: ArtifactError.self) {
            try await staging.stage([input(digests[1], 60)], in: folder.path + "/2")
        }
        #expect(first.pins.count == 1)
        first.release()
        try await staging.stage([input(digests[1], 60)], in: folder.path + "/3").release()
        // The first has gone from the cache, not from under its attempt.
        #expect(try contents(folder.path + "/1/0/sub-01_T1w.nii.gz") == payloads[0])
        _ = try await staging.stage([input(digests[0], 60)], in: folder.path + "/4")
        #expect(served.asked == [digests[0], digests[1], digests[0]])
    }

    @Test func whatAProgramWritesOverItsInputIsItsOwnCopy() async throws {
        let fetched = served.add(Data("cached".utf8))
        let source = folder.path + "/dataset.nii.gz"
        try Data("raw".utf8).write(to: URL(fileURLWithPath: source))
        let raw = ArtifactDigest(of: Data("raw".utf8))
        let staging = try staging()
        let inputs = [input(fetched, 6), input(raw, 3, source: source)]
        let staged = try await staging.stage(inputs, in: folder.path + "/1", asCopies: true)
        for item in staged.inputs {
            // In place, as a tool does that opens its input for writing.
            let file = try FileHandle(forWritingTo: URL(fileURLWithPath: item.path))
            try file.write(contentsOf: Data("X".utf8))
            try file.close()
        }
        #expect(try contents(source) == Data("raw".utf8))
        let again = try await staging.stage(inputs, in: folder.path + "/2")
        #expect(try again.inputs.map { try contents($0.path) } == [Data("cached".utf8), Data("raw".utf8)])
    }
}
