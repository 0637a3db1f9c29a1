import Kernels

/// Synthetic minority samples among the feature vectors of a batch (DeepSMOTE layer of QSMRim-Net; Zhang et al.,
/// NeuroImage Clin 34 (2022) 102979): between a sample of the minority and each of its nearest neighbours of the minority
/// a point is drawn on the line between them.
///
/// Active in training only, and only where the batch has more than two samples of the minority.
package struct DeepSMOTE: Hashable, Sendable {
    /// Neighbours counted, the sample itself among them as the nearest.
    package let neighbours: Int
    /// Whether the pair of a sample with itself is kept, as in the released code: it only copies the sample.
    package let includesSelf: Bool

    package init(neighbours: Int = 3, includesSelf: Bool = false) {
        (self.neighbours, self.includesSelf) = (neighbours, includesSelf)
    }

    static func samplesPerRow(_ neighbours: Int, _ includesSelf: Bool) -> Int {
        includesSelf ? neighbours : neighbours - 1
    }

    /// A synthetic row: first + fraction · (second − first).
    package struct Mixture: Hashable, Sendable {
        package let first, second: Int
        package let fraction: Float
    }

    /// The synthetic rows of a batch, in the order they are appended.
    ///
    /// - Parameters:
    ///   - features: one vector per row.
    ///   - isMinority: one per row.
    ///   - place: epoch and batch, so that every batch draws its own points, the same ones whenever it is repeated.
    package func mixtures(
        _ features: FeatureMap, isMinority: [Bool], random: Philox, place: (epoch: UInt32, batch: UInt32)
    ) -> [Mixture] {
        let rows = isMinority.indices.filter { isMinority[$0] }
        guard rows.count > 2 else { return [] }
        var mixtures: [Mixture] = []
        for (n, row) in rows.enumerated() {
            let others = rows.filter { $0 != row }.map { (distance: Self.squaredDistance(features, row, $0), row: $0) }
                .sorted { ($0.distance, $0.row) < ($1.distance, $1.row) }
            let nearest = (includesSelf ? [row] : []) + others.prefix(neighbours - 1).map(\.row)
            var stream = random.stream(place.epoch, place.batch, 0x736D_0000 | UInt32(n))
            for other in nearest {
                mixtures.append(Mixture(first: row, second: other, fraction: stream.uniform()))
            }
        }
        return mixtures
    }

    private static func squaredDistance(_ features: FeatureMap, _ a: Int, _ b: Int) -> Double {
        let (x, y) = (features.block(0, image: a), features.block(0, image: b))
        var sum = 0.0
        for n in 0..<features.shape.imageStride {
            let difference = Double(x[n] - y[n])
            sum += difference * difference
        }
        return sum
    }

    /// The rows of `x`, the mixtures, and zeros in what is left of `y`, which has room for all there can be.
    static func forward(_ x: FeatureMap, _ mixtures: [Mixture], to y: FeatureMap) {
        let width = x.shape.imageStride
        for row in 0..<x.shape.batch { y.block(0, image: row).update(from: x.block(0, image: row), count: width) }
        for (n, mixture) in mixtures.enumerated() {
            let (a, b) = (x.block(0, image: mixture.first), x.block(0, image: mixture.second))
            let target = y.block(0, image: x.shape.batch + n)
            for column in 0..<width { target[column] = a[column] + mixture.fraction * (b[column] - a[column]) }
        }
        for row in x.shape.batch + mixtures.count..<y.shape.batch {
            y.block(0, image: row).update(repeating: 0, count: width)
        }
    }

    /// The gradient flows to both ends of every mixture.
    static func backward(_ mixtures: [Mixture], gradient dy: FeatureMap, to dx: FeatureMap) {
        let width = dx.shape.imageStride
        for row in 0..<dx.shape.batch { dx.block(0, image: row).update(from: dy.block(0, image: row), count: width) }
        for (n, mixture) in mixtures.enumerated() {
            let source = dy.block(0, image: dx.shape.batch + n)
            let (a, b) = (dx.block(0, image: mixture.first), dx.block(0, image: mixture.second))
            for column in 0..<width {
                let part = mixture.fraction * source[column]
                a[column] += source[column] - part
                b[column] += part
            }
        }
    }
}
