/// A convolution on maps so small that most kernel elements fall beside them from most positions: one element after the
/// other, over the positions that it reaches.
///
/// On a map of 2×2×2 positions a kernel of 3×3×3 makes 64 products per pair of channels where 8 · 27 positions and elements
/// meet, and as many as fast convolution with tiles of 2×2×2 does, without its transforms and with the weights as they are.
final class TapwiseConvolution: ConvolutionMethod {
    let lowered: LoweredConvolution
    let packedCount: Int
    let scratchCount = 0

    /// An element of the kernel with the positions that it reaches the source from, of all images.
    private struct Tap: Sendable {
        /// Position in the source and in the target, in values from the first of the image.
        var sources, targets: [Int]
    }

    private let taps: [Tap]
    private let weights: WeightBlocks
    /// All positions of an image in the target.
    private let positions: [Int]

    /// Blocks of outputs of a piece of work: as many as the product takes at a time.
    private static let blocksPerPiece = 2
    /// Where outputs make fewer pieces, the images are divided as well.
    private static let wantedPieces = 16

    /// Whether the convolution is of the kind that this can compute, on maps small enough that sums which are read and
    /// written again for every kernel element stay near.
    static func takes(_ lowered: LoweredConvolution) -> Bool {
        lowered.groups == 1 && lowered.phases.count == 1 && lowered.source.channels % FeatureShape.lanes == 0
            && max(lowered.target.size.product, lowered.source.size.product) <= largestMap
    }

    /// Positions of 8×8×8.
    private static let largestMap = 512

    init(_ lowered: LoweredConvolution) {
        precondition(Self.takes(lowered), "one group, one phase, channels that fill blocks, a small map")
        let lanes = FeatureShape.lanes
        self.lowered = lowered
        let phase = lowered.phases[0]
        let (source, target) = (lowered.source.size, lowered.target.size)
        var taps: [Tap] = []
        for depth in phase.depth.taps {
            for height in phase.height.taps {
                for width in phase.width.taps {
                    var tap = Tap(sources: [], targets: [])
                    for (d, fromDepth) in phase.depth.reached(by: depth, source.depth) {
                        for (h, fromHeight) in phase.height.reached(by: height, source.height) {
                            for (w, fromWidth) in phase.width.reached(by: width, source.width) {
                                let from = (fromDepth * source.height + fromHeight) * source.width + fromWidth
                                tap.sources.append(from * lanes)
                                tap.targets.append(((d * target.height + h) * target.width + w) * lanes)
                            }
                        }
                    }
                    taps.append(tap)
                }
            }
        }
        self.taps = taps
        positions = (0..<target.product).map { $0 * lanes }
        let sourceBlocks = lowered.source.blocks
        weights = WeightBlocks(lowered, elements: DirectConvolution.elements(of: phase, kernel: lowered.kernel)) {
            ($1 * sourceBlocks * lanes + $0) * lanes
        }
        packedCount = taps.count * sourceBlocks * lowered.target.blocks * lanes * lanes
    }

    /// Layout: block of outputs, kernel element, input channel, output channel.
    func pack(_ weight: UnsafePointer<Float>, to packed: UnsafeMutablePointer<Float>, threads: Int) {
        let block = FeatureShape.lanes * FeatureShape.lanes
        let sources = lowered.source.blocks
        Parallel.forEach(lowered.target.blocks, threads: threads) { output in
            for input in 0..<sources {
                weights.gather(
                    weight, outputBlock: output, inputBlock: input,
                    to: packed + (output * taps.count * sources + input) * block)
            }
        }
    }

    func apply(
        _ source: FeatureMap, to target: FeatureMap, packed: UnsafePointer<Float>, bias: UnsafePointer<Float>,
        slope: Float, threads: Int
    ) {
        let lanes = FeatureShape.lanes
        let blocks = lowered.target.blocks
        let outputPieces = blocks.divided(by: Self.blocksPerPiece)
        let batch = lowered.target.batch
        guard batch > 0 else { return }
        let imagesPerPiece = batch.divided(by: min(batch, Self.wantedPieces.divided(by: outputPieces)))
        let groups = stride(from: 0, to: batch, by: imagesPerPiece).map { first in
            let images = first..<min(first + imagesPerPiece, batch)
            func spanning(_ offsets: [Int], _ stride: Int) -> [Int] {
                images.flatMap { image in offsets.map { $0 + image * stride } }
            }
            return (
                rows: taps.map { tap in
                    (
                        sources: spanning(tap.sources, source.imageStride),
                        targets: spanning(tap.targets, target.imageStride)
                    )
                },
                all: spanning(positions, target.imageStride)
            )
        }
        let steps = (0..<lowered.source.blocks).map { $0 * source.shape.blockStride }
        let perTap = steps.count * lanes * lanes
        let perBlock = taps.count * perTap
        Parallel.forEach(outputPieces * groups.count, threads: threads) { piece in
            let (rows, all) = groups[piece % groups.count]
            let first = piece / groups.count * Self.blocksPerPiece
            let count = min(Self.blocksPerPiece, blocks - first)
            let place = target.block(first, image: 0)
            func add(
                _ rows: (sources: [Int], targets: [Int]), _ steps: [Int], _ stepCount: Int, _ weights: Int,
                bias: UnsafePointer<Float>?, slope: Float
            ) {
                multiplyRows(
                    source.block(0, image: 0), rows.sources, rows.targets.count, steps, stepCount, lanes,
                    packed + first * perBlock + weights, perBlock, count, place, target.shape.blockStride,
                    rows.targets, bias, slope)
            }
            add((all.map { _ in 0 }, all), [0], 0, 0, bias: bias + first * lanes, slope: 1)
            for (number, rows) in rows.enumerated() where !rows.targets.isEmpty {
                add(rows, steps, steps.count, number * perTap, bias: nil, slope: 1)
            }
            if slope != 1 { add((all.map { _ in 0 }, all), [0], 0, 0, bias: nil, slope: slope) }
        }
    }
}

extension LoweredConvolution.Axis {
    /// Positions of the target from which `tap` meets a source of `length` positions, and where.
    func reached(by tap: LoweredConvolution.Tap, _ length: Int) -> [(target: Int, source: Int)] {
        (0..<count).compactMap { position in
            let from = position * sourceStep + tap.displacement
            return from >= 0 && from < length ? (origin + position * step, from) : nil
        }
    }
}
