import Foundation
import Testing
import Workflow

@testable import Tasks

@Suite struct LeftOutTests {
    @Test func whatIsWrongWithAFileIsAReason() throws {
        #expect(try LeftOut.reason(TaskResult.Failure.permanent("t.tsv has no rows.")) == "t.tsv has no rows")
        #expect(throws: Never.self) { try LeftOut.reason(POSIXError(.ENOENT)) }
    }

    /// A person is not left out for what a file system did: the attempt is made again.
    @Test(arguments: [POSIXErrorCode.EIO, .ESTALE, .ENOMEM, .ENOSPC])
    func whatTheMachineDidIsNone(code: POSIXErrorCode) {
        #expect(throws: POSIXError.self) { try LeftOut.reason(POSIXError(code)) }
        let failure = TaskResult.Failure(outcome: .transient, message: "later")
        #expect(throws: TaskResult.Failure.self) { try LeftOut.reason(failure) }
    }
}
