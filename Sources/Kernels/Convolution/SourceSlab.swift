/// Where the kernels of a piece of work find the source: either the map itself, where no kernel element ever falls
/// outside of it, or a copy of the part that the piece needs with zeros around it. The copy is of cache size; no map is
/// ever padded as a whole.
struct SourceSlab: Sendable {
    /// Least displacement of any kernel element, on each axis.
    let least: Extent3
    let sourceStep: Extent3
    /// Positions a full piece needs.
    let size: Extent3
    /// Values per position: 16, or the channels there are where the source has fewer, is copied and read value by value.
    let lanes: Int
    /// Values from one line, plane or block to the next.
    let lineStride, planeStride, blockStride: Int
    let isCopied: Bool

    /// - Parameters:
    ///   - piece: target positions of a piece, the same for every phase; the width is never cut.
    ///   - wholeVectors: whether positions are read as vectors of 16 channels, those that do not exist being zeros.
    ///   - mustCopy: a copy in any case: where the source is in planar order, or pieces span images.
    init(
        _ phases: [LoweredConvolution.Phase], source: FeatureShape, piece: Extent3, wholeVectors: Bool,
        mustCopy: Bool = false
    ) {
        typealias Axis = LoweredConvolution.Axis
        let used = phases.filter { $0.tapCount > 0 }
        func axis(_ path: KeyPath<LoweredConvolution.Phase, Axis>, _ piece: Int, _ length: Int)
            -> (least: Int, step: Int, size: Int, inside: Bool)
        {
            let axes = used.map { $0[keyPath: path] }
            guard let first = axes.first else { return (0, 1, 1, true) }
            let least = axes.map { $0.taps.first!.displacement }.min()!
            let most = axes.map { $0.taps.last!.displacement }.max()!
            let inside = axes.allSatisfy {
                $0.taps.first!.displacement >= 0
                    && ($0.count - 1) * $0.sourceStep + $0.taps.last!.displacement < length
            }
            return (least, first.sourceStep, (piece - 1) * first.sourceStep + most - least + 1, inside)
        }
        let depth = axis(\.depth, piece.depth, source.size.depth)
        let height = axis(\.height, piece.height, source.size.height)
        let width = axis(\.width, piece.width, source.size.width)
        least = Extent3(depth.least, height.least, width.least)
        sourceStep = Extent3(depth.step, height.step, width.step)
        size = Extent3(depth.size, height.size, width.size)
        isCopied = mustCopy || !(depth.inside && height.inside && width.inside)
        lanes = isCopied && !wholeVectors ? min(source.channels, FeatureShape.lanes) : FeatureShape.lanes
        if isCopied {
            lineStride = size.width * lanes
            planeStride = size.height * lineStride
            blockStride = size.depth * planeStride
        } else {
            lineStride = source.size.width * lanes
            planeStride = source.size.height * lineStride
            blockStride = source.blockStride
        }
    }

    /// Values of scratch for `blocks` blocks.
    func scratchCount(blocks: Int) -> Int { isCopied ? blocks * blockStride : 0 }

    /// Offset of a displacement from the start of the slab.
    func offset(depth: Int, height: Int, width: Int) -> Int {
        (depth - least.depth) * planeStride + (height - least.height) * lineStride + (width - least.width) * lanes
    }

    /// Offset of a target position of the piece.
    func rowOffset(depth: Int, height: Int, width: Int) -> Int {
        depth * sourceStep.depth * planeStride + height * sourceStep.height * lineStride
            + width * sourceStep.width * lanes
    }

    /// Slabs of several images, `imageStride` values apart in `scratch`.
    func base(
        of source: ConvolutionSource, images: Range<Int>, imageStride: Int, blocks: Range<Int>, depth: Int,
        height: Int, scratch: UnsafeMutablePointer<Float>
    ) -> UnsafePointer<Float> {
        precondition(isCopied || images.count == 1)
        for image in images.dropFirst() {
            _ = base(
                of: source, image: image, blocks: blocks, depth: depth, height: height,
                scratch: scratch + (image - images.lowerBound) * imageStride)
        }
        return base(
            of: source, image: images.lowerBound, blocks: blocks, depth: depth, height: height, scratch: scratch)
    }

    /// The slab for the piece that begins at target line (depth, height); copied to `scratch` where need be.
    func base(
        of source: ConvolutionSource, image: Int, blocks: Range<Int>, depth: Int, height: Int,
        scratch: UnsafeMutablePointer<Float>
    ) -> UnsafePointer<Float> {
        let first = Extent3(
            depth * sourceStep.depth + least.depth, height * sourceStep.height + least.height, least.width)
        let map = source.shape.size
        if !isCopied, case .blocked(let values) = source {
            let position = (first.depth * map.height + first.height) * map.width + first.width
            return UnsafePointer(values.block(blocks.lowerBound, image: image) + position * FeatureShape.lanes)
        }
        let before = min(max(0, -first.width), size.width)
        let end = max(before, min(size.width, map.width - first.width))
        for block in blocks {
            for plane in 0..<size.depth {
                for line in 0..<size.height {
                    let to =
                        scratch + (block - blocks.lowerBound) * blockStride + plane * planeStride + line * lineStride
                    let (d, h) = (first.depth + plane, first.height + line)
                    guard d >= 0, d < map.depth, h >= 0, h < map.height, before < end else {
                        to.update(repeating: 0, count: lineStride)
                        continue
                    }
                    to.update(repeating: 0, count: before * lanes)
                    let position = (d * map.height + h) * map.width + first.width + before
                    copy(source, image: image, block: block, position, end - before, to: to + before * lanes)
                    (to + end * lanes).update(repeating: 0, count: (size.width - end) * lanes)
                }
            }
        }
        return UnsafePointer(scratch)
    }

    /// Consecutive positions of a line that are inside the source.
    private func copy(
        _ source: ConvolutionSource, image: Int, block: Int, _ position: Int, _ count: Int,
        to target: UnsafeMutablePointer<Float>
    ) {
        switch source {
        case .blocked(let map):
            let from = map.block(block, image: image) + position * FeatureShape.lanes
            if lanes == FeatureShape.lanes {
                target.update(from: from, count: count * lanes)
            } else {
                gatherLanes(from, lanes, count, target)
            }
        case .planar(let values, let shape):
            let from = values + image * shape.channels * shape.positions + position
            if lanes == 1 {
                target.update(from: from, count: count)
            } else {
                let present = min(lanes, shape.channels)
                if present < lanes { target.update(repeating: 0, count: count * lanes) }
                for lane in 0..<present {
                    let channel = from + lane * shape.positions
                    for n in 0..<count { target[n * lanes + lane] = channel[n] }
                }
            }
        }
    }
}

/// What a convolution reads.
enum ConvolutionSource: @unchecked Sendable {
    // Unchecked because of the pointer, which is only read.
    case blocked(FeatureMap)
    /// Batch, channel, depth, height, width: the input of a network. Fewer than 16 channels.
    case planar(UnsafePointer<Float>, FeatureShape)

    var shape: FeatureShape {
        switch self {
        case .blocked(let map): map.shape
        case .planar(_, let shape): shape
        }
    }
}
