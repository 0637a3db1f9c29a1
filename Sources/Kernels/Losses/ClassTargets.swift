/// What the losses over classes know of their targets: weights and how often each class occurs.
struct ClassTargets {
    /// One per class a byte can hold; zero for the ignored class.
    private(set) var weights = [Float](repeating: 0, count: 256)
    /// Positions of each class; the ignored one has none.
    private(set) var counts: [Int]

    /// - Parameter targets: class of each position, [batch][depth][height][width]; each is a channel of the logits or
    ///   the ignored class.
    init(
        _ targets: UnsafePointer<UInt8>, _ shape: FeatureShape, weights given: [Float]?, ignoredClass: UInt8?,
        threads: Int
    ) {
        precondition(
            given == nil || given!.count == shape.channels,
            "\(given?.count ?? 0) class weights for \(shape.channels) channels of logits")
        for channel in 0..<min(256, shape.channels) { weights[channel] = given?[channel] ?? 1 }
        counts = Self.counts(targets, shape.batch * shape.positions, threads: threads)
        if let ignoredClass {
            weights[Int(ignoredClass)] = 0
            counts[Int(ignoredClass)] = 0
        }
        Self.check(counts, classes: shape.channels, shape)
    }

    /// Stops where a class occurs that logits of that shape do not tell.
    ///
    /// - Parameter classes: how many they tell.
    static func check(
        _ targets: UnsafePointer<UInt8>, classes: Int, _ shape: FeatureShape, ignoredClass: UInt8?, threads: Int
    ) {
        var counts = counts(targets, shape.batch * shape.positions, threads: threads)
        if let ignoredClass { counts[Int(ignoredClass)] = 0 }
        check(counts, classes: classes, shape)
    }

    private static func check(_ counts: [Int], classes: Int, _ shape: FeatureShape) {
        for (target, count) in counts.enumerated() where count > 0 {
            precondition(
                target < classes, "The class \(target) occurs in the targets; logits have \(shape.channels) channels")
        }
    }

    private static func counts(_ targets: UnsafePointer<UInt8>, _ count: Int, threads: Int) -> [Int] {
        let piece = 1 << 18
        let parts = Parallel.map((count + piece - 1) / piece, threads: threads) { part in
            // Four tables: runs of one class would otherwise wait for their own last addition.
            var tables = [Int](repeating: 0, count: 1024)
            tables.withUnsafeMutableBufferPointer { tables in
                for n in part * piece..<min(count, (part + 1) * piece) {
                    tables[(n & 3) << 8 | Int(targets[n])] += 1
                }
            }
            return (0..<256).map { n -> Int in
                let (even, odd) = (tables[n] + tables[n + 512], tables[n + 256] + tables[n + 768])
                return even + odd
            }
        }
        return parts.reduce(into: [Int](repeating: 0, count: 256)) { sum, part in
            for n in 0..<256 { sum[n] += part[n] }
        }
    }

    /// Positions that count.
    var total: Int { counts.reduce(0, +) }

    /// Sum of their weights.
    var totalWeight: Double {
        var sum = 0.0
        for (count, weight) in zip(counts, weights) { sum += Double(count) * Double(weight) }
        return sum
    }
}
