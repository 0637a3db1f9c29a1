/// Sums per lane of every run of a map, in double precision: filled by any number of threads, added up in one order.
///
/// Not `Sendable`: it lives within one call; threads write to the parts of their own runs only.
final class ChannelSums {
    private let pieces: Pieces
    private let kinds: Int
    private let values: UnsafeMutablePointer<Double>

    /// - Parameter kinds: sums per lane.
    init(_ pieces: Pieces, kinds: Int) {
        (self.pieces, self.kinds) = (pieces, kinds)
        let count = pieces.runCount * kinds * 16
        values = .allocate(capacity: count)
        values.initialize(repeating: 0, count: count)
    }

    deinit { values.deallocate() }

    /// The 16 sums of one kind of a run.
    func part(_ run: Int, _ kind: Int) -> UnsafeMutablePointer<Double> { values + (run * kinds + kind) * 16 }

    /// First run of the block that holds a channel, and the channel's lane.
    func place(image: Int, channel: Int) -> (run: Int, lane: Int) {
        ((image * pieces.shape.blocks + channel / 16) * pieces.runsPerBlock, channel % 16)
    }

    /// Sum of one kind over all positions of a channel of an image.
    func total(_ kind: Int, image: Int, channel: Int) -> Double {
        let (run, lane) = place(image: image, channel: channel)
        var sum = 0.0
        for part in 0..<pieces.runsPerBlock { sum += self.part(run + part, kind)[lane] }
        return sum
    }
}
