import Crypto
import Foundation

/// SHA-256 of some bytes: the name under which an artifact is stored, sent and cached.
package struct ArtifactDigest: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
    /// 64 lower-case hexadecimal digits.
    package let hex: String

    /// Nil unless `hex` is 64 hexadecimal digits.
    package init?(hex: String) {
        guard hex.utf8.count == 64, hex.utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) }) else {
            return nil
        }
        self.hex = hex
    }

    package init(_ digest: SHA256Digest) {
        hex = digest.map { byte in
            let text = String(byte, radix: 16)
            return byte < 16 ? "0" + text : text
        }.joined()
    }

    /// Digest of bytes in memory.
    package init(of data: some DataProtocol) { self.init(SHA256.hash(data: data)) }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let digest = ArtifactDigest(hex: text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "a digest is 64 lower-case hexadecimal digits, not “\(text)”")
        }
        self = digest
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(hex)
    }

    package var description: String { hex }
    package static func < (a: ArtifactDigest, b: ArtifactDigest) -> Bool { a.hex < b.hex }
}
