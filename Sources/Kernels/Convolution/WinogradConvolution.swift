/// Fast convolution with kernels of 3×3×3 or 1×3×3 elements at stride 1: tiles of the source are transformed so that the
/// convolution becomes one matrix product per frequency, with 2.25 (1×2×2 outputs) to 8 (4×4×4) times fewer products.
///
/// Works on blocks of tiles that stay in the cache: transform along depth; then for one frequency of depth after the
/// other transform along height and width, products, and back along width and height; at last back along depth.
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
    private let rows: [Int]
    private let steps: [Int]
    private let zeros: FeatureStorage

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
        /// Lines between the passes along height and width, and one that takes what lies outside the map.
        var lines: Int
        var line: Int
        var outside: Int
        var count: Int
    }

    /// - Parameter outputs: of a tile: 1, 2 or 4 along depth, 2 or 4 along height and width.
    /// - Returns: nil when the convolution is not of the kind this can compute.
    init?(_ lowered: LoweredConvolution, outputs: Extent3) {
        guard let least = Self.firstDisplacement(lowered, outputs: outputs) else { return nil }
        let depthKernel = outputs.depth == 1 ? 1 : 3
        self.lowered = lowered
        self.outputs = outputs
        inputs = Extent3(outputs.depth + depthKernel - 1, outputs.height + 2, outputs.width + 2)
        let lanes = Self.lanes
        let (sources, targets) = (lowered.source.blocks, lowered.target.blocks)
        let perTile =
            (inputs.height * inputs.width + (inputs.depth > 1 ? inputs.depth * outputs.height * outputs.width : 0))
            * (sources + targets) * lanes * MemoryLayout<Float>.size
        tiling = WinogradTiling(lowered.target, outputs: outputs, tiles: max(16, min(32, 640 * 1024 / perTile)))
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
        let lines = results + slices * resultSlice
        let outside = lines + transform.lineCount
        layout = Layout(
            deepSlice: deepSlice, source: source, sourceFrequency: sourceFrequency, sums: sums,
            sumFrequency: sumFrequency, results: results,
            resultSlice: resultSlice, resultBlock: inputs.depth * resultPlane, resultPlane: resultPlane,
            resultLine: resultLine, lines: lines, line: line, outside: outside, count: outside + line)
        rows = (0..<tiling.tilesPerBlock).map { $0 * lanes }
        let blockStride = tiling.tilesPerBlock * lanes
        steps = (0..<sources).map { $0 * blockStride }
        zeros = FeatureStorage(count: targets * lanes)
        packedCount = inputs.product * sources * targets * lanes * lanes
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

    /// Layout: frequency, block of outputs, input channel, output channel.
    func pack(_ weight: UnsafePointer<Float>, to packed: UnsafeMutablePointer<Float>, threads: Int) {
        let lanes = Self.lanes
        let elements = DirectConvolution.elements(of: lowered.phases[0], kernel: lowered.kernel)
        let largest = inputs.product * lanes
        // A block of inputs at a time, so that whole lines of the cache and more are written at once.
        Parallel.forEach(targetBlocks * sourceBlocks, threads: threads) { index in
            let (block, inputBlock) = (index / sourceBlocks, index % sourceBlocks)
            Scratch.with((2 + lanes) * largest) { scratch in
                let (front, back, gathered) = (scratch, scratch + largest, scratch + 2 * largest)
                for lane in 0..<lanes {
                    let input = inputBlock * lanes + lane
                    gather(elements, of: weight, block: block, input: input, to: front)
                    var transformed = front
                    winogradWeights(inputs.width, elements.count / 3, 1, front, back)
                    winogradWeights(inputs.height, elements.count / 9, inputs.width, back, front)
                    if inputs.depth > 1 {
                        winogradWeights(inputs.depth, 1, inputs.height * inputs.width, front, back)
                        transformed = back
                    }
                    for frequency in 0..<inputs.product {
                        (gathered + (frequency * lanes + lane) * lanes).update(
                            from: transformed + frequency * lanes, count: lanes)
                    }
                }
                for frequency in 0..<inputs.product {
                    let place = (frequency * targetBlocks + block) * sourceBlocks + inputBlock
                    (packed + place * lanes * lanes).update(
                        from: gathered + frequency * lanes * lanes, count: lanes * lanes)
                }
            }
        }
    }

    /// Kernel elements of an input channel for a block of outputs, with zeros where there is no channel.
    private func gather(
        _ elements: [Int], of weight: UnsafePointer<Float>, block: Int, input: Int,
        to target: UnsafeMutablePointer<Float>
    ) {
        let lanes = Self.lanes
        for lane in 0..<lanes {
            let output = block * lanes + lane
            let from =
                output < lowered.outputChannels && input < lowered.inputChannels
                ? lowered.weightIndex(output: output, input: input) : nil
            for (n, element) in elements.enumerated() {
                target[n * lanes + lane] = from.map { weight[$0 + element] } ?? 0
            }
        }
    }

    func apply(
        _ source: FeatureMap, to target: FeatureMap, packed: UnsafePointer<Float>, bias: UnsafePointer<Float>,
        slope: Float, threads: Int
    ) {
        let weightStride = sourceBlocks * Self.lanes * Self.lanes
        let planeFrequencies = inputs.height * inputs.width
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
                    multiplySets(
                        planeFrequencies, scratch + layout.source, layout.sourceFrequency, rows, tiles, steps,
                        sourceBlocks,
                        packed + (depth * planeFrequencies * targetBlocks + firstBlock) * weightStride,
                        targetBlocks * weightStride, weightStride, blocks.count, scratch + layout.sums,
                        layout.sumFrequency, tiling.tilesPerBlock * Self.lanes, rows, zeros.base)
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
