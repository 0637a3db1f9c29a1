/// Where the kernels of a piece of work find the source: either the map itself, where no kernel element ever falls
/// outside of it, or a copy of the part that the piece needs with zeros around it. The copy is of cache size; no map is
/// ever padded as a whole.
struct SourceSlab: Sendable {
    /// Least displacement of any kernel element, on each axis.
    let least: Extent3
    let sourceStep: Extent3
    /// Positions a full piece needs.
    let size: Extent3
    /// Values per position: 16, or the channels there are where the source has fewer and is copied.
    let lanes: Int
    /// Values from one line, plane or block to the next.
    let lineStride, planeStride, blockStride: Int
    let isCopied: Bool

    /// - Parameter piece: target positions of a piece, the same for every phase; the width is never cut.
    init(_ phases: [LoweredConvolution.Phase], source: FeatureShape, piece: Extent3) {
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
        isCopied = !(depth.inside && height.inside && width.inside)
        lanes = isCopied ? min(source.channels, FeatureShape.lanes) : FeatureShape.lanes
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

    /// The slab for the piece that begins at target line (depth, height); copied to `scratch` where need be.
    func base(
        of source: FeatureMap, image: Int, blocks: Range<Int>, depth: Int, height: Int,
        scratch: UnsafeMutablePointer<Float>
    ) -> UnsafePointer<Float> {
        let (firstPlane, firstLine) = (
            depth * sourceStep.depth + least.depth, height * sourceStep.height + least.height
        )
        let lanesOfMap = FeatureShape.lanes
        let map = source.shape.size
        guard isCopied else {
            let position = (firstPlane * map.height + firstLine) * map.width + least.width
            return UnsafePointer(source.block(blocks.lowerBound, image: image) + position * lanesOfMap)
        }
        let before = min(max(0, -least.width), size.width)
        let end = max(before, min(size.width, map.width - least.width))
        for block in blocks {
            let from = source.block(block, image: image)
            for plane in 0..<size.depth {
                for line in 0..<size.height {
                    let to =
                        scratch + (block - blocks.lowerBound) * blockStride + plane * planeStride + line * lineStride
                    let (d, h) = (firstPlane + plane, firstLine + line)
                    guard d >= 0, d < map.depth, h >= 0, h < map.height else {
                        to.update(repeating: 0, count: lineStride)
                        continue
                    }
                    let there = from + ((d * map.height + h) * map.width + least.width) * lanesOfMap
                    to.update(repeating: 0, count: before * lanes)
                    if lanes == lanesOfMap {
                        (to + before * lanes).update(from: there + before * lanes, count: (end - before) * lanes)
                    } else {
                        gatherLanes(there + before * lanesOfMap, lanes, end - before, to + before * lanes)
                    }
                    (to + end * lanes).update(repeating: 0, count: (size.width - end) * lanes)
                }
            }
        }
        return UnsafePointer(scratch)
    }
}
