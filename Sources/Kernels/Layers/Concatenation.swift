/// Copies channels of several maps into one. Only needed where a channel count is no multiple of 16: otherwise producers
/// write into `FeatureMap.channels(from:count:)` of the wider map, and nothing is copied.
package enum Concatenation {
    /// - Parameters:
    ///   - maps: same batch and size.
    ///   - y: the sum of their channels, in their order; none of them.
    package static func forward(_ maps: [FeatureMap], to y: FeatureMap, threads: Int) {
        checkParts(maps, y)
        let firsts = firstChannels(maps)
        Pieces(y.shape).forEach(threads: threads) { run in
            var adds = 0
            for (map, first) in zip(maps, firsts) {
                // Lanes of this block of y that this map fills.
                let begin = max(first, run.block * 16)
                let end = min(first + map.shape.channels, run.block * 16 + 16)
                if begin >= end { continue }
                copyChannels(map, begin - first, y, begin, end - begin, run, &adds)
            }
        }
    }

    /// - Parameters:
    ///   - dy: gradient of the wide map.
    ///   - gradients: one for each part, overwritten.
    package static func backward(gradient dy: FeatureMap, to gradients: [FeatureMap], threads: Int) {
        checkParts(gradients, dy)
        for (map, first) in zip(gradients, firstChannels(gradients)) {
            Pieces(map.shape).forEach(threads: threads) { run in
                var adds = 0
                let count = min(16, map.shape.channels - run.block * 16)
                copyChannels(dy, first + run.block * 16, map, run.block * 16, count, run, &adds)
            }
        }
    }

    private static func firstChannels(_ maps: [FeatureMap]) -> [Int] {
        var next = 0
        return maps.map { map in
            defer { next += map.shape.channels }
            return next
        }
    }

    /// Copies `count` channels into one block of a run of `y`, from the one or two blocks of `x` that hold them.
    ///
    /// - Parameter adds: 0 at first: lanes of the block that are not copied become zero.
    private static func copyChannels(
        _ x: FeatureMap, _ from: Int, _ y: FeatureMap, _ to: Int, _ count: Int, _ run: Pieces.Run, _ adds: inout Int
    ) {
        let target = y.start(run)
        var done = 0
        while done < count {
            let (block, lane) = ((from + done) / 16, (from + done) % 16)
            let targetLane = (to + done) % 16
            let length = min(count - done, 16 - lane)
            moveLanes(
                x.block(block, image: run.image) + run.first * 16, lane - targetLane,
                LaneMask.lanes(targetLane, targetLane + length), adds, target, run.count)
            adds = 1
            done += length
        }
    }

    private static func checkParts(_ maps: [FeatureMap], _ whole: FeatureMap) {
        let channels = maps.reduce(0) { $0 + $1.shape.channels }
        precondition(channels == whole.shape.channels, "\(channels) channels for a map of \(whole.shape)")
        for map in maps {
            check(
                map, FeatureShape(batch: whole.shape.batch, channels: map.shape.channels, size: whole.shape.size),
                "A part of a concatenation")
        }
    }
}
