extension LoweredConvolution {
    /// The way that is expected to be the fastest, from the shape alone.
    ///
    /// - Parameter packingCounts: whether weights are packed for every application.
    func method(packingCounts: Bool = false) -> any ConvolutionMethod {
        let isTapwise = TapwiseConvolution.takes(self) && tapwiseCost < directCost
        let direct = isTapwise ? tapwiseCost : directCost
        let fast = fastTiles.map { tile in
            let isLate = transformsLate(tile)
            return (
                tile: tile, isLate: isLate,
                cost: isLate ? lateCost(of: tile) : cost(of: tile, packingCounts: packingCounts)
            )
        }.min { $0.cost < $1.cost }
        if let fast, fast.cost < direct,
            let method = WinogradConvolution(self, outputs: fast.tile, transformsLate: fast.isLate)
        {
            return method
        }
        // Made only where it is used: its lists of positions are long on large maps.
        return isTapwise ? TapwiseConvolution(self) : DirectConvolution(self)
    }

    /// Whether transformed weights would take more memory than a layer may have for them: 8 MiB. From the shape alone, so
    /// that a result never depends on the machine's memory.
    private func transformsLate(_ tile: Extent3) -> Bool {
        WinogradConvolution.transformedCount(self, outputs: tile) > 1 << 21
    }

    /// The way to the gradient of the weights that is expected to be the fastest.
    func weightGradientMethod() -> any WeightGradientMethod {
        let weights = Double(phases[0].tapCount * min(source.channels, source.blocks * 16) * target.blocks * 16)
        let direct = weights * Double(target.batch * target.positions) / (target.blocks > 1 ? 30 : 24)
        // The sums of all groups of tiles are cleared, added up and transformed.
        let fast = fastTiles.map { (tile: $0, cost: cost(of: $0, packingCounts: true) * 1.25) }
            .min { $0.cost < $1.cost }
        if let fast, fast.cost < direct, let method = WinogradWeightGradient(self, outputs: fast.tile) {
            return method
        }
        return DirectWeightGradient(self)
    }

    /// Tiles of fast convolution that suit the kernel and the size: longer than two only where there are three outputs.
    private var fastTiles: [Extent3] {
        let phase = phases[0]
        guard groups == 1, phases.count == 1, target.batch > 0, phase.height.taps.count == 3,
            phase.width.taps.count == 3
        else {
            return []
        }
        func lengths(_ axis: Axis) -> [Int] { axis.taps.count == 1 ? [1] : (axis.count > 2 ? [4, 2] : [2]) }
        return lengths(phase.depth).flatMap { depth in
            lengths(phase.height).flatMap { height in
                lengths(phase.width).map { Extent3(depth, height, $0) }
            }
        }
    }

    // Costs in cycles of a processor with 16 lanes and two multipliers, from measurements: 32 multiplications per cycle,
    // 6 bytes per cycle from beyond the second cache level.

    private var directCost: Double {
        let positions = Double(target.batch * phases.map { $0.depth.count * $0.height.count * $0.width.count }.max()!)
        let weights = Double(phases[0].tapCount * min(source.channels, source.blocks * 16) * target.blocks * 16)
        return weights * (max(8, positions) / 30 + 4.0 / 6)
    }

    /// Positions are counted for each kernel element, by eights as the product takes them; sums are read and written once
    /// for each.
    private var tapwiseCost: Double {
        let phase = phases[0]
        func reached(_ axis: Axis, _ length: Int) -> [Int] { axis.taps.map { axis.reached(by: $0, length).count } }
        var cost = 0.0
        for depth in reached(phase.depth, source.size.depth) {
            for height in reached(phase.height, source.size.height) {
                for width in reached(phase.width, source.size.width) {
                    let rows = target.batch * depth * height * width
                    cost += Double(rows.divided(by: 8) * 8) / 28 + 4.0 / 6
                }
            }
        }
        return cost * Double(source.blocks * target.blocks * FeatureShape.lanes * FeatureShape.lanes)
    }

    private func tileCount(_ tile: Extent3) -> Int {
        let size = target.size
        return target.batch * size.depth.divided(by: tile.depth) * size.height.divided(by: tile.height)
            * size.width.divided(by: tile.width)
    }

    private func cost(of tile: Extent3, packingCounts: Bool) -> Double {
        let count = tileCount(tile)
        let weights = Double(WinogradConvolution.transformedCount(self, outputs: tile))
        let products = weights * Double(count.divided(by: 8) * 8) / 28
        // Both sides of a tile pass through the transforms, whose stores count.
        let transforms = Double(count * tile.product * (source.blocks + target.blocks)) * 12
        return products + transforms + weights * (packingCounts ? 2 : 4.0 / 6)
    }

    /// The same where weights are transformed when they are used: for each block of tiles they are read as they are,
    /// once for each frequency of depth, and a vector of 16 transformed ones takes some 5 cycles.
    private func lateCost(of tile: Extent3) -> Double {
        let frequencies = Extent3(tile.depth == 1 ? 1 : tile.depth + 2, tile.height + 2, tile.width + 2)
        let blocks = tileCount(tile).divided(
            by: WinogradConvolution.tileCount(self, inputs: frequencies, outputs: tile, transformsLate: true))
        let transformed = Double(WinogradConvolution.transformedCount(self, outputs: tile))
        let weights = Double(phases[0].tapCount * source.blocks * target.blocks * 256)
        let late = transformed * 5 / 16 + weights * Double(frequencies.depth) * 4 / 6
        return cost(of: tile, packingCounts: false) - transformed * 4 / 6 + Double(blocks) * late
    }
}
