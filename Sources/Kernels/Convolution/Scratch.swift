import Synchronization

/// Working memory of kernels, kept between calls: fresh memory costs a page fault for every 4 KiB, which is more than
/// the work of a small layer. Of each size, to within a factor of four, as many buffers live as were ever in use at the
/// same time.
enum Scratch {
    private static let pool = Mutex(ScratchPool())

    /// For tests: whether memory is handed out full of what is not a number, so that nobody gets away with reading what
    /// nobody wrote.
    static let isPoisoned = Atomic<Bool>(false)

    /// Runs `body` with `count` values of any content, 64-byte aligned.
    static func with<Result>(_ count: Int, _ body: (UnsafeMutablePointer<Float>) throws -> Result) rethrows -> Result {
        let storage = pool.withLock { $0.take(count) } ?? FeatureStorage(count: count)
        defer { pool.withLock { $0.idle.append(storage) } }
        if isPoisoned.load(ordering: .relaxed) {
            // A little beyond the end too, where a vector too many would be read.
            storage.base.update(repeating: .nan, count: min(storage.count, count + 64))
        }
        return try body(storage.base)
    }
}

/// Buffers that nobody uses at the moment.
struct ScratchPool {
    var idle: [FeatureStorage] = []

    /// The smallest idle buffer that holds `count` values. Where there is none, nil, and one that was a little too small
    /// goes, to make room for its successor.
    mutating func take(_ count: Int) -> FeatureStorage? {
        let fitting = idle.indices.filter { idle[$0].count >= count && isAlike(idle[$0].count, count) }
            .min { idle[$0].count < idle[$1].count }
        if let fitting { return idle.remove(at: fitting) }
        let small = idle.indices.filter { idle[$0].count < count && isAlike(count, idle[$0].count) }
            .max { idle[$0].count < idle[$1].count }
        if let small { idle.remove(at: small) }
        return nil
    }

    /// Whether one buffer is not so much larger than the other that a small piece of work would keep the memory of a
    /// large one from others. Below 64 KiB that does not matter.
    private func isAlike(_ larger: Int, _ smaller: Int) -> Bool { larger <= max(16_384, 4 * smaller) }
}
