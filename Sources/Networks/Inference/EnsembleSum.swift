import Kernels

/// Sums of what the members of an ensemble say of a whole volume, slice after slice.
struct EnsembleSum {
    private let classes: Int
    /// Voxels of a slice.
    private let voxels: Int
    /// depth × classes × voxels of a slice.
    private var sums: [Float]

    static func bytes(volume: Extent3, classes: Int) -> Int { volume.product * classes * MemoryLayout<Float>.stride }

    init(volume: Extent3, classes: Int) {
        self.classes = classes
        voxels = volume.height * volume.width
        sums = [Float](repeating: 0, count: volume.product * classes)
    }

    private static let piece = 1 << 14

    /// Adds what one member says of a slice.
    mutating func add(_ slice: SlidingWindow.Slice, threads: Int) {
        let count = classes * voxels
        sums.withUnsafeMutableBufferPointer { buffer in
            // Not checked by the compiler, and safe: pieces write disjoint values, and only while this call holds the buffer.
            nonisolated(unsafe) let to = buffer.baseAddress! + slice.index * count
            // Read alone, and valid until the caller of `add` goes on.
            nonisolated(unsafe) let from = slice.probabilities
            Parallel.forRanges(count, piece: Self.piece, threads: threads) { range in
                for n in range { to[n] += from[n] }
            }
        }
    }

    /// Makes the mean of a slice and hands it out.
    mutating func finish(
        slice index: Int, members: Int, threads: Int, _ body: (SlidingWindow.Slice) throws -> Void
    ) rethrows {
        let count = classes * voxels
        let number = Float(members)
        try sums.withUnsafeMutableBufferPointer { buffer in
            // As above: disjoint pieces, done before `body` reads them.
            nonisolated(unsafe) let values = buffer.baseAddress! + index * count
            Parallel.forRanges(count, piece: Self.piece, threads: threads) { range in
                for n in range { values[n] /= number }
            }
            try body(SlidingWindow.Slice(index: index, classes: classes, voxels: voxels, probabilities: values))
        }
    }
}
