/// The way of a map into frequencies, for slices of tiles: that of a convolution's source, or of the gradient of its
/// outputs.
///
/// First along depth, for whole lines, into memory of the caller; then for one frequency of depth at a time along height
/// and width.
struct WinogradTransform: Sendable {
    enum Kind: Sendable {
        /// Of a convolution's source: tiles overlap by two positions.
        case source
        /// Of the gradient of the outputs: tiles lie side by side.
        case gradient
    }

    private typealias Lines = @Sendable (Int, UnsafePointer<Floats>, Int, Int, MutableFloats, Int) -> Void
    private typealias Tiles = @Sendable (Int, Floats, Int, Int, Int, MutableFloats, Int) -> Void

    let frequencies: Extent3
    /// Positions from tile to tile.
    private let step: Extent3
    /// Positions of a tile.
    private let reach: Extent3
    /// Position of the first tile's first.
    private let least: Extent3
    private let lines: Lines
    private let tiles: Tiles
    private let zeros: FeatureStorage
    private let tilesPerBlock: Int

    /// Values from one line to the next, and from frequency to frequency and block to block after the transform along
    /// depth.
    let line: Int
    let deepPlane: Int
    let deepBlock: Int

    /// - Parameters:
    ///   - outputs: of a tile.
    ///   - least: displacement of the first kernel element; for gradients nothing.
    init(_ kind: Kind, width: Int, outputs: Extent3, least: Extent3, tiling: WinogradTiling) {
        step = outputs
        let overlap = Extent3(outputs.depth > 1 ? 2 : 0, 2, 2)
        frequencies = Extent3(
            outputs.depth + overlap.depth, outputs.height + overlap.height, outputs.width + overlap.width)
        switch kind {
        case .source:
            (reach, self.least) = (frequencies, least)
            (lines, tiles) = (winogradInputLines, winogradInputTiles)
        case .gradient:
            (reach, self.least) = (outputs, .zero)
            (lines, tiles) = (winogradGradientLines, winogradGradientTiles)
        }
        let lanes = FeatureShape.lanes
        zeros = FeatureStorage(count: width * lanes)
        tilesPerBlock = tiling.tilesPerBlock
        let columns = (tiling.slice.width - 1) * step.width + reach.width
        line = columns * lanes
        // 64 bytes more, so that planes do not fall onto the same lines of the cache.
        deepPlane = ((tiling.slice.height - 1) * step.height + reach.height) * line + lanes
        deepBlock = frequencies.depth * deepPlane
    }

    /// Values of a slice after the transform along depth; none where there is no such transform.
    func deepCount(blocks: Int) -> Int { frequencies.depth > 1 ? blocks * deepBlock : 0 }

    /// Values of the lines between height and width.
    var lineCount: Int { frequencies.height * line }

    /// Columns of a slice: the first, how many, and which of them are inside the map.
    private func columns(_ slice: WinogradTiling.Slice, width: Int) -> (first: Int, count: Int, inside: Range<Int>) {
        let first = slice.columns.lowerBound * step.width + least.width
        let count = (slice.columns.count - 1) * step.width + reach.width
        let before = min(max(0, -first), count)
        return (first, count, before..<max(before, min(count, width - first)))
    }

    private func clear(_ target: MutableFloats, outside inside: Range<Int>, of count: Int) {
        let lanes = FeatureShape.lanes
        target.update(repeating: 0, count: inside.lowerBound * lanes)
        (target + inside.upperBound * lanes).update(repeating: 0, count: (count - inside.upperBound) * lanes)
    }

    /// Along depth; to be done only where frequencies.depth > 1.
    func transformDepth(
        _ slice: WinogradTiling.Slice, _ map: FeatureMap, blocks: Range<Int>, to deep: MutableFloats
    ) {
        let lanes = FeatureShape.lanes
        let size = map.shape.size
        let (firstColumn, count, inside) = columns(slice, width: size.width)
        withUnsafeTemporaryAllocation(of: Floats.self, capacity: reach.depth) { planes in
            for block in blocks {
                let values = Floats(map.block(block, image: slice.image))
                for line in 0..<(slice.lines.count - 1) * step.height + reach.height {
                    let target = deep + (block - blocks.lowerBound) * deepBlock + line * self.line
                    let height = slice.lines.lowerBound * step.height + least.height + line
                    let exists = height >= 0 && height < size.height
                    for depth in 0..<frequencies.depth {
                        clear(target + depth * deepPlane, outside: exists ? inside : count..<count, of: count)
                    }
                    guard exists else { continue }
                    for depth in 0..<reach.depth {
                        let plane = slice.depth * step.depth + least.depth + depth
                        let position =
                            (plane * size.height + height) * size.width + firstColumn + inside.lowerBound
                        planes[depth] =
                            plane >= 0 && plane < size.depth ? values + position * lanes : Floats(zeros.base)
                    }
                    lines(
                        frequencies.depth, planes.baseAddress!, 0, inside.count, target + inside.lowerBound * lanes,
                        deepPlane)
                }
            }
        }
    }

    /// Along height and width, for one frequency of depth.
    ///
    /// - Parameters:
    ///   - deep: that frequency's plane of the slice, where there is a transform along depth.
    ///   - scratch: `lineCount` values.
    ///   - target: frequency, block, tile; 16 values each, frequencies `frequencyStride` values apart.
    func transformPlane(
        _ slice: WinogradTiling.Slice, _ map: FeatureMap, blocks: Range<Int>, deep: Floats, scratch: MutableFloats,
        to target: MutableFloats, frequencyStride: Int
    ) {
        let lanes = FeatureShape.lanes
        let size = map.shape.size
        let (firstColumn, count, inside) = columns(slice, width: size.width)
        withUnsafeTemporaryAllocation(of: Floats.self, capacity: reach.height) { starts in
            for (number, block) in blocks.enumerated() {
                for row in 0..<slice.lines.count {
                    if frequencies.depth > 1 {
                        for height in 0..<reach.height {
                            starts[height] = deep + number * deepBlock + (row * step.height + height) * line
                        }
                        lines(frequencies.height, starts.baseAddress!, 0, count, scratch, line)
                    } else {
                        let depth = slice.depth + least.depth
                        let exists = depth >= 0 && depth < size.depth
                        let plane =
                            map.block(block, image: slice.image) + depth * size.height * size.width * lanes
                        for height in 0..<reach.height {
                            let line = (slice.lines.lowerBound + row) * step.height + least.height + height
                            let position = line * size.width + firstColumn + inside.lowerBound
                            starts[height] =
                                exists && line >= 0 && line < size.height
                                ? Floats(plane + position * lanes) : Floats(zeros.base)
                        }
                        for height in 0..<frequencies.height {
                            clear(scratch + height * line, outside: inside, of: count)
                        }
                        lines(
                            frequencies.height, starts.baseAddress!, 0, inside.count,
                            scratch + inside.lowerBound * lanes, line)
                    }
                    let tile = slice.firstTile + row * slice.columns.count
                    tiles(
                        frequencies.width, scratch, line, frequencies.height, slice.columns.count,
                        target + (number * tilesPerBlock + tile) * lanes, frequencyStride)
                }
            }
        }
    }
}
