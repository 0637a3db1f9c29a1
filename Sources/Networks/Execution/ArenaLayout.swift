/// Packs buffers with lifetimes into one piece of memory, so that buffers that live at the same time do not overlap.
package struct ArenaLayout: Sendable {
    package struct Buffer: Hashable, Sendable {
        /// Values it takes.
        package var count: Int
        /// First and last step in which it lives.
        package var first, last: Int

        package init(count: Int, first: Int, last: Int) { (self.count, self.first, self.last) = (count, first, last) }

        func meets(_ other: Buffer) -> Bool { first <= other.last && other.first <= last }
    }

    /// Where every buffer begins; multiples of 16 values, so of 64 bytes.
    package let offsets: [Int]
    /// Values of the whole arena.
    package let count: Int
    /// The most that lives in any one step: no layout can do with less.
    package let lowerBound: Int

    /// Places buffers one by one where they fit with the least waste, in a few orders, and keeps the best result.
    package init(_ buffers: [Buffer]) {
        let indices = Array(buffers.indices)
        func area(_ n: Int) -> Int { buffers[n].count * (buffers[n].last - buffers[n].first + 1) }
        let orders = [
            indices.sorted { (buffers[$0].count, $1) > (buffers[$1].count, $0) },
            indices.sorted {
                (buffers[$0].first, -buffers[$0].count, $0) < (buffers[$1].first, -buffers[$1].count, $1)
            },
            indices.sorted { (area($0), $1) > (area($1), $0) },
            indices.sorted { (buffers[$0].last, $1) > (buffers[$1].last, $0) },
        ]
        let layouts = orders.map { Self.place(buffers, order: $0) }
        // The first of the smallest: the same for the same buffers, always.
        let best = layouts.min { $0.count < $1.count }!
        (offsets, count) = (best.offsets, best.count)

        let steps = Set(buffers.map(\.first))
        lowerBound =
            steps.map { step in
                buffers.reduce(0) { $1.first <= step && step <= $1.last ? $0 + Self.rounded($1.count) : $0 }
            }.max() ?? 0
    }

    private static func rounded(_ count: Int) -> Int { (count + 15) / 16 * 16 }

    private static func place(_ buffers: [Buffer], order: [Int]) -> (offsets: [Int], count: Int) {
        var offsets = [Int](repeating: 0, count: buffers.count)
        var placed: [Int] = []
        var count = 0
        for n in order {
            let size = rounded(buffers[n].count)
            let neighbours = placed.filter { buffers[$0].meets(buffers[n]) }.sorted { offsets[$0] < offsets[$1] }
            var end = 0
            var best: (offset: Int, gap: Int)?
            for other in neighbours {
                let gap = offsets[other] - end
                if gap >= size, gap < best?.gap ?? .max { best = (end, gap) }
                end = max(end, offsets[other] + rounded(buffers[other].count))
            }
            offsets[n] = best?.offset ?? end
            count = max(count, offsets[n] + size)
            placed.append(n)
        }
        return (offsets, count)
    }
}
