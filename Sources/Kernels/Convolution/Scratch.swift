import Synchronization

/// Working memory of kernels, kept between calls: fresh memory costs a page fault for every 4 KiB, which is more than
/// the work of a small layer. As many buffers live as were ever in use at the same time.
package enum Scratch {
    private static let idle = Mutex<[FeatureStorage]>([])

    /// Runs `body` with `count` values of any content, 64-byte aligned.
    static func with<Result>(_ count: Int, _ body: (UnsafeMutablePointer<Float>) throws -> Result) rethrows -> Result {
        let found = idle.withLock { idle -> FeatureStorage? in
            let fitting = idle.indices.filter { idle[$0].count >= count }.min { idle[$0].count < idle[$1].count }
            if let fitting { return idle.remove(at: fitting) }
            // The largest of those too small makes room for its successor.
            if let largest = idle.indices.max(by: { idle[$0].count < idle[$1].count }) { idle.remove(at: largest) }
            return nil
        }
        let storage = found ?? FeatureStorage(count: count)
        defer { idle.withLock { $0.append(storage) } }
        return try body(storage.base)
    }

    /// Gives idle buffers back to the system.
    package static func release() {
        idle.withLock { $0.removeAll() }
    }
}
