/// A convolution as one indirect matrix product: rows are target positions, steps are (block of input channels, kernel
/// element), found through tables of offsets.
///
/// The sum is cut into chunks whose weights stay in the cache while they are swept over all rows of a piece; between
/// chunks the sums wait in the target.
final class DirectConvolution: ConvolutionMethod {
    let lowered: LoweredConvolution
    let packedCount: Int
    let scratchCount: Int

    private let slab: SourceSlab
    private let pieces: ConvolutionPieces
    private let panels: [PanelPlan]
    private let isDepthwise: Bool
    /// Values of the slabs of an image.
    private let imageStride: Int
    /// Of a piece of full size, for each phase.
    private let fullTables: [RowTables]
    /// Of each phase.
    private let phaseElements: [[Int]]
    /// Of each phase, without groups; and those of the last block of inputs, which may have fewer channels.
    private let weightBlocks, lastWeightBlocks: [WeightBlocks]

    /// Offsets of all positions of a phase in a piece, from the start of the slab and from that of the piece in the
    /// target.
    private struct RowTables: Sendable {
        var rows, targets: [Int]
    }

    /// Consecutive steps of the sum with equally many channels.
    private struct Chunk: Sendable {
        /// Range in the phase's table of steps.
        var firstStep, stepCount: Int
        var channels: Int
        /// Offset of the weights in those of a block of outputs.
        var weight: Int
    }

    private struct PhasePlan: Sendable {
        /// Offsets of all steps of the slab groups; shared by blocks of outputs.
        var steps: [Int]
        /// Chunks of each slab group.
        var chunks: [[Chunk]]
        /// Where the phase's weights begin, and values from one block of outputs to the next.
        var weight, weightStride: Int
    }

    private struct PanelPlan: Sendable {
        var outputBlocks: Range<Int>
        /// Blocks of inputs whose slabs are in the cache at the same time.
        var slabGroups: [Range<Int>]
        var phases: [PhasePlan]
    }

    /// Steps of 16 channels of a chunk: with 32 outputs 64 KiB of weights.
    private static let chunkSteps = 32

    /// - Parameter planarSource: whether the source comes in planar order; of fewer than 16 channels then.
    init(_ lowered: LoweredConvolution, planarSource: Bool = false) {
        precondition(!planarSource || lowered.source.channels < FeatureShape.lanes)
        self.lowered = lowered
        let lanes = FeatureShape.lanes
        isDepthwise = lowered.isDepthwise
        let phases = lowered.phases
        let largest = Extent3(
            phases.map { $0.depth.count }.max()!, phases.map { $0.height.count }.max()!,
            phases.map { $0.width.count }.max()!)
        let mostTaps = phases.map(\.tapCount).max()!
        // Slabs of few channels are small; larger pieces then copy less of the source twice.
        let rows = lowered.source.channels < lanes && mostTaps > 1 ? 4096 : 1024
        let pieces = ConvolutionPieces(
            positions: largest, images: lowered.target.batch, outputBlocks: lowered.target.blocks,
            rows: max(128, rows / phases.count))
        self.pieces = pieces
        let slab = SourceSlab(
            phases, source: lowered.source, piece: pieces.size, wholeVectors: isDepthwise,
            mustCopy: planarSource || pieces.imagesPerPiece > 1)
        self.slab = slab
        let lastBlock = lowered.source.blocks - 1
        let lastChannels = lowered.source.channels - lastBlock * lanes
        var packed = 0
        var panels: [PanelPlan] = []
        let depthwise = isDepthwise
        for panel in lowered.panels {
            // Without a copy a group is as long as the table; with it, as many blocks as make a chunk.
            let perGroup = max(1, Self.chunkSteps / max(1, mostTaps))
            let groups = stride(from: panel.inputBlocks.lowerBound, to: panel.inputBlocks.upperBound, by: perGroup)
                .map { $0..<min(panel.inputBlocks.upperBound, $0 + perGroup) }
            var plans: [PhasePlan] = []
            for phase in phases {
                var steps: [Int] = []
                var chunks: [[Chunk]] = []
                var weight = 0
                for group in groups {
                    var chunksOfGroup: [Chunk] = []
                    for block in group {
                        let channels = depthwise ? 1 : (block == lastBlock ? lastChannels : lanes)
                        for depth in phase.depth.taps {
                            for height in phase.height.taps {
                                for width in phase.width.taps {
                                    if let last = chunksOfGroup.last, last.channels == channels,
                                        depthwise || last.stepCount * channels < Self.chunkSteps * lanes
                                    {
                                        chunksOfGroup[chunksOfGroup.count - 1].stepCount += 1
                                    } else {
                                        chunksOfGroup.append(
                                            Chunk(
                                                firstStep: steps.count, stepCount: 1, channels: channels,
                                                weight: weight))
                                    }
                                    steps.append(
                                        (block - group.lowerBound) * slab.blockStride
                                            + slab.offset(
                                                depth: depth.displacement, height: height.displacement,
                                                width: width.displacement))
                                    weight += channels * lanes
                                }
                            }
                        }
                    }
                    chunks.append(chunksOfGroup)
                }
                plans.append(PhasePlan(steps: steps, chunks: chunks, weight: packed, weightStride: weight))
                packed += weight * panel.outputBlocks.count
            }
            panels.append(PanelPlan(outputBlocks: panel.outputBlocks, slabGroups: groups, phases: plans))
        }
        self.panels = panels
        fullTables = phases.map {
            Self.rowTables(
                $0, depths: min(pieces.size.depth, $0.depth.count), heights: min(pieces.size.height, $0.height.count),
                slab: slab, target: lowered.target.size)
        }
        packedCount = packed
        let phaseElements = phases.map { Self.elements(of: $0, kernel: lowered.kernel) }
        self.phaseElements = phaseElements
        func weightBlocks(channels: Int) -> [WeightBlocks] {
            guard lowered.groups == 1 else { return [] }
            return phaseElements.map { elements in
                WeightBlocks(lowered, elements: elements) { ($1 * channels + $0) * lanes }
            }
        }
        self.weightBlocks = weightBlocks(channels: lanes)
        lastWeightBlocks = weightBlocks(channels: lastChannels)
        imageStride = slab.scratchCount(blocks: panels.flatMap(\.slabGroups).map(\.count).max()!)
        scratchCount = pieces.imagesPerPiece * imageStride
    }

    func pack(_ weight: UnsafePointer<Float>, to packed: UnsafeMutablePointer<Float>, threads: Int) {
        for panel in panels {
            let inputs = panel.slabGroups.first!.lowerBound..<panel.slabGroups.last!.upperBound
            Parallel.forEach(panel.outputBlocks.count, threads: threads) { index in
                let outputBlock = panel.outputBlocks.lowerBound + index
                for block in inputs {
                    // All phases of a block, whose weights lie together, while it is in the cache.
                    for (number, plan) in panel.phases.enumerated() {
                        let target =
                            packed + plan.weight + index * plan.weightStride
                            + (block - inputs.lowerBound) * phaseElements[number].count * Self.perElement(lowered)
                        if weightBlocks.isEmpty {
                            gather(weight, phaseElements[number], outputBlock, block, to: target)
                        } else {
                            let isLast = block == lowered.source.blocks - 1
                            (isLast ? lastWeightBlocks : weightBlocks)[number].gather(
                                weight, outputBlock: outputBlock, inputBlock: block, to: target)
                        }
                    }
                }
            }
        }
    }

    /// Weights of a kernel element of a full block of inputs for 16 outputs.
    private static func perElement(_ lowered: LoweredConvolution) -> Int {
        lowered.isDepthwise ? FeatureShape.lanes : FeatureShape.lanes * FeatureShape.lanes
    }

    /// Weights of a block of inputs for one of outputs where channels are in groups.
    private func gather(
        _ weight: UnsafePointer<Float>, _ elements: [Int], _ outputBlock: Int, _ inputBlock: Int,
        to target: UnsafeMutablePointer<Float>
    ) {
        let lanes = FeatureShape.lanes
        let firstInput = inputBlock * lanes
        let present = min(lanes, lowered.inputChannels - firstInput)
        for lane in 0..<lanes {
            let output = outputBlock * lanes + lane
            for channel in 0..<(isDepthwise ? 1 : present) {
                let input = isDepthwise ? output : firstInput + channel
                let from =
                    output < lowered.outputChannels ? lowered.weightIndex(output: output, input: input) : nil
                var place = target + channel * lanes + lane
                for element in elements {
                    place.pointee = from.map { weight[$0 + element] } ?? 0
                    place += (isDepthwise ? 1 : present) * lanes
                }
            }
        }
    }

    /// Indices in the kernel of the elements of a phase, in the order of its steps.
    static func elements(of phase: LoweredConvolution.Phase, kernel: Extent3) -> [Int] {
        phase.depth.taps.flatMap { depth in
            phase.height.taps.flatMap { height in
                phase.width.taps.map { width in
                    (depth.element * kernel.height + height.element) * kernel.width + width.element
                }
            }
        }
    }

    func apply(
        _ source: FeatureMap, to target: FeatureMap, packed: UnsafePointer<Float>, bias: UnsafePointer<Float>,
        slope: Float, threads: Int
    ) {
        apply(.blocked(source), to: target, packed: packed, bias: bias, slope: slope, threads: threads)
    }

    func apply(
        _ source: ConvolutionSource, to target: FeatureMap, packed: UnsafePointer<Float>,
        bias: UnsafePointer<Float>, slope: Float, threads: Int
    ) {
        let tables = fullTables.map { spanningImages($0, target: target) }
        Parallel.forEach(pieces.count, threads: threads) { index in
            Scratch.with(scratchCount) { scratch in
                compute(
                    pieces.piece(index), fullTables: tables, source, to: target, packed: packed, bias: bias,
                    slope: slope, scratch: scratch)
            }
        }
    }

    private func compute(
        _ piece: ConvolutionPieces.Piece, fullTables: [RowTables], _ source: ConvolutionSource, to target: FeatureMap,
        packed: UnsafePointer<Float>,
        bias: UnsafePointer<Float>, slope: Float, scratch: UnsafeMutablePointer<Float>
    ) {
        let tables = lowered.phases.indices.map { rowTables($0, piece, full: fullTables[$0]) }
        for panel in panels {
            let blocks = panel.outputBlocks.clamped(to: piece.outputBlocks)
            if blocks.isEmpty { continue }
            let skipped = blocks.lowerBound - panel.outputBlocks.lowerBound
            let place = target.block(blocks.lowerBound, image: piece.images.lowerBound)
            for (number, group) in panel.slabGroups.enumerated() {
                let base = slab.base(
                    of: source, images: piece.images, imageStride: imageStride, blocks: group,
                    depth: piece.depth.lowerBound,
                    height: piece.height.lowerBound, scratch: scratch)
                for (plan, (table, start)) in zip(panel.phases, tables) where !table.rows.isEmpty {
                    let rowCount = table.rows.count / pieces.imagesPerPiece * piece.images.count
                    let place = place + start
                    let weights = packed + plan.weight + skipped * plan.weightStride
                    if plan.steps.isEmpty {
                        // No element of the kernel reaches these positions.
                        guard number == 0 else { continue }
                        multiplyRows(
                            base, table.rows, rowCount, [0], 0, 1, weights, 0, blocks.count, place,
                            target.shape.blockStride, table.targets, bias + blocks.lowerBound * 16, slope)
                        continue
                    }
                    let chunks = plan.chunks[number]
                    plan.steps.withUnsafeBufferPointer { steps in
                        for (position, chunk) in chunks.enumerated() {
                            let first = number == 0 && position == 0
                            let last = number == panel.slabGroups.count - 1 && position == chunks.count - 1
                            let from = steps.baseAddress! + chunk.firstStep
                            let initial = first ? bias + blocks.lowerBound * 16 : nil
                            if isDepthwise {
                                convolveLanes(
                                    base, table.rows, rowCount, from, chunk.stepCount, weights, place,
                                    table.targets, bias + blocks.lowerBound * 16, slope)
                            } else {
                                multiplyRows(
                                    base, table.rows, rowCount, from, chunk.stepCount, chunk.channels,
                                    weights + chunk.weight, plan.weightStride, blocks.count, place,
                                    target.shape.blockStride, table.targets, initial, last ? slope : 1)
                            }
                        }
                    }
                }
            }
        }
    }

    private static func rowTables(
        _ phase: LoweredConvolution.Phase, depths: Int, heights: Int, slab: SourceSlab, target: Extent3
    ) -> RowTables {
        var tables = RowTables(rows: [], targets: [])
        let count = depths * heights * phase.width.count
        tables.rows.reserveCapacity(count)
        tables.targets.reserveCapacity(count)
        for d in 0..<depths {
            for h in 0..<heights {
                let (plane, line) = (d * phase.depth.step, h * phase.height.step)
                for w in 0..<phase.width.count {
                    tables.rows.append(slab.rowOffset(depth: d, height: h, width: w))
                    let position = (plane * target.height + line) * target.width + w * phase.width.step
                    tables.targets.append(position * FeatureShape.lanes)
                }
            }
        }
        return tables
    }

    /// The tables of an image repeated for all images of a piece.
    private func spanningImages(_ tables: RowTables, target: FeatureMap) -> RowTables {
        if pieces.imagesPerPiece == 1 { return tables }
        let images = 0..<pieces.imagesPerPiece
        return RowTables(
            rows: images.flatMap { image in tables.rows.map { $0 + image * imageStride } },
            targets: images.flatMap { image in tables.targets.map { $0 + image * target.imageStride } })
    }

    /// The tables of a phase in a piece, and where the piece begins in the target.
    private func rowTables(
        _ index: Int, _ piece: ConvolutionPieces.Piece, full: RowTables
    ) -> (tables: RowTables, start: Int) {
        let phase = lowered.phases[index]
        let size = lowered.target.size
        let plane = phase.depth.origin + piece.depth.lowerBound * phase.depth.step
        let line = phase.height.origin + piece.height.lowerBound * phase.height.step
        let start = ((plane * size.height + line) * size.width + phase.width.origin) * FeatureShape.lanes
        let depths = piece.depth.clamped(to: 0..<phase.depth.count).count
        let heights = piece.height.clamped(to: 0..<phase.height.count).count
        if pieces.imagesPerPiece > 1 || depths == pieces.size.depth && heights == pieces.size.height {
            return (full, start)
        }
        return (Self.rowTables(phase, depths: depths, heights: heights, slab: slab, target: size), start)
    }
}
