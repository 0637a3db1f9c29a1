import Foundation
import Testing

@testable import BIDS

@Suite struct SystemReasonTests {
    /// Foundation's own words say nothing; the system's do.
    @Test func theReasonIsTheSystems() throws {
        let missing = #expect(throws: (any Error).self) {
            _ = try String(contentsOfFile: "/no/such/file", encoding: .utf8)
        }
        #expect(SystemReason.of(try #require(missing)) == "No such file or directory")
        let refused = #expect(throws: (any Error).self) {
            try FileManager.default.createDirectory(atPath: "/dev/null/x", withIntermediateDirectories: true)
        }
        let reason = SystemReason.of(try #require(refused))
        #expect(!reason.contains("could") && !reason.hasPrefix("error "), "\(reason)")
        let folder = #expect(throws: (any Error).self) { _ = try String(contentsOfFile: "/", encoding: .utf8) }
        #expect(SystemReason.of(try #require(folder)) == "Is a directory")
        #expect(SystemReason.of(NSError(domain: NSPOSIXErrorDomain, code: Int(ENOSPC))) == "No space left on device")
    }
}
