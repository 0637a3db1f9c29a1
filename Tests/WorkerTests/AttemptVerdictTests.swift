import Foundation
import Testing
import Worker
import Workflow

/// The table from how a process ended to what is said about the attempt.
@Suite struct AttemptVerdictTests {
    private typealias End = AttemptProcess.End

    private func judge(
        _ end: AttemptProcess.End, _ left: AttemptVerdict.Left = .nothing, kind: String = "register", log: String = ""
    ) -> AttemptVerdict {
        AttemptVerdict.judge(
            end, left: left, kind: kind, logTail: log, memoryMiB: 512, timeLimit: .milliseconds(1500))
    }

    private func failure(_ outcome: AttemptOutcome) -> AttemptVerdict.Left {
        .result(TaskResult(failure: TaskResult.Failure(outcome: outcome, message: "sub-01: no T1w")))
    }

    private let good = AttemptVerdict.Left.result(TaskResult())

    @Test func aResultAndAGoodEndIsASuccess() {
        #expect(judge(End(exitCode: 0, signal: nil), good) == AttemptVerdict(.succeeded, nil))
    }

    @Test(arguments: [AttemptOutcome.permanent, .transient, .outOfMemory])
    func aStatedFailureIsTakenOver(_ outcome: AttemptOutcome) {
        let verdict = judge(End(exitCode: 1, signal: nil), failure(outcome), log: "std::bad_alloc")
        #expect(verdict == AttemptVerdict(outcome, "sub-01: no T1w"))
    }

    @Test func anOutcomeThatAProcessMayNotStateIsPermanent() {
        #expect(judge(End(exitCode: 1, signal: nil), failure(.cached)).outcome == .permanent)
    }

    @Test func aCommandThatSaysItHadNoMemoryIsBelieved() {
        let verdict = judge(End(exitCode: 1, signal: nil), failure(.permanent), kind: "command", log: "MemoryError\n")
        #expect(verdict.outcome == .outOfMemory)
    }

    @Test func anEndWithoutAResultIsPermanent() {
        let verdict = judge(End(exitCode: 0, signal: nil), log: "one\nlast words\n \n")
        #expect(verdict.outcome == .permanent)
        #expect(verdict.message?.contains("“last words”") == true)
        #expect(judge(End(exitCode: 0, signal: nil), .unreadable("line 1")).outcome == .permanent)
    }

    @Test func aResultIsNotBelievedAfterACrash() {
        let verdict = judge(End(exitCode: nil, signal: Int(SIGSEGV)), good)
        #expect(verdict.outcome == .crashed)
        #expect(verdict.message?.contains("SIGSEGV") == true)
        #expect(judge(End(exitCode: 3, signal: nil), good).outcome == .transient)
    }

    @Test(arguments: [
        "terminate called after throwing an instance of 'std::bad_alloc'", "sh: Cannot allocate memory",
        "numpy.core._exceptions.MemoryError: Unable to allocate 3.2 GiB", "Fatal error: Could not allocate memory.",
        "memory allocation of 12 bytes failed",
    ]) func aFailedAllocationIsOutOfMemory(_ log: String) {
        #expect(judge(End(exitCode: 1, signal: nil), log: log).outcome == .outOfMemory)
        #expect(judge(End(exitCode: nil, signal: Int(SIGABRT)), log: log).outcome == .outOfMemory)
    }

    @Test func aKillByTheKernelForMemoryIsTold() {
        var end = End(exitCode: nil, signal: Int(SIGKILL), peakResidentBytes: 300 << 20)
        #expect(judge(end).outcome == .crashed)
        end.kernelKilledForMemory = true
        #expect(judge(end).outcome == .outOfMemory)
    }

    @Test func ourOwnInterventionsComeFirst() {
        let killed = { (intervention: End.Intervention) in
            End(exitCode: nil, signal: Int(SIGKILL), intervention: intervention, peakResidentBytes: 600 << 20)
        }
        let memory = judge(killed(.memoryLimit), good)
        #expect(memory.outcome == .outOfMemory)
        #expect(memory.message == "it used 600 MiB, more than its limit of 512 MiB")
        let time = judge(killed(.timeLimit), failure(.permanent))
        #expect(time == AttemptVerdict(.timedOut, "it ran longer than its time limit of 1.5 s"))
        #expect(judge(killed(.stopped)).outcome == .cancelled)
    }

    @Test func secretsStayWithTheWorker() {
        let variables = AttemptEnvironment.variables(
            from: [
                "PATH": "/bin", "QSMFLOW_TOKEN": "s", "PGPASSWORD": "s", "PGHOST": "h", "FSLDIR": "/fsl",
                "OMP_NUM_THREADS": "99", "QSMFLOW_INSTRUCTION_SET": "v3",
            ], folder: "/scratch/a", threads: 3)
        #expect(
            variables == [
                "PATH": "/bin", "FSLDIR": "/fsl", "TMPDIR": "/scratch/a/tmp", "QSMFLOW_ATTEMPT_FOLDER": "/scratch/a",
                "OMP_NUM_THREADS": "3", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "3",
                "QSMFLOW_INSTRUCTION_SET": "v3",
            ])
    }
}
