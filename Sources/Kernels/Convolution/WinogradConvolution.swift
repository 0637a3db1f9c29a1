/// Fast convolution with kernels of 3×3×3 or 1×3×3 elements at stride 1: tiles of the source are transformed so that the
/// convolution becomes one matrix product per frequency, with 3.4 (2×2×2 outputs) to 8 (4×4×4) times fewer products.
///
/// Works on blocks of tiles whose transforms fit into the cache: transform of the source, products, transform of the
/// results. Tiles are numbered across images, so small maps fill blocks too.
final class WinogradConvolution: ConvolutionMethod {
    let lowered: LoweredConvolution
    let packedCount: Int
    let scratchCount: Int

    /// Outputs of a tile.
    private let outputs: Extent3
    /// Source positions of a tile: two more where the kernel has three elements.
    private let inputs: Extent3
    /// Displacement of the first kernel element.
    private let least: Extent3
    /// Tiles of an image.
    private let grid: Extent3
    private let tileCount: Int
    /// Tiles of a block of work, and of a run within a line that goes through the transforms at once.
    private let blockTiles: Int
    private let runTiles: Int
    /// Blocks of outputs whose sums are in the cache at the same time.
    private let outputChunk: Int
    private let sourceStride: Int
    private let sumStride: Int
    private let lineStride: Int
    private let rows: [Int]
    private let steps: [Int]
    private let zeros: FeatureStorage

    private var frequencies: Int { inputs.product }
    private var lineCount: Int { inputs.depth * inputs.height }
    private var sourceBlocks: Int { lowered.source.blocks }
    private var targetBlocks: Int { lowered.target.blocks }

    /// - Parameter outputs: of a tile: 1×2×2, 1×4×4, 2×2×2, 2×4×4 or 4×4×4.
    /// - Returns: nil when the convolution is not of the kind this can compute.
    init?(_ lowered: LoweredConvolution, outputs: Extent3) {
        guard lowered.groups == 1, lowered.phases.count == 1 else { return nil }
        let phase = lowered.phases[0]
        func isConsecutive(_ axis: LoweredConvolution.Axis, _ count: Int) -> Bool {
            axis.sourceStep == 1 && axis.step == 1 && axis.taps.count == count
                && axis.taps.indices.allSatisfy { axis.taps[$0].displacement == axis.taps[0].displacement + $0 }
        }
        let depthKernel = outputs.depth == 1 ? 1 : 3
        guard isConsecutive(phase.depth, depthKernel), isConsecutive(phase.height, 3), isConsecutive(phase.width, 3)
        else { return nil }
        self.lowered = lowered
        self.outputs = outputs
        inputs = Extent3(outputs.depth + depthKernel - 1, outputs.height + 2, outputs.width + 2)
        least = Extent3(
            phase.depth.taps[0].displacement, phase.height.taps[0].displacement, phase.width.taps[0].displacement)
        let size = lowered.target.size
        grid = Extent3(
            size.depth.divided(by: outputs.depth), size.height.divided(by: outputs.height),
            size.width.divided(by: outputs.width))
        tileCount = lowered.target.batch * grid.product
        let lanes = FeatureShape.lanes
        let (sources, targets) = (lowered.source.blocks, lowered.target.blocks)
        let frequencies = inputs.product
        outputChunk = min(targets, max(2, min(4, sources)))
        // As many tiles as keep both sides within 1 MiB, but enough that the weights are used often, and few enough
        // for eight blocks of work.
        let bytesPerTile = frequencies * (sources + outputChunk) * lanes * MemoryLayout<Float>.size
        let fitting = (1 << 20) / bytesPerTile / 8 * 8
        let shared = tileCount.divided(by: 8).divided(by: 8) * 8
        blockTiles = max(8, min(32, fitting, shared))
        runTiles = min(blockTiles, grid.width, outputs.width == 4 ? 4 : 8)
        // 64 bytes more, so that frequencies do not fall onto the same lines of the cache.
        sourceStride = sources * blockTiles * lanes + lanes
        sumStride = outputChunk * blockTiles * lanes + lanes
        lineStride = (runTiles * outputs.width + 2) * lanes
        rows = (0..<blockTiles).map { $0 * lanes }
        let blockStride = blockTiles * lanes
        steps = (0..<sources).map { $0 * blockStride }
        zeros = FeatureStorage(count: max(lowered.source.size.width + 2, targets) * lanes)
        packedCount = frequencies * sources * targets * lanes * lanes
        scratchCount =
            frequencies * (sourceStride + sumStride) + inputs.depth * inputs.height * lineStride
            + runTiles * outputs.width * lanes
    }

    /// Layout: frequency, block of outputs, input channel, output channel.
    func pack(_ weight: UnsafePointer<Float>, to packed: UnsafeMutablePointer<Float>, threads: Int) {
        let lanes = FeatureShape.lanes
        let elements = DirectConvolution.elements(of: lowered.phases[0], kernel: lowered.kernel)
        let largest = frequencies * lanes
        Parallel.forEach(targetBlocks, threads: threads) { block in
            Scratch.with(2 * largest) { scratch in
                let (front, back) = (scratch, scratch + largest)
                for input in 0..<sourceBlocks * lanes {
                    for lane in 0..<lanes {
                        let output = block * lanes + lane
                        let from =
                            output < lowered.outputChannels && input < lowered.inputChannels
                            ? lowered.weightIndex(output: output, input: input) : nil
                        for (n, element) in elements.enumerated() {
                            front[n * lanes + lane] = from.map { weight[$0 + element] } ?? 0
                        }
                    }
                    var transformed = front
                    winogradWeights(inputs.width, elements.count / 3, 1, front, back)
                    winogradWeights(inputs.height, elements.count / 9, inputs.width, back, front)
                    if inputs.depth > 1 {
                        winogradWeights(inputs.depth, 1, inputs.height * inputs.width, front, back)
                        transformed = back
                    }
                    for frequency in 0..<frequencies {
                        let place = (frequency * targetBlocks + block) * sourceBlocks * lanes + input
                        (packed + place * lanes).update(from: transformed + frequency * lanes, count: lanes)
                    }
                }
            }
        }
    }

    /// Neighbouring tiles of a line.
    private struct Run {
        /// Index of the first tile in its block.
        var first: Int
        var count: Int
        var image: Int
        /// Tile coordinates of the first.
        var tile: Extent3
    }

    private func runs(_ tiles: Range<Int>) -> [Run] {
        var runs: [Run] = []
        var tile = tiles.lowerBound
        while tile < tiles.upperBound {
            let column = tile % grid.width
            let line = tile / grid.width
            let count = min(tiles.upperBound - tile, grid.width - column, runTiles)
            runs.append(
                Run(
                    first: tile - tiles.lowerBound, count: count, image: line / (grid.height * grid.depth),
                    tile: Extent3(line / grid.height % grid.depth, line % grid.height, column)))
            tile += count
        }
        return runs
    }

    func apply(
        _ source: FeatureMap, to target: FeatureMap, packed: UnsafePointer<Float>, bias: UnsafePointer<Float>,
        slope: Float, threads: Int
    ) {
        Parallel.forRanges(tileCount, piece: blockTiles, threads: threads) { tiles in
            Scratch.with(scratchCount) { scratch in
                let sums = scratch + frequencies * sourceStride
                let lines = sums + frequencies * sumStride
                let runs = runs(tiles)
                for run in runs { transform(run, source, to: scratch, lines: lines) }
                for firstBlock in stride(from: 0, to: targetBlocks, by: outputChunk) {
                    let blocks = min(outputChunk, targetBlocks - firstBlock)
                    let weightStride = sourceBlocks * FeatureShape.lanes * FeatureShape.lanes
                    multiplySets(
                        frequencies, scratch, sourceStride, rows, tiles.count, steps, sourceBlocks,
                        packed + firstBlock * weightStride, targetBlocks * weightStride, weightStride, blocks, sums,
                        sumStride, blockTiles * FeatureShape.lanes, rows, zeros.base)
                    for run in runs {
                        finish(
                            run, blocks: firstBlock..<firstBlock + blocks, sums: sums, lines: lines, to: target,
                            bias: bias, slope: slope)
                    }
                }
            }
        }
    }

    private func transform(
        _ run: Run, _ source: FeatureMap, to transformed: UnsafeMutablePointer<Float>,
        lines: UnsafeMutablePointer<Float>
    ) {
        let lanes = FeatureShape.lanes
        let size = source.shape.size
        let firstPlane = run.tile.depth * outputs.depth + least.depth
        let firstLine = run.tile.height * outputs.height + least.height
        let firstColumn = run.tile.width * outputs.width + least.width
        let columns = run.count * outputs.width + 2
        let before = min(max(0, -firstColumn), columns)
        let end = max(before, min(columns, size.width - firstColumn))
        withUnsafeTemporaryAllocation(of: UnsafePointer<Float>.self, capacity: lineCount) { starts in
            for block in 0..<sourceBlocks {
                let map = UnsafePointer(source.block(block, image: run.image))
                for depth in 0..<inputs.depth {
                    for height in 0..<inputs.height {
                        let (d, h) = (firstPlane + depth, firstLine + height)
                        let inside = d >= 0 && d < size.depth && h >= 0 && h < size.height
                        starts[depth * inputs.height + height] =
                            inside ? map + (d * size.height + h) * size.width * lanes : UnsafePointer(zeros.base)
                    }
                }
                for line in 0..<lineCount where before > 0 || end < columns {
                    let start = lines + line * lineStride
                    start.update(repeating: 0, count: before * lanes)
                    (start + end * lanes).update(repeating: 0, count: (columns - end) * lanes)
                }
                winogradInputLines(
                    inputs.depth, inputs.height, starts.baseAddress!, (firstColumn + before) * lanes, end - before,
                    lines + before * lanes, lineStride)
                winogradInputTiles(
                    inputs.width, lines, lineStride, lineCount, run.count,
                    transformed + (block * blockTiles + run.first) * lanes, sourceStride)
            }
        }
    }

    private func finish(
        _ run: Run, blocks: Range<Int>, sums: UnsafePointer<Float>, lines: UnsafeMutablePointer<Float>,
        to target: FeatureMap, bias: UnsafePointer<Float>, slope: Float
    ) {
        let lanes = FeatureShape.lanes
        let size = target.shape.size
        let column = run.tile.width * outputs.width
        let columns = min(run.count * outputs.width, size.width - column)
        let outside = lines + lineCount * lineStride
        withUnsafeTemporaryAllocation(
            of: UnsafeMutablePointer<Float>.self, capacity: outputs.depth * outputs.height
        ) { starts in
            for block in blocks {
                let map = target.block(block, image: run.image)
                for depth in 0..<outputs.depth {
                    for height in 0..<outputs.height {
                        let (d, h) = (run.tile.depth * outputs.depth + depth, run.tile.height * outputs.height + height)
                        starts[depth * outputs.height + height] =
                            d < size.depth && h < size.height
                            ? map + ((d * size.height + h) * size.width + column) * lanes : outside
                    }
                }
                winogradOutputTiles(
                    inputs.width, sums + ((block - blocks.lowerBound) * blockTiles + run.first) * lanes, sumStride,
                    run.count, lines, lineStride, lineCount)
                winogradOutputLines(
                    inputs.depth, inputs.height, lines, lineStride, columns, starts.baseAddress!, 0,
                    bias + block * lanes, slope)
            }
        }
    }
}
