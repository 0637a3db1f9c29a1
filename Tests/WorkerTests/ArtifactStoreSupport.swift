import Foundation
import Synchronization
import Testing

/// A folder that exists for the time of `body`.
func withFolder(_ body: (String) async throws -> Void) async throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("qsmflow-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer {
        do { try FileManager.default.removeItem(atPath: folder) } catch { Issue.record("\(folder) was left: \(error)") }
    }
    try await body(folder)
}

/// Bytes without a pattern, fixed by the seed (xorshift64*).
func seededBytes(_ count: Int, seed: UInt64) -> [UInt8] {
    var state = seed &* 0x9e37_79b9_7f4a_7c15 | 1
    return (0..<count).map { _ in
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return UInt8(truncatingIfNeeded: (state &* 0x2545_f491_4f6c_dd1d) >> 56)
    }
}

func pieces(of bytes: [UInt8], _ size: Int) -> AsyncStream<ArraySlice<UInt8>> {
    AsyncStream { continuation in
        for start in stride(from: 0, to: bytes.count, by: size) {
            continuation.yield(bytes[start..<min(bytes.count, start + size)])
        }
        continuation.finish()
    }
}

struct Interrupted: Error {}

/// A connection that breaks after some chunks.
struct InterruptedChunks: AsyncSequence, Sendable {
    var chunks: [[UInt8]]
    var after: Int

    struct AsyncIterator: AsyncIteratorProtocol {
        var chunks: ArraySlice<[UInt8]>

        mutating func next() async throws -> [UInt8]? {
            guard let chunk = chunks.popFirst() else { throw Interrupted() }
            return chunk
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(chunks: chunks.prefix(after)) }
}

/// Counts calls from many tasks.
final class Counter: Sendable {
    private let count = Mutex(0)
    var value: Int { count.withLock { $0 } }

    @discardableResult
    func next() -> Int {
        count.withLock {
            $0 += 1
            return $0
        }
    }
}
