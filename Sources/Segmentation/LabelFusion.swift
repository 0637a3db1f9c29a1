import Kernels

/// One atlas brought to the target: its image and its labels, both resampled onto the target's grid.
package struct WarpedAtlas: Sendable {
    package var name: String
    package var image: Volume
    package var labels: LabelMap

    package init(name: String, image: Volume, labels: LabelMap) {
        (self.name, self.image, self.labels) = (name, image, labels)
    }
}

/// From the labels of several warped atlases to one label map.
///
/// At each voxel every atlas votes for its label; the label with the largest sum of weights wins, and between equal sums
/// the one an earlier atlas votes for. Where all atlases agree no weight is computed.
package enum LabelFusion {
    package enum Method: Sendable, Equatable {
        /// Every atlas has weight 1.
        case majority
        /// Weight = local normalised cross-correlation of the atlas with the target, below 0 taken as 0, to a power.
        ///
        /// - Parameters:
        ///   - sigmaMillimetres: of the Gaussian window.
        ///   - exponent: how strongly better matches are preferred.
        /// - Source: Artaechevarria et al., IEEE Trans Med Imaging 28 (2009) 1266–1277.
        case localCorrelation(sigmaMillimetres: Double, exponent: Double)
        /// Weights that minimise the expected label error, taking into account that similar atlases make the same
        /// mistakes: w = M⁻¹1 / 1ᵀM⁻¹1 with Mᵢⱼ = (mean over the patch of |aᵢ − t||aⱼ − t|)^β + α·δᵢⱼ. Intensities are
        /// normalised by local mean and deviation first. The patch is a Gaussian window as wide as a box of the given
        /// half width, and there is no patch search: the registration is taken as it is.
        ///
        /// - Source: Wang et al., IEEE Trans Pattern Anal Mach Intell 35 (2013) 611–623.
        case joint(radiusMillimetres: Double, alpha: Double, beta: Double)

        package static let localCorrelation = Method.localCorrelation(sigmaMillimetres: 1.5, exponent: 10)
        package static let joint = Method.joint(radiusMillimetres: 2, alpha: 0.1, beta: 2)
    }

    /// - Parameters:
    ///   - atlases: at least one, all on the grid of `target`.
    ///   - target: the image the atlases were registered to.
    ///   - threads: how many threads to use; the result does not depend on it.
    /// - Returns: labels on the grid of `target`, and per voxel the winner's share of the positive weight (1 where all
    ///   agree): low values show where the atlases dispute.
    /// - Throws: `GridError.mismatch`.
    package static func fuse(
        _ atlases: [WarpedAtlas], target: Volume, method: Method, threads: Int = 1
    ) throws -> (labels: LabelMap, agreement: Volume) {
        precondition(!atlases.isEmpty, "label fusion needs an atlas")
        for atlas in atlases {
            try requireSameGrid(atlas.image.grid, "atlas \(atlas.name)", target.grid, "the target")
            try requireSameGrid(atlas.labels.grid, "the labels of atlas \(atlas.name)", target.grid, "the target")
        }
        let grid = target.grid
        var labels = LabelMap(grid: grid, values: atlases[0].labels.values)
        var agreement = Volume(grid: grid, filledWith: 1)
        let disputed = Mask(grid: grid, values: disputes(atlases))
        guard let box = disputed.boundingBox() else { return (labels, agreement) }
        let scales = (atlases.map(\.image) + [target]).map { IntensityScale($0) }
        // Slab by slab, so that many atlases do not need many volumes of memory. The slabs depend on the problem alone.
        let spacing = grid.spacingMillimetres
        let reach = SIMD3<Int>(
            Int((method.reachMillimetres / spacing.x).rounded(.up)),
            Int((method.reachMillimetres / spacing.y).rounded(.up)),
            Int((method.reachMillimetres / spacing.z).rounded(.up)))
        for bottom in stride(from: box.lower.z, to: box.upper.z, by: slabSlices) {
            let top = min(box.upper.z, bottom + slabSlices)
            let size = SIMD3(grid.nx, grid.ny, grid.nz)
            var lower = SIMD3(box.lower.x, box.lower.y, bottom) &- reach
            var upper = SIMD3(box.upper.x, box.upper.y, top) &+ reach
            for a in 0..<3 { (lower[a], upper[a]) = (max(0, lower[a]), min(size[a], upper[a])) }
            let slab = grid.box(from: lower, to: upper)
            let weights = method.weights(
                atlases.map { $0.image.copied(to: slab) }, target: target.copied(to: slab), scales,
                where: disputed.copied(to: slab), threads: threads)
            for k in bottom..<top {
                for j in box.lower.y..<box.upper.y {
                    for i in box.lower.x..<box.upper.x {
                        let index = grid.index(i, j, k)
                        guard disputed.values[index] != 0 else { continue }
                        let inSlab = slab.grid.index(i - lower.x, j - lower.y, k - lower.z)
                        let (winner, share) = vote(atlases, weights, index, inSlab)
                        labels.values[index] = winner
                        agreement.values[index] = share
                    }
                }
            }
        }
        return (labels, agreement)
    }

    private static let slabSlices = 48

    /// 1 where not all atlases give the same label.
    private static func disputes(_ atlases: [WarpedAtlas]) -> [UInt8] {
        let first = atlases[0].labels.values
        var disputed = [UInt8](repeating: 0, count: first.count)
        for atlas in atlases.dropFirst() {
            for index in first.indices where atlas.labels.values[index] != first[index] { disputed[index] = 1 }
        }
        return disputed
    }

    /// The label with the largest sum of weights, the earliest of equals, and its share of the positive weight.
    private static func vote(
        _ atlases: [WarpedAtlas], _ weights: [[Float]], _ index: Int, _ inSlab: Int
    ) -> (UInt16, Float) {
        var (best, bestSum, total) = (UInt16(0), -Double.infinity, 0.0)
        for n in atlases.indices {
            let label = atlases[n].labels.values[index]
            total += Double(max(0, weights.isEmpty ? 1 : weights[n][inSlab]))
            // Each label is summed once, at its first voter.
            var isNew = true
            for m in 0..<n where atlases[m].labels.values[index] == label { isNew = false }
            guard isNew else { continue }
            var sum = 0.0
            for m in n..<atlases.count where atlases[m].labels.values[index] == label {
                sum += Double(weights.isEmpty ? 1 : weights[m][inSlab])
            }
            if sum > bestSum { (best, bestSum) = (label, sum) }
        }
        return (best, total > 0 ? Float(min(1, max(0, bestSum / total))) : 0)
    }
}
