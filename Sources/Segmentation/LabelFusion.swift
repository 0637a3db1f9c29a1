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
        /// normalised by local mean and deviation first; weights below 0 are kept, as in the original. There is no
        /// patch search: the registration is taken as it is.
        ///
        /// - Parameters:
        ///   - radiusMillimetres: half width of the box-shaped patch.
        /// - Source: Wang et al., IEEE Trans Pattern Anal Mach Intell 35 (2013) 611–623.
        case joint(radiusMillimetres: Double, alpha: Double, beta: Double)

        package static let localCorrelation = Method.localCorrelation(sigmaMillimetres: 2.5, exponent: 4)
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
        var labels = LabelMap(grid: grid)
        var agreement = Volume(grid: grid, filledWith: 1)
        let disputed = Mask(
            grid: grid,
            values: grid.voxelIndices.map { index in
                let first = atlases[0].labels.values[index]
                return atlases.dropFirst().allSatisfy { $0.labels.values[index] == first } ? 0 : 1
            })
        for index in grid.voxelIndices where disputed.values[index] == 0 {
            labels.values[index] = atlases[0].labels.values[index]
        }
        // All that the weights need lies in a box around the dispute; the margin holds every window and patch.
        guard let box = disputed.boundingBox(marginMillimetres: method.reachMillimetres) else {
            return (labels, agreement)
        }
        let weights = try method.weights(
            atlases.map { $0.image.copied(to: box) }, target: target.copied(to: box), threads: threads)
        for k in 0..<box.grid.nz {
            for j in 0..<box.grid.ny {
                for i in 0..<box.grid.nx {
                    let index = grid.index(i + box.lower.x, j + box.lower.y, k + box.lower.z)
                    guard disputed.values[index] != 0 else { continue }
                    let inBox = box.grid.index(i, j, k)
                    let (winner, share) = vote(atlases.count) { n in
                        (atlases[n].labels.values[index], weights.isEmpty ? 1 : weights[n][inBox])
                    }
                    labels.values[index] = winner
                    agreement.values[index] = share
                }
            }
        }
        return (labels, agreement)
    }

    /// The label with the largest sum of weights, the earliest of equals, and its share of the positive weight.
    private static func vote(_ count: Int, _ ballot: (Int) -> (label: UInt16, weight: Float)) -> (UInt16, Float) {
        var (best, bestSum, total) = (UInt16(0), -Double.infinity, 0.0)
        for n in 0..<count {
            let (label, weight) = ballot(n)
            total += Double(max(0, weight))
            // Each label is summed once, at its first voter.
            if (0..<n).contains(where: { ballot($0).label == label }) { continue }
            var sum = 0.0
            for m in n..<count where ballot(m).label == label { sum += Double(ballot(m).weight) }
            if sum > bestSum { (best, bestSum) = (label, sum) }
        }
        return (best, total > 0 ? Float(min(1, max(0, bestSum / total))) : 0)
    }
}

extension VoxelGrid {
    /// All flat indices.
    fileprivate var voxelIndices: Range<Int> { 0..<count }
}
