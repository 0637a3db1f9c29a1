import CoordinatorClient
import Foundation
import Synchronization
import TestSupport
import Testing
import Wire
import Worker
import Workflow

/// Workers and client with a real coordinator on a real PostgreSQL.
@Suite struct WorkerCoordinatorTests {
    @Test func aGraphIsComputedByTwoWorkers() async throws {
        try await WorkerTestSite.with { site in
            let source = try site.folder.write("größe\n", to: "an input.txt")
            let data = Data("größe\n".utf8)
            let file = FileReference(
                path: source, name: "an input.txt", digest: ArtifactDigest(of: data), sizeBytes: Int64(data.count))
            let run = try await site.submit([
                .k(0, files: [file]), .k(1), .k(2, from: [0, 1]), .k(3, from: [2]),
            ])
            try await site.withWorker(name: "a", child: WorkerTestSite.joiningChild) { _ in
                try await site.withWorker(name: "b", child: WorkerTestSite.joiningChild) { _ in
                    let summary = try await site.settled(run)
                    #expect(summary.state == .succeeded)
                    #expect(summary.counts.succeeded == 4)
                }
            }
            let last = try await site.detail(run, 3)
            let output = try #require(last.outputs.first)
            #expect(try await site.text(output.digest) == "größe\ntask 0\ntask 1\ntask 2\ntask 3\n")
            #expect(last.attempts.map(\.outcome) == [.succeeded])
            #expect(try await site.client.check() == [])
        }
    }

    @Test func whatADrainingWorkerHandsBackGoesToAnother() async throws {
        try await WorkerTestSite.with { site in
            let run = try await site.submit([.k(0)])
            let begun = site.folder.path + "/begun"
            try await site.withWorker(
                name: "leaving", child: "touch '\(begun)'; exec sleep 1000", drainGrace: .milliseconds(10)
            ) { _ in
                #expect(await eventually { FileManager.default.fileExists(atPath: begun) })
            }
            #expect(try await site.client.run(run).counts.ready == 1)
            try await site.withWorker(name: "staying", child: WorkerTestSite.joiningChild) { _ in
                let state = try await site.settled(run).state
                #expect(state == .succeeded)
            }
            let outcomes = try await site.detail(run, 0).attempts.map(\.outcome)
            // Handed back without penalty; once more when a claim was just being answered as draining began.
            #expect(outcomes.last == .succeeded)
            #expect(outcomes.count > 1 && outcomes.dropLast().allSatisfy { $0 == .released })
            #expect(try await site.client.check() == [])
        }
    }

    @Test func aCrashEndsOneAttemptAndIsKept() async throws {
        try await WorkerTestSite.with { site in
            let run = try await site.submit([.k(0), .k(1)])
            let mark = site.folder.path + "/crashed"
            // Task 0 crashes at its first attempt, task 1 always fails for good.
            let failure =
                #"{"outputs":[],"measurements":[],"warnings":[],"failure":{"outcome":"permanent","message":"no T1w"}}"#
            let child = """
                echo "attempt begins"
                if grep -q '"n":1' "$2/task.json"; then echo '\(failure)' > "$2/result.json"; exit 1; fi
                if [ ! -e '\(mark)' ]; then touch '\(mark)'; kill -SEGV $$; fi
                \(WorkerTestSite.joiningChild)
                """
            try await site.withWorker(child: child) { _ in
                let state = try await site.settled(run).state
                #expect(state == .finishedWithFailures)
            }
            let crashed = try await site.detail(run, 0)
            #expect(crashed.attempts.map(\.outcome) == [.crashed, .succeeded])
            let first = try #require(crashed.attempts.first)
            #expect(first.usage?.signal == Int(SIGSEGV))
            #expect(first.message?.contains("SIGSEGV") == true)
            #expect(first.logTail == "attempt begins\n")
            let failed = try await site.detail(run, 1)
            #expect(failed.summary.state == .failed)
            #expect(failed.attempts.map(\.message) == ["no T1w"])
        }
    }

    @Test func anAttemptThatUsesTooMuchGetsMoreTheNextTime() async throws {
        try await WorkerTestSite.with { site in
            let run = try await site.submit([.k(0, memoryMiB: 64)])
            let child = """
                if grep -q '"memoryMiB":64' "$2/task.json"; then cat /dev/zero | tail -c 2000000000; fi
                \(WorkerTestSite.joiningChild)
                """
            try await site.withWorker(child: child) { _ in
                let state = try await site.settled(run).state
                #expect(state == .succeeded)
            }
            let attempts = try await site.detail(run, 0).attempts
            #expect(attempts.map(\.outcome) == [.outOfMemory, .succeeded])
            #expect((attempts.first?.usage?.peakResidentMiB ?? 0) > 64)
        }
    }

    @Test func anAttemptOutlivesItsCoordinator() async throws {
        try await WorkerTestSite.with { site in
            let run = try await site.submit([.k(0), .k(1, from: [0])])
            let (begun, gate) = (site.folder.path + "/begun", site.folder.path + "/gate")
            let child = """
                touch '\(begun)'
                while [ ! -e '\(gate)' ]; do sleep 0.01; done
                \(WorkerTestSite.joiningChild)
                """
            try await site.withWorker(child: child) { _ in
                #expect(await eventually { FileManager.default.fileExists(atPath: begun) })
                await site.stop()
                // It ends while nobody can be told, and is published once somebody can.
                _ = try site.folder.write("", to: "gate")
                try await site.start()
                let state = try await site.settled(run).state
                #expect(state == .succeeded)
            }
            #expect(try await site.detail(run, 0).attempts.map(\.outcome) == [.succeeded])
            #expect(try await site.client.check() == [])
        }
    }

    @Test func aSourceThatChangedIsNotComputedWith() async throws {
        try await WorkerTestSite.with { site in
            let source = try site.folder.write("as it was", to: "input.txt")
            let file = FileReference(
                path: source, name: "input.txt", digest: ArtifactDigest(of: Data("as it was".utf8)), sizeBytes: 9)
            let run = try await site.submit([.k(0, files: [file])])
            _ = try site.folder.write("as it is now", to: "input.txt")
            try await site.withWorker(child: WorkerTestSite.joiningChild) { _ in
                let state = try await site.settled(run).state
                #expect(state == .finishedWithFailures)
            }
            let attempts = try await site.detail(run, 0).attempts
            #expect(attempts.count >= 1)
            #expect(attempts.allSatisfy { $0.outcome != .succeeded })
        }
    }

    @Test func aBrokenUploadGoesOnWhereTheCoordinatorIs() async throws {
        try await WorkerTestSite.with { site in
            let client = try site.client
            var generator = SeededGenerator(seed: 11)
            let bytes = Data((0..<6_000_000).map { _ in UInt8.random(in: 0...255, using: &generator) })
            let digest = ArtifactDigest(of: bytes)
            let path = site.folder.path + "/big"
            try bytes.write(to: URL(fileURLWithPath: path))
            let pieces = Mutex(0)
            await #expect(throws: ClientError.self) {
                try await client.upload(
                    path, digest: digest, sizeBytes: Int64(bytes.count), mediaType: "x/y",
                    mayContinue: {
                        pieces.withLock { pieces in
                            pieces += 1
                            return pieces < 12
                        }
                    })
            }
            #expect(try await client.artifactSize(digest) == nil)
            // The coordinator may still be writing what arrived.
            var kept: Int64 = 0
            while kept == 0 { kept = try await client.uploadedBytes(of: digest) }
            #expect(kept < Int64(bytes.count))
            try await client.upload(path, digest: digest, sizeBytes: Int64(bytes.count), mediaType: "x/y")
            #expect(try await client.artifactSize(digest) == Int64(bytes.count))
            #expect(try await client.missing([digest]) == [])
            let copy = site.folder.path + "/copy"
            try await client.download(digest, to: copy)
            #expect(try Data(contentsOf: URL(fileURLWithPath: copy)) == bytes)
        }
    }

    @Test func wrongBytesAreRefusedByTheCoordinator() async throws {
        try await WorkerTestSite.with { site in
            let path = try site.folder.write("these bytes", to: "file")
            let digest = ArtifactDigest(of: Data("other bytes".utf8))
            let error = await #expect(throws: APIError.self) {
                try await site.client.upload(path, digest: digest, sizeBytes: 11, mediaType: "x/y")
            }
            #expect(error?.code == "digest_mismatch")
            #expect(try await site.client.missing([digest]) == [digest])
        }
    }

    @Test func tokensAreAskedForAndListed() async throws {
        try await WorkerTestSite.with { site in
            let grant = try await site.client.createToken(TokenRequest(name: "lab größe", role: .worker))
            #expect(try await site.client.tokens().map(\.name) == ["lab größe"])
            var configuration = ClientConfiguration(baseURL: site.url, token: grant.secret)
            let worker = try CoordinatorClient(configuration, environment: [:])
            _ = try await worker.openSession(WorkerTestSite.sessionRequest("w"))
            #expect(try await site.client.workers().map(\.worker) == ["w"])
            let forbidden = await #expect(throws: APIError.self) { try await worker.runs() }
            #expect(forbidden?.code == "forbidden")
            try await site.client.revokeToken(name: "lab größe")
            configuration.token = nil
            let anonymous = try CoordinatorClient(configuration, environment: [:])
            for client in [worker, anonymous] {
                let refusal = await #expect(throws: APIError.self) { try await client.tokens() }
                #expect(refusal?.code == "unauthorized")
            }
        }
    }

    @Test func theEngineAddsLittleToATask() async throws {
        try await WorkerTestSite.with { site in
            let count = 40
            let run = try await site.submit((0..<count).map { .k($0) })
            let child = """
                echo '{"outputs":[],"measurements":[{"metric":"one","value":1,"unit":"1"}],"warnings":[]}' > "$2/result.json"
                """
            let begin = ContinuousClock.now
            try await site.withWorker(cores: 1, child: child) { _ in
                let summary = try await site.settled(run)
                #expect(summary.counts.succeeded == count)
            }
            // Printed, not asserted: the machine may be busy.
            let each = begin.duration(to: .now) / .milliseconds(1) / Double(count)
            print("engine overhead: \(String(format: "%.1f", each)) ms per task, one core, one after the other")
        }
    }
}
