/// Weight gradient of a convolution that `WinogradConvolution` can compute: for each frequency the products of the
/// transformed source and of the transformed gradient of the outputs, summed over all tiles; then back to kernel
/// elements. As many times fewer products as forward.
struct WinogradWeightGradient: WeightGradientMethod {
    private let lowered: LoweredConvolution
    private let tiling: WinogradTiling
    private let source: WinogradTransform
    private let gradient: WinogradTransform
    private let units: [Unit]
    private let groups: Int
    private let steps: [Int]
    private let zeros: FeatureStorage
    private let weights: WinogradWeights

    /// Blocks of input channels against blocks of output channels.
    private struct Unit: Sendable {
        var inputBlocks, outputBlocks: Range<Int>
        /// Where its sums begin among those of a group.
        var offset: Int
    }

    /// Blocks of channels of a side of a unit.
    private static let chunk = 4
    /// Tiles of a block: the length of the sums between two loads and stores of all sums of a frequency.
    private static let tiles = 64
    private static let lanes = FeatureShape.lanes

    /// - Parameter outputs: of a tile: 1, 2 or 4 along depth, 2 or 4 along height and width.
    /// - Returns: nil when the convolution is not of the kind this can compute.
    init?(_ lowered: LoweredConvolution, outputs: Extent3) {
        guard let least = WinogradConvolution.firstDisplacement(lowered, outputs: outputs) else { return nil }
        self.lowered = lowered
        let (inputs, targets) = (lowered.source.blocks, lowered.target.blocks)
        let tiling = WinogradTiling(lowered.target, outputs: outputs, tiles: Self.tiles)
        self.tiling = tiling
        source = WinogradTransform(
            .source, width: lowered.source.size.width, outputs: outputs, least: least, tiling: tiling)
        gradient = WinogradTransform(
            .gradient, width: lowered.target.size.width, outputs: outputs, least: .zero, tiling: tiling)
        weights = WinogradWeights(lowered)
        let frequencies = source.frequencies.product
        var units: [Unit] = []
        var offset = 0
        for input in stride(from: 0, to: inputs, by: Self.chunk) {
            for output in stride(from: 0, to: targets, by: Self.chunk) {
                let unit = Unit(
                    inputBlocks: input..<min(inputs, input + Self.chunk),
                    outputBlocks: output..<min(targets, output + Self.chunk), offset: offset)
                units.append(unit)
                offset +=
                    frequencies * unit.inputBlocks.count * unit.outputBlocks.count * Self.lanes * Self.lanes
            }
        }
        self.units = units
        // Groups of at least four blocks: each group's sums are read and written as a whole.
        groups = max(1, min(tiling.blockCount / 4, (8).divided(by: units.count)))
        zeros = FeatureStorage(count: targets * Self.lanes)
        steps = (0..<tiling.tilesPerBlock).map { $0 * FeatureShape.lanes }
    }

    private var sumCount: Int {
        source.frequencies.product * lowered.source.blocks * lowered.target.blocks * Self.lanes * Self.lanes
    }

    func scratchCount(threads: Int) -> Int {
        let blocks = min(Self.chunk, lowered.source.blocks) + min(Self.chunk, lowered.target.blocks)
        let deep = max(source.deepCount(blocks: blocks), gradient.deepCount(blocks: blocks))
        let plane = source.frequencies.height * source.frequencies.width * blocks * tiling.tilesPerBlock * Self.lanes
        return groups * sumCount + threads * (tiling.slicesPerBlock * deep + plane)
    }

    func compute(
        source map: FeatureMap, gradient gradientMap: FeatureMap, to weight: UnsafeMutablePointer<Float>, threads: Int
    ) {
        Scratch.with(groups * sumCount) { sums in
            Parallel.forEach(units.count * groups, threads: threads) { index in
                let (group, unit) = (index / units.count, units[index % units.count])
                add(unit, group: group, map, gradientMap, to: sums + group * sumCount + unit.offset)
            }
            // In runs of 64 KiB.
            Parallel.forRanges(sumCount / Self.lanes, piece: 1024, threads: threads) { run in
                for group in 1..<max(1, groups) {
                    let first = run.lowerBound * Self.lanes
                    addLanes(sums + group * sumCount + first, run.count, sums + first)
                }
            }
            Parallel.forEach(lowered.source.blocks * lowered.target.blocks, threads: threads) { index in
                collect(index / lowered.target.blocks, index % lowered.target.blocks, sums, to: weight)
            }
        }
    }

    /// Sums of a unit over the blocks of tiles of a group: frequency, block of outputs, input channel, output channel.
    private func add(
        _ unit: Unit, group: Int, _ map: FeatureMap, _ gradientMap: FeatureMap, to sums: UnsafeMutablePointer<Float>
    ) {
        let lanes = Self.lanes
        let (inputs, outputs) = (unit.inputBlocks.count, unit.outputBlocks.count)
        let frequencies = source.frequencies
        let planeFrequencies = frequencies.height * frequencies.width
        let blockStride = tiling.tilesPerBlock * lanes
        // 64 bytes more, so that frequencies do not fall onto the same lines of the cache.
        let (sourceStride, gradientStride) = (inputs * blockStride + lanes, outputs * blockStride + lanes)
        let sumStride = inputs * lanes * lanes
        let frequencyStride = outputs * sumStride
        let rows = (0..<inputs * lanes).map { $0 / lanes * blockStride + $0 % lanes }
        let targets = (0..<inputs * lanes).map { $0 * lanes }
        let (deepSource, deepGradient) = (
            source.deepCount(blocks: inputs), gradient.deepCount(blocks: outputs)
        )
        let slices = tiling.slicesPerBlock
        let sourceStart = slices * (deepSource + deepGradient)
        let gradientStart = sourceStart + planeFrequencies * sourceStride
        let linesStart = gradientStart + planeFrequencies * gradientStride
        let count = linesStart + max(source.lineCount, gradient.lineCount)
        Scratch.with(count) { scratch in
            let gradients = scratch + slices * deepSource
            let (transformed, factors) = (scratch + sourceStart, scratch + gradientStart)
            let lines = scratch + linesStart
            let range = group * tiling.blockCount / groups..<(group + 1) * tiling.blockCount / groups
            for block in range {
                let slices = tiling.slices(ofBlock: block)
                let tiles = slices.reduce(0) { $0 + $1.tileCount }
                if frequencies.depth > 1 {
                    for (n, slice) in slices.enumerated() {
                        source.transformDepth(slice, map, blocks: unit.inputBlocks, to: scratch + n * deepSource)
                        gradient.transformDepth(
                            slice, gradientMap, blocks: unit.outputBlocks, to: gradients + n * deepGradient)
                    }
                }
                for depth in 0..<frequencies.depth {
                    for (n, slice) in slices.enumerated() {
                        source.transformPlane(
                            slice, map, blocks: unit.inputBlocks,
                            deep: scratch + n * deepSource + depth * source.deepPlane, scratch: lines, to: transformed,
                            frequencyStride: sourceStride)
                        gradient.transformPlane(
                            slice, gradientMap, blocks: unit.outputBlocks,
                            deep: gradients + n * deepGradient + depth * gradient.deepPlane, scratch: lines,
                            to: factors, frequencyStride: gradientStride)
                    }
                    for frequency in 0..<planeFrequencies {
                        multiplyRows(
                            transformed + frequency * sourceStride, rows, rows.count, steps, tiles, 1,
                            factors + frequency * gradientStride, blockStride, outputs,
                            sums + (depth * planeFrequencies + frequency) * frequencyStride, sumStride, targets,
                            block == range.lowerBound ? Floats(zeros.base) : nil, 1)
                    }
                }
            }
        }
    }

    /// Transforms the sums of a pair of blocks and puts them where PyTorch has them.
    private func collect(
        _ inputBlock: Int, _ outputBlock: Int, _ sums: UnsafePointer<Float>, to weight: UnsafeMutablePointer<Float>
    ) {
        let lanes = Self.lanes
        let unit = units.first {
            $0.inputBlocks.contains(inputBlock) && $0.outputBlocks.contains(outputBlock)
        }!
        let frequencies = source.frequencies
        let sumStride = unit.inputBlocks.count * lanes * lanes
        let frequencyStride = unit.outputBlocks.count * sumStride
        let start =
            sums + unit.offset + (outputBlock - unit.outputBlocks.lowerBound) * sumStride
            + (inputBlock - unit.inputBlocks.lowerBound) * lanes * lanes
        let elements = weights.elementCount
        let (run, largest) = (weights.inputs, weights.inputs * frequencies.product * lanes)
        Scratch.with(elements * lanes * lanes + 2 * largest) { scratch in
            let (front, back) = (scratch + elements * lanes * lanes, scratch + elements * lanes * lanes + largest)
            for first in stride(from: 0, to: lanes, by: run) {
                for frequency in 0..<frequencies.product {
                    (front + frequency * run * lanes).update(
                        from: start + frequency * frequencyStride + first * lanes, count: run * lanes)
                }
                var (from, to) = (front, back)
                if frequencies.depth > 1 {
                    winogradWeightSums(
                        frequencies.depth, 1, frequencies.height * frequencies.width * run, from, to)
                    (from, to) = (to, from)
                }
                winogradWeightSums(frequencies.height, elements / 9, frequencies.width * run, from, to)
                winogradWeightSums(frequencies.width, elements / 3, run, to, scratch + first * elements * lanes)
            }
            weights.blocks.scatter(scratch, outputBlock: outputBlock, inputBlock: inputBlock, to: weight)
        }
    }
}
