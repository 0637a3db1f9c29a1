import Dispatch
import Synchronization

/// Work cut into pieces whose borders depend on the problem alone, never on the number of threads: whatever a piece
/// computes, and the order in which pieces are later added up, is then the same for any number of threads.
package enum Parallel {
    /// Runs `body` for every index in 0 ..< count on up to `threads` threads; returns when all are done.
    ///
    /// - Parameter body: must write only to memory of its own index.
    package static func forEach(_ count: Int, threads: Int, _ body: (Int) -> Void) {
        guard threads > 1, count > 1 else {
            for index in 0..<count { body(index) }
            return
        }
        let next = Atomic<Int>(0)
        withoutActuallyEscaping(body) { body in
            // Safe to share: every index is handed out once, `body` writes to memory of its own index only, and this
            // function returns after the last call has ended.
            nonisolated(unsafe) let body = body
            DispatchQueue.concurrentPerform(iterations: min(threads, count)) { _ in
                while true {
                    let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
                    if index >= count { return }
                    body(index)
                }
            }
        }
    }

    /// Cuts 0 ..< count into ranges of `piece` (the last one shorter) and runs `body` for each.
    package static func forRanges(_ count: Int, piece: Int, threads: Int, _ body: (Range<Int>) -> Void) {
        let pieces = (count + piece - 1) / piece
        forEach(pieces, threads: threads) { p in body(p * piece..<min(count, (p + 1) * piece)) }
    }

    /// The values `body` gives for 0 ..< count, in order.
    package static func map<Value: Sendable>(_ count: Int, threads: Int, _ body: (Int) -> Value) -> [Value] {
        [Value](unsafeUninitializedCapacity: count) { buffer, initialised in
            let base = buffer.baseAddress
            forEach(count, threads: threads) { index in
                (base! + index).initialize(to: body(index))
            }
            initialised = count
        }
    }
}
