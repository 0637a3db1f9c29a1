/// Fast convolution with kernels of 3×3×3 or 1×3×3 elements at stride 1: tiles of the source are transformed so that the
/// convolution becomes one matrix product per frequency, with 2.25 (1×2×2 outputs) to 8 (4×4×4) times fewer products.
///
/// Works on blocks of tiles that stay in the cache: transform along depth; then for one frequency of depth after the
/// other transform along height and width, products, and back along width and height; at last back along depth.
///
/// Transformed weights take 1.8 (1×2×2 outputs) to 8 (4×4×4) times the memory of the weights. Where that is much, they
/// are transformed a few blocks of channels at a time, when they are used: on the small maps of deep layers that also
/// takes less time than to read the transformed ones.
final class WinogradConvolution: ConvolutionMethod {
    let lowered: LoweredConvolution
    let packedCount: Int
    var scratchCount: Int { layout.count }

    /// Outputs of a tile.
    private let outputs: Extent3
    /// Source positions of a tile: two more where the kernel has three elements.
    private let inputs: Extent3
    private let transform: WinogradTransform
    private let tiling: WinogradTiling
    private let layout: Layout
    /// Blocks of outputs of a piece of work.
    private let outputChunk: Int
    /// Whether weights are packed as they are and transformed when they are used.
    private let transformsLate: Bool
    private let rows: [Int]
    private let steps: [Int]
    private let zeros: FeatureStorage
    private let weights: WinogradWeights

    private var sourceBlocks: Int { lowered.source.blocks }
    private var targetBlocks: Int { lowered.target.blocks }
    private static let lanes = FeatureShape.lanes

    /// Where the parts of the scratch begin and how they are strided, in values.
    private struct Layout: Sendable {
        /// Source after the transform along depth: slice, block, frequency, line, position.
        var deepSlice: Int
        /// Source frequencies: frequency, block, tile.
        var source: Int
        var sourceFrequency: Int
        /// Sums: frequency, block, tile.
        var sums: Int
        var sumFrequency: Int
        /// Results before the transform back along depth: slice, block, frequency, line, position.
        var results: Int
        var resultSlice, resultBlock, resultPlane, resultLine: Int
        /// Weights of some blocks of outputs and inputs: frequency, block of outputs, input channel, output channel.
        var weights: Int
        /// Lines between the passes along height and width, and one that takes what lies outside the map.
        var lines: Int
        var line: Int
        var outside: Int
        var count: Int
    }

    /// Blocks of outputs and of inputs whose weights are transformed together when that is done late; 300 KiB with
    /// 6 × 6 frequencies.
    private static let lateBlocks = (outputs: 2, inputs: 4)

    /// Tiles of a block, to aim for.
    ///
    /// - Parameter transformsLate: then all blocks of tiles transform the weights anew, and more tiles share the work.
    static func tileCount(_ lowered: LoweredConvolution, inputs: Extent3, outputs: Extent3, transformsLate: Bool) -> Int
    {
        let perTile =
            (inputs.height * inputs.width + (inputs.depth > 1 ? inputs.depth * outputs.height * outputs.width : 0))
            * (lowered.source.blocks + lowered.target.blocks) * lanes * MemoryLayout<Float>.size
        return transformsLate
            ? max(16, min(64, 10 * 1024 * 1024 / perTile)) : max(16, min(32, 640 * 1024 / perTile))
    }

    /// Values of transformed weights.
    static func transformedCount(_ lowered: LoweredConvolution, outputs: Extent3) -> Int {
        let depth = outputs.depth == 1 ? 1 : outputs.depth + 2
        return depth * (outputs.height + 2) * (outputs.width + 2) * lowered.source.blocks * lowered.target.blocks
            * lanes * lanes
    }

    /// - Parameters:
    ///   - outputs: of a tile: 1, 2 or 4 along depth, 2 or 4 along height and width.
    ///   - transformsLate: whether weights are packed as they are and transformed when they are used.
    /// - Returns: nil when the convolution is not of the kind this can compute.
    init?(_ lowered: LoweredConvolution, outputs: Extent3, transformsLate: Bool = false) {
        guard let least = Self.firstDisplacement(lowered, outputs: outputs) else { return nil }
        let depthKernel = outputs.depth == 1 ? 1 : 3
        self.lowered = lowered
        self.outputs = outputs
        inputs = Extent3(outputs.depth + depthKernel - 1, outputs.height + 2, outputs.width + 2)
        let lanes = Self.lanes
        let (sources, targets) = (lowered.source.blocks, lowered.target.blocks)
        self.transformsLate = transformsLate
        tiling = WinogradTiling(
            lowered.target, outputs: outputs,
            tiles: Self.tileCount(lowered, inputs: inputs, outputs: outputs, transformsLate: transformsLate))
        // Few blocks of tiles: several pieces each transform the source again for a part of the outputs.
        let parts = min((8).divided(by: tiling.blockCount), (targets + 1) / 2)
        outputChunk = parts > 1 ? (targets.divided(by: parts) + 1) / 2 * 2 : targets

        let slices = tiling.slicesPerBlock
        transform = WinogradTransform(
            .source, width: lowered.source.size.width, outputs: outputs, least: least, tiling: tiling)
        let line = transform.line
        let deepSlice = transform.deepCount(blocks: sources)
        // 64 bytes more, so that frequencies do not fall onto the same lines of the cache.
        let sourceFrequency = sources * tiling.tilesPerBlock * lanes + lanes
        let sumFrequency = outputChunk * tiling.tilesPerBlock * lanes + lanes
        let resultLine = tiling.slice.width * outputs.width * lanes
        let resultPlane = tiling.slice.height * outputs.height * resultLine + lanes
        let resultSlice = inputs.depth > 1 ? outputChunk * inputs.depth * resultPlane : 0
        let planeFrequencies = inputs.height * inputs.width
        let source = slices * deepSlice
        let sums = source + planeFrequencies * sourceFrequency
        let results = sums + planeFrequencies * sumFrequency
        let weightCount =
            transformsLate
            ? planeFrequencies * (Self.lateBlocks.outputs * Self.lateBlocks.inputs * lanes * lanes + lanes) : 0
        let weightStart = results + slices * resultSlice
        let lines = weightStart + weightCount
        let outside = lines + transform.lineCount
        layout = Layout(
            deepSlice: deepSlice, source: source, sourceFrequency: sourceFrequency, sums: sums,
            sumFrequency: sumFrequency, results: results,
            resultSlice: resultSlice, resultBlock: inputs.depth * resultPlane, resultPlane: resultPlane,
            resultLine: resultLine, weights: weightStart, lines: lines, line: line, outside: outside,
            count: outside + line)
        rows = (0..<tiling.tilesPerBlock).map { $0 * lanes }
        let blockStride = tiling.tilesPerBlock * lanes
        steps = (0..<sources).map { $0 * blockStride }
        zeros = FeatureStorage(count: targets * lanes)
        weights = WinogradWeights(lowered, together: transformsLate ? lanes : nil)
        packedCount =
            transformsLate
            ? weights.elementCount * sources * targets * lanes * lanes
            : Self.transformedCount(lowered, outputs: outputs)
    }

    /// Displacement of the first kernel element; nil when fast convolution with such tiles does not apply.
    static func firstDisplacement(_ lowered: LoweredConvolution, outputs: Extent3) -> Extent3? {
        guard lowered.groups == 1, lowered.phases.count == 1, lowered.target.batch > 0 else { return nil }
        let phase = lowered.phases[0]
        func isConsecutive(_ axis: LoweredConvolution.Axis, _ count: Int) -> Bool {
            axis.sourceStep == 1 && axis.step == 1 && axis.taps.count == count
                && axis.taps.indices.allSatisfy { axis.taps[$0].displacement == axis.taps[0].displacement + $0 }
        }
        guard isConsecutive(phase.depth, outputs.depth == 1 ? 1 : 3), isConsecutive(phase.height, 3),
            isConsecutive(phase.width, 3)
        else { return nil }
        return Extent3(
            phase.depth.taps[0].displacement, phase.height.taps[0].displacement, phase.width.taps[0].displacement)
    }

    /// Layout: frequency, block of outputs, input channel, output channel; where weights are transformed late, block of
    /// outputs, block of inputs, kernel element, input channel, output channel.
    func pack(_ weight: UnsafePointer<Float>, to packed: UnsafeMutablePointer<Float>, threads: Int) {
        if transformsLate { return packElements(weight, to: packed, threads: threads) }
        let block = Self.lanes * Self.lanes
        let elements = weights.elementCount
        let (run, largest) = (weights.inputs, weights.inputs * inputs.product * Self.lanes)
        // A block of inputs at a time, so that whole lines of the cache and more are written at once.
        Parallel.forEach(targetBlocks * sourceBlocks, threads: threads) { index in
            let (outputBlock, inputBlock) = (index / sourceBlocks, index % sourceBlocks)
            Scratch.with(elements * block + 2 * largest) { scratch in
                let (front, back) = (scratch + elements * block, scratch + elements * block + largest)
                if weights.blocks.presentInputs(inputBlock) < Self.lanes {
                    scratch.update(repeating: 0, count: elements * block)
                }
                weights.blocks.gather(weight, outputBlock: outputBlock, inputBlock: inputBlock, to: scratch)
                for first in stride(from: 0, to: Self.lanes, by: run) {
                    winogradWeights(inputs.width, elements / 3, run, scratch + first * elements * Self.lanes, front)
                    winogradWeights(inputs.height, elements / 9, inputs.width * run, front, back)
                    if inputs.depth > 1 {
                        winogradWeights(inputs.depth, 1, inputs.height * inputs.width * run, back, front)
                    }
                    let transformed = inputs.depth > 1 ? front : back
                    for frequency in 0..<inputs.product {
                        let place = (frequency * targetBlocks + outputBlock) * sourceBlocks + inputBlock
                        (packed + place * block + first * Self.lanes).update(
                            from: transformed + frequency * run * Self.lanes, count: run * Self.lanes)
                    }
                }
            }
        }
    }

    private func packElements(
        _ weight: UnsafePointer<Float>, to packed: UnsafeMutablePointer<Float>, threads: Int
    ) {
        let count = weights.elementCount * Self.lanes * Self.lanes
        Parallel.forEach(targetBlocks * sourceBlocks, threads: threads) { index in
            let (outputBlock, inputBlock) = (index / sourceBlocks, index % sourceBlocks)
            let target = packed + index * count
            if weights.blocks.presentInputs(inputBlock) < Self.lanes { target.update(repeating: 0, count: count) }
            weights.blocks.gather(weight, outputBlock: outputBlock, inputBlock: inputBlock, to: target)
        }
    }

    func apply(
        _ source: FeatureMap, to target: FeatureMap, packed: UnsafePointer<Float>, bias: UnsafePointer<Float>,
        slope: Float, threads: Int
    ) {
        let parts = targetBlocks.divided(by: outputChunk)
        Parallel.forEach(tiling.blockCount * parts, threads: threads) { index in
            Scratch.with(layout.count) { scratch in
                let slices = tiling.slices(ofBlock: index / parts)
                let firstBlock = index % parts * outputChunk
                let blocks = firstBlock..<min(targetBlocks, firstBlock + outputChunk)
                let tiles = slices.reduce(0) { $0 + $1.tileCount }
                if inputs.depth > 1 {
                    for (n, slice) in slices.enumerated() {
                        transform.transformDepth(
                            slice, source, blocks: 0..<sourceBlocks, to: scratch + n * layout.deepSlice)
                    }
                }
                for depth in 0..<inputs.depth {
                    for (n, slice) in slices.enumerated() {
                        transform.transformPlane(
                            slice, source, blocks: 0..<sourceBlocks,
                            deep: scratch + n * layout.deepSlice + depth * transform.deepPlane,
                            scratch: scratch + layout.lines, to: scratch + layout.source,
                            frequencyStride: layout.sourceFrequency)
                    }
                    multiply(depth: depth, blocks, tiles: tiles, packed: packed, scratch: scratch)
                    for (n, slice) in slices.enumerated() {
                        if inputs.depth > 1 {
                            finishPlane(
                                slice, blocks, to: scratch + layout.results + n * layout.resultSlice, depth: depth,
                                scratch: scratch)
                        } else {
                            finishPlane(slice, blocks, to: target, bias: bias, slope: slope, scratch: scratch)
                        }
                    }
                }
                if inputs.depth > 1 {
                    for (n, slice) in slices.enumerated() {
                        finishDepth(
                            slice, blocks, scratch + layout.results + n * layout.resultSlice, to: target, bias: bias,
                            slope: slope, outside: scratch + layout.outside)
                    }
                }
            }
        }
    }

    /// Products of all frequencies of height and width, for one of depth.
    private func multiply(
        depth: Int, _ blocks: Range<Int>, tiles: Int, packed: UnsafePointer<Float>,
        scratch: UnsafeMutablePointer<Float>
    ) {
        let block = Self.lanes * Self.lanes
        let frequencies = inputs.height * inputs.width
        let blockStride = tiling.tilesPerBlock * Self.lanes
        guard transformsLate else {
            let weightStride = sourceBlocks * block
            return multiplySets(
                frequencies, scratch + layout.source, layout.sourceFrequency, rows, tiles, steps, sourceBlocks,
                packed + (depth * frequencies * targetBlocks + blocks.lowerBound) * weightStride,
                targetBlocks * weightStride, weightStride, blocks.count, scratch + layout.sums, layout.sumFrequency,
                blockStride, rows, zeros.base)
        }
        let transformed = scratch + layout.weights
        for output in stride(from: blocks.lowerBound, to: blocks.upperBound, by: Self.lateBlocks.outputs) {
            let outputs = min(Self.lateBlocks.outputs, blocks.upperBound - output)
            for input in stride(from: 0, to: sourceBlocks, by: Self.lateBlocks.inputs) {
                let inputs = min(Self.lateBlocks.inputs, sourceBlocks - input)
                // 64 bytes more, so that frequencies do not fall onto the same lines of the cache.
                let weightStep = outputs * inputs * block + Self.lanes
                for o in 0..<outputs {
                    for i in 0..<inputs {
                        winogradWeightPlane(
                            self.inputs.depth, depth, self.inputs.height, self.inputs.width,
                            packed + ((output + o) * sourceBlocks + input + i) * weights.elementCount * block,
                            transformed + (o * inputs + i) * block, weightStep)
                    }
                }
                multiplySets(
                    frequencies, scratch + layout.source + input * blockStride, layout.sourceFrequency, rows, tiles,
                    steps, inputs, transformed, weightStep, inputs * block, outputs,
                    scratch + layout.sums + (output - blocks.lowerBound) * blockStride, layout.sumFrequency,
                    blockStride, rows, input == 0 ? Floats(zeros.base) : nil)
            }
        }
    }

    /// Sums of a row of tiles back along width, into the lines between the passes; `number` counts the blocks of outputs
    /// of the piece.
    private func finishWidth(
        _ slice: WinogradTiling.Slice, number: Int, row: Int, scratch: UnsafeMutablePointer<Float>
    ) {
        let tile = slice.firstTile + row * slice.columns.count
        winogradOutputTiles(
            inputs.width, scratch + layout.sums + (number * tiling.tilesPerBlock + tile) * Self.lanes,
            layout.sumFrequency, slice.columns.count, scratch + layout.lines, layout.line, inputs.height)
    }

    /// Back along width and height, for one frequency of depth.
    private func finishPlane(
        _ slice: WinogradTiling.Slice, _ blocks: Range<Int>, to results: UnsafeMutablePointer<Float>, depth: Int,
        scratch: UnsafeMutablePointer<Float>
    ) {
        withUnsafeTemporaryAllocation(of: UnsafeMutablePointer<Float>.self, capacity: outputs.height) { starts in
            for number in 0..<blocks.count {
                for row in 0..<slice.lines.count {
                    finishWidth(slice, number: number, row: row, scratch: scratch)
                    let plane = results + number * layout.resultBlock + depth * layout.resultPlane
                    for height in 0..<outputs.height {
                        starts[height] = plane + (row * outputs.height + height) * layout.resultLine
                    }
                    winogradOutputLines(
                        inputs.height, scratch + layout.lines, layout.line, slice.columns.count * outputs.width,
                        starts.baseAddress!, zeros.base, 1)
                }
            }
        }
    }

    /// Back along width and height, to the target: where there is no transform along depth.
    private func finishPlane(
        _ slice: WinogradTiling.Slice, _ blocks: Range<Int>, to target: FeatureMap, bias: UnsafePointer<Float>,
        slope: Float,
        scratch: UnsafeMutablePointer<Float>
    ) {
        let lanes = Self.lanes
        let size = target.shape.size
        let column = slice.columns.lowerBound * outputs.width
        let count = min(slice.columns.count * outputs.width, size.width - column)
        withUnsafeTemporaryAllocation(of: UnsafeMutablePointer<Float>.self, capacity: outputs.height) { starts in
            for (number, block) in blocks.enumerated() {
                let map = target.block(block, image: slice.image) + slice.depth * size.height * size.width * lanes
                for row in 0..<slice.lines.count {
                    finishWidth(slice, number: number, row: row, scratch: scratch)
                    for height in 0..<outputs.height {
                        let line = (slice.lines.lowerBound + row) * outputs.height + height
                        starts[height] =
                            line < size.height
                            ? map + (line * size.width + column) * lanes : scratch + layout.outside
                    }
                    winogradOutputLines(
                        inputs.height, scratch + layout.lines, layout.line, count, starts.baseAddress!,
                        bias + block * lanes, slope)
                }
            }
        }
    }

    private func finishDepth(
        _ slice: WinogradTiling.Slice, _ blocks: Range<Int>, _ results: UnsafePointer<Float>, to target: FeatureMap,
        bias: UnsafePointer<Float>, slope: Float, outside: UnsafeMutablePointer<Float>
    ) {
        let lanes = Self.lanes
        let size = target.shape.size
        let column = slice.columns.lowerBound * outputs.width
        let count = min(slice.columns.count * outputs.width, size.width - column)
        let firstLine = slice.lines.lowerBound * outputs.height
        let lineCount = min(slice.lines.count * outputs.height, size.height - firstLine)
        withUnsafeTemporaryAllocation(of: UnsafeMutablePointer<Float>.self, capacity: outputs.depth) { starts in
            for (number, block) in blocks.enumerated() {
                let map = target.block(block, image: slice.image)
                for line in 0..<lineCount {
                    for depth in 0..<outputs.depth {
                        let plane = slice.depth * outputs.depth + depth
                        let position = (plane * size.height + firstLine + line) * size.width + column
                        starts[depth] = plane < size.depth ? map + position * lanes : outside
                    }
                    winogradOutputLines(
                        inputs.depth, results + number * layout.resultBlock + line * layout.resultLine,
                        layout.resultPlane, count, starts.baseAddress!, bias + block * lanes, slope)
                }
            }
        }
    }
}
