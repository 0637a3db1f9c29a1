/// Gradient of the weights: for each kernel element and pair of channels the sum over all target positions of
/// source · target gradient.
///
/// The indirect matrix product again, with the roles changed: rows are (kernel element, input channel), the steps of the
/// sum are positions, and the gradient of the target takes the place of the weights. Work is cut into pairs of channel
/// blocks and, where those are few, groups of positions; sums of groups are added up in order.
struct DirectWeightGradient: WeightGradientMethod {
    private let lowered: LoweredConvolution
    private let slab: SourceSlab
    private let pieces: ConvolutionPieces
    private let units: [Unit]
    private let groups: Int
    private let partialCount: Int
    private let elements: [Int]
    /// Without groups; and that of the last block of inputs, which may have fewer channels.
    private let weightBlocks, lastWeightBlocks: WeightBlocks?

    /// A block of input channels against some blocks of output channels.
    private struct Unit: Sendable {
        var inputBlock: Int
        var outputBlocks: Range<Int>
        /// Input channels of the block.
        var channels: Int
        /// Where its sums begin among those of a group.
        var offset: Int
    }

    /// Positions that go through the sum at once: both sides then stay in the first cache level for all kernel
    /// elements.
    private static let run = 256
    /// Blocks of output channels of a unit.
    private static let blocks = 4

    /// - Parameters:
    ///   - lowered: of one phase.
    ///   - planarSource: whether the source comes in planar order; of fewer than 16 channels then.
    init(_ lowered: LoweredConvolution, planarSource: Bool = false) {
        precondition(!planarSource || lowered.source.channels < FeatureShape.lanes)
        self.lowered = lowered
        let lanes = FeatureShape.lanes
        let taps = lowered.phases[0].tapCount
        pieces = ConvolutionPieces(
            positions: lowered.target.size, images: lowered.target.batch, outputBlocks: 1,
            rows: lowered.source.channels < lanes && taps > 1 ? 4096 : 1024)
        slab = SourceSlab(
            lowered.phases, source: lowered.source, piece: pieces.size, wholeVectors: lowered.isDepthwise,
            mustCopy: planarSource || pieces.imagesPerPiece > 1)
        let elements = DirectConvolution.elements(of: lowered.phases[0], kernel: lowered.kernel)
        self.elements = elements
        let lastBlock = lowered.source.blocks - 1
        func weightBlocks(channels: Int) -> WeightBlocks? {
            lowered.groups > 1
                ? nil : WeightBlocks(lowered, elements: elements) { ($1 * channels + $0) * lanes }
        }
        self.weightBlocks = weightBlocks(channels: lanes)
        lastWeightBlocks = weightBlocks(channels: lowered.source.channels - lastBlock * lanes)
        var units: [Unit] = []
        var offset = 0
        for panel in lowered.panels {
            for input in panel.inputBlocks {
                for first in stride(
                    from: panel.outputBlocks.lowerBound, to: panel.outputBlocks.upperBound, by: Self.blocks)
                {
                    let outputs = first..<min(first + Self.blocks, panel.outputBlocks.upperBound)
                    let channels =
                        lowered.isDepthwise
                        ? 1 : (input == lastBlock ? lowered.source.channels - lastBlock * lanes : lanes)
                    units.append(Unit(inputBlock: input, outputBlocks: outputs, channels: channels, offset: offset))
                    offset += outputs.count * taps * channels * lanes
                }
            }
        }
        self.units = units
        partialCount = offset
        groups = min(pieces.count, max(1, (16).divided(by: units.count)))
    }

    func scratchCount(threads: Int) -> Int {
        let slabs = slab.scratchCount(blocks: 1) + Self.blocks * lowered.target.blockStride
        return groups * partialCount + threads
            * (pieces.imagesPerPiece > 1 ? pieces.imagesPerPiece * slabs : slab.scratchCount(blocks: 1))
    }

    func compute(
        source: FeatureMap, gradient: FeatureMap, to weight: UnsafeMutablePointer<Float>, threads: Int
    ) {
        compute(source: .blocked(source), gradient: gradient, to: weight, threads: threads)
    }

    func compute(
        source: ConvolutionSource, gradient: FeatureMap, to weight: UnsafeMutablePointer<Float>, threads: Int
    ) {
        Scratch.with(groups * partialCount) { partials in
            Parallel.forEach(units.count * groups, threads: threads) { index in
                let (group, unit) = (index / units.count, units[index % units.count])
                sum(unit, group: group, source: source, gradient: gradient, to: partials + group * partialCount)
            }
            Parallel.forEach(units.count, threads: threads) { index in
                collect(units[index], partials, to: weight)
            }
        }
    }

    private func sum(
        _ unit: Unit, group: Int, source: ConvolutionSource, gradient: FeatureMap,
        to partial: UnsafeMutablePointer<Float>
    ) {
        let lanes = FeatureShape.lanes
        let phase = lowered.phases[0]
        let size = lowered.target.size
        var rows: [Int] = []
        for depth in phase.depth.taps {
            for height in phase.height.taps {
                for width in phase.width.taps {
                    let offset = slab.offset(
                        depth: depth.displacement, height: height.displacement, width: width.displacement)
                    for channel in 0..<unit.channels { rows.append(offset + channel) }
                }
            }
        }
        let sums = partial + unit.offset
        sums.update(repeating: 0, count: unit.outputBlocks.count * rows.count * lanes)
        let targets = rows.indices.map { $0 * lanes }
        let full = positions(depths: pieces.size.depth, heights: pieces.size.height, images: pieces.imagesPerPiece)
        let (first, end) = (group * pieces.count / groups, (group + 1) * pieces.count / groups)
        let slabCount = pieces.imagesPerPiece * slab.scratchCount(blocks: 1)
        let gatheredStride = pieces.imagesPerPiece * size.product * lanes
        let gatheredCount = pieces.imagesPerPiece > 1 ? unit.outputBlocks.count * gatheredStride : 0
        Scratch.with(slabCount + gatheredCount) { scratch in
            for index in first..<end {
                let piece = pieces.piece(index)
                let base = slab.base(
                    of: source, images: piece.images, imageStride: slab.blockStride,
                    blocks: unit.inputBlock..<unit.inputBlock + 1, depth: piece.depth.lowerBound,
                    height: piece.height.lowerBound, scratch: scratch)
                let isFull = piece.depth.count == pieces.size.depth && piece.height.count == pieces.size.height
                let table =
                    isFull
                    ? full : positions(depths: piece.depth.count, heights: piece.height.count, images: 1)
                var factors = UnsafePointer(
                    gradient.block(unit.outputBlocks.lowerBound, image: piece.images.lowerBound))
                var factorStride = gradient.shape.blockStride
                if pieces.imagesPerPiece > 1 {
                    gather(gradient, piece.images, unit.outputBlocks, to: scratch + slabCount, gatheredStride)
                    (factors, factorStride) = (UnsafePointer(scratch + slabCount), gatheredStride)
                }
                // Whole planes follow one another without a gap.
                let whole = piece.height.count == size.height
                let planeCount = piece.height.count * size.width
                let total = planeCount * piece.depth.count * piece.images.count
                let stretch = whole ? total : planeCount
                for (number, start) in stride(from: 0, to: total, by: stretch).enumerated() {
                    let plane = piece.depth.lowerBound + number
                    let position = (plane * size.height + piece.height.lowerBound) * size.width
                    table.withUnsafeBufferPointer { table in
                        for run in stride(from: 0, to: stretch, by: Self.run) {
                            let length = min(Self.run, stretch - run)
                            let from = table.baseAddress! + start + run
                            let factor = factors + (position + run) * lanes
                            if lowered.isDepthwise {
                                correlateLanes(base, from, length, rows, rows.count, factor, sums)
                            } else {
                                multiplyRows(
                                    base, rows, rows.count, from, length, 1, factor, factorStride,
                                    unit.outputBlocks.count, sums, rows.count * lanes, targets, nil, 1)
                            }
                        }
                    }
                }
            }
        }
    }

    /// Offsets in the slabs of the positions of a piece.
    private func positions(depths: Int, heights: Int, images: Int) -> [Int] {
        var positions: [Int] = []
        positions.reserveCapacity(images * depths * heights * lowered.target.size.width)
        for image in 0..<images {
            for d in 0..<depths {
                for h in 0..<heights {
                    for w in 0..<lowered.target.size.width {
                        positions.append(
                            image * slab.blockStride + slab.rowOffset(depth: d, height: h, width: w))
                    }
                }
            }
        }
        return positions
    }

    /// Whole maps of several images one after the other.
    private func gather(
        _ gradient: FeatureMap, _ images: Range<Int>, _ blocks: Range<Int>, to target: UnsafeMutablePointer<Float>,
        _ blockStride: Int
    ) {
        let count = gradient.shape.blockStride
        for (n, block) in blocks.enumerated() {
            for (i, image) in images.enumerated() {
                (target + n * blockStride + i * count).update(
                    from: gradient.block(block, image: image), count: count)
            }
        }
    }

    /// Adds up the groups' sums of a unit and puts them where PyTorch has them.
    private func collect(
        _ unit: Unit, _ partials: UnsafePointer<Float>, to weight: UnsafeMutablePointer<Float>
    ) {
        let lanes = FeatureShape.lanes
        let vectors = elements.count * unit.channels
        guard lowered.groups == 1 else { return collectGroups(unit, partials, to: weight) }
        let isLast = unit.inputBlock == lowered.source.blocks - 1
        for (position, block) in unit.outputBlocks.enumerated() {
            let sums = partials + unit.offset + position * vectors * lanes
            let order = (isLast ? lastWeightBlocks : weightBlocks)!
            if groups == 1 {
                order.scatter(sums, outputBlock: block, inputBlock: unit.inputBlock, to: weight)
                continue
            }
            Scratch.with(vectors * lanes) { total in
                for n in 0..<vectors * lanes {
                    var sum = 0.0
                    for group in 0..<groups { sum += Double(sums[group * partialCount + n]) }
                    total[n] = Float(sum)
                }
                order.scatter(total, outputBlock: block, inputBlock: unit.inputBlock, to: weight)
            }
        }
    }

    /// The same where channels are in groups.
    private func collectGroups(
        _ unit: Unit, _ partials: UnsafePointer<Float>, to weight: UnsafeMutablePointer<Float>
    ) {
        let lanes = FeatureShape.lanes
        for (position, block) in unit.outputBlocks.enumerated() {
            for lane in 0..<min(lanes, lowered.outputChannels - block * lanes) {
                let output = block * lanes + lane
                for channel in 0..<unit.channels {
                    let input = lowered.isDepthwise ? output : unit.inputBlock * lanes + channel
                    guard let place = lowered.weightIndex(output: output, input: input) else { continue }
                    (weight + place).update(repeating: 0, count: lowered.kernel.product)
                    for (n, element) in elements.enumerated() {
                        let row = (position * elements.count + n) * unit.channels + channel
                        var sum = 0.0
                        for group in 0..<groups {
                            sum += Double(partials[group * partialCount + unit.offset + row * lanes + lane])
                        }
                        weight[place + element] = Float(sum)
                    }
                }
            }
        }
    }
}
