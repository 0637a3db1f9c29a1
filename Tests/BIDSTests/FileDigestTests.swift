import BIDS
import Foundation
import Testing

@Suite struct FileDigestTests {
    /// Test vectors of FIPS 180-4, and a length that is no multiple of the piece read at a time.
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            String(repeating: "a", count: 1_000_000),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        ),
    ])
    func agreesWithPublishedVectors(text: String, hex: String) throws {
        let tree = try TemporaryTree(["file": text])
        let digest = try FileDigest.sha256(of: tree.root + "/file")
        #expect(digest.hex == hex)
        #expect(digest.stamp.sizeBytes == Int64(text.utf8.count))
        #expect(try FileStamp.of(tree.root + "/file") == digest.stamp)
    }

    @Test func readsFilesOfSeveralPieces() throws {
        let tree = try TemporaryTree(["file": String(repeating: "0123456789abcdef", count: 200_001)])
        let first = try FileDigest.sha256(of: tree.root + "/file")
        try tree.write("file", String(repeating: "0123456789abcdef", count: 200_000) + "0123456789abcdeF")
        #expect(try FileDigest.sha256(of: tree.root + "/file").hex != first.hex)
    }

    @Test func refusesFoldersAndMissingFiles() throws {
        let tree = try TemporaryTree()
        #expect(throws: BIDSError.self) { try FileDigest.sha256(of: tree.root) }
        #expect(throws: BIDSError.self) { try FileDigest.sha256(of: tree.root + "/none") }
    }
}
