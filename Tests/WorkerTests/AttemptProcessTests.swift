import Foundation
import Testing
import Worker

/// Real child processes: how they end, what they may use, what they leave.
@Suite struct AttemptProcessTests {
    private static let hasPython = FileManager.default.isExecutableFile(atPath: "/usr/bin/python3")

    private let folder: WorkerTestFolder

    init() throws { folder = try WorkerTestFolder() }

    private var log: String { (try? String(contentsOfFile: folder.path + "/log", encoding: .utf8)) ?? "" }

    private func process(
        _ script: String, program: String = "/bin/sh", memoryMiB: Int64 = 4096, addressSpaceBytes: Int64? = nil,
        seconds: Double = 600, grace: Duration = .seconds(600), environment: [String: String] = [:]
    ) -> AttemptProcess {
        AttemptProcess(
            AttemptProcess.Request(
                executable: program, arguments: ["-c", script],
                environment: ["PATH": "/usr/bin:/bin"].merging(environment) { $1 }, workingFolder: folder.path,
                logPath: folder.path + "/log", memoryLimitBytes: memoryMiB << 20, addressSpaceBytes: addressSpaceBytes,
                deadline: .now.advanced(by: .seconds(seconds)), terminationGrace: grace,
                samplingInterval: .milliseconds(20)))
    }

    @Test func aProcessThatEndsWellIsReportedWithItsLog() async throws {
        let end = try await process("echo out; echo err >&2; pwd; echo $GREETING", environment: ["GREETING": "grüße"])
            .run()
        #expect(end.exitCode == 0)
        #expect(end.signal == nil)
        #expect(end.intervention == nil)
        #expect(log == "out\nerr\n\(folder.path)\ngrüße\n")
    }

    @Test(arguments: [1, 3, 127]) func anExitCodeIsPassedOn(_ code: Int) async throws {
        let end = try await process("exit \(code)").run()
        #expect(end.exitCode == code)
    }

    @Test(arguments: [SIGSEGV, SIGABRT, SIGBUS, SIGKILL]) func aSignalIsPassedOn(_ signal: Int32) async throws {
        let end = try await process("kill -\(signal) $$").run()
        #expect(end.signal == Int(signal))
        #expect(end.exitCode == nil)
        #expect(end.intervention == nil)
    }

    @Test func memoryOfTheWholeGroupCounts() async throws {
        // `tail` keeps the end of what it has read so far, and this never ends; it is a grandchild.
        let end = try await process("cat /dev/zero | tail -c 2000000000 & wait", memoryMiB: 96).run()
        #expect(end.intervention == .memoryLimit)
        #expect(end.signal == Int(SIGKILL))
        #expect(end.peakResidentBytes > 96 << 20)
        // Caught on the way up, not after two gigabytes.
        #expect(end.peakResidentBytes < 1500 << 20)
    }

    @Test func addressSpaceIsLimited() async throws {
        let end = try await process("ulimit -v", addressSpaceBytes: 3 << 30).run()
        #expect(end.exitCode == 0)
        #expect(log == "\(3 << 20)\n")
    }

    @Test func theTimeLimitEndsAProcess() async throws {
        let end = try await process("sleep 1000", seconds: 0.05).run()
        #expect(end.intervention == .timeLimit)
        #expect(end.signal == Int(SIGTERM))
    }

    @Test func aProcessThatIgnoresTerminationIsKilledAfterTheGrace() async throws {
        let process = process(
            "trap '' TERM; echo ready; while :; do sleep 1000; done", grace: .milliseconds(50))
        async let end = process.run()
        #expect(await eventually { log.contains("ready") })
        process.stop(gently: true)
        #expect(try await end.intervention == .stopped)
        #expect(try await end.signal == Int(SIGKILL))
    }

    @Test(arguments: [true, false]) func aStoppedProcessEnds(gently: Bool) async throws {
        let process = process("echo ready; sleep 1000")
        async let end = process.run()
        #expect(await eventually { log.contains("ready") })
        process.stop(gently: gently)
        #expect(try await end.intervention == .stopped)
        #expect(try await end.signal == Int(gently ? SIGTERM : SIGKILL))
    }

    @Test func aProcessStoppedBeforeItStartsEndsToo() async throws {
        let process = process("sleep 1000")
        process.stop(gently: true)
        #expect(try await process.run().intervention == .stopped)
    }

    @Test func nothingOfTheGroupStaysBehind() async throws {
        let end = try await process("sleep 1000 & echo $!; exit 0").run()
        #expect(end.exitCode == 0)
        let left = try #require(pid_t(log.trimmingCharacters(in: .whitespacesAndNewlines)))
        #expect(await eventually { !isRunning(left) })
    }

    // Needs /usr/bin/python3 (package python3) to ask the kernel with prctl(PR_GET_PDEATHSIG).
    @Test(.enabled(if: hasPython)) func theKernelEndsItWithItsParent() async throws {
        let script = """
            import ctypes
            value = ctypes.c_int(); ctypes.CDLL(None).prctl(2, ctypes.byref(value)); print(value.value)
            """
        let end = try await process(script, program: "/usr/bin/python3").run()
        #expect(end.exitCode == 0)
        #expect(log == "\(SIGKILL)\n")
    }

    @Test func aProgramThatIsNotThereIsNamed() async throws {
        let error = await #expect(throws: WorkerError.self) {
            try await process("", program: "/no/such/program").run()
        }
        #expect(error?.description.contains("/no/such/program") == true)
        #expect(error?.description.contains("No such file") == true)
    }

    @Test func processorTimeIsMeasured() async throws {
        let end = try await process("i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done").run()
        #expect(end.userMicroseconds > 10_000)
        #expect(end.wall > .zero)
    }

    // MARK: The log's tail

    @Test func theTailIsWholeLinesOfTheEnd() throws {
        let lines = (0..<2000).map { "line \($0) größe" }
        let path = try folder.write(lines.joined(separator: "\n") + "\n", to: "long")
        let tail = LogTail.read(path)
        #expect(tail.utf8.count <= LogTail.limitBytes)
        #expect(tail.utf8.count > LogTail.limitBytes - 40)
        #expect(tail.hasSuffix("line 1999 größe\n"))
        #expect(lines.contains(String(tail.prefix { $0 != "\n" })))
    }

    @Test func theTailOfOneEndlessLineBeginsWithACharacter() throws {
        let path = try folder.write("x" + String(repeating: "ü", count: 10_000), to: "line")
        let tail = LogTail.read(path)
        #expect(tail.allSatisfy { $0 == "ü" })
        #expect(tail.utf8.count > LogTail.limitBytes - 4)
    }

    @Test func whatIsNoTextBecomesText() throws {
        let path = folder.path + "/binary"
        try Data([65, 0, 66, 0xFF, 27, 10, 67]).write(to: URL(fileURLWithPath: path))
        #expect(LogTail.read(path) == "A\u{FFFD}B\u{FFFD}\u{FFFD}\nC")
        #expect(LogTail.read(folder.path + "/absent") == "")
    }
}
