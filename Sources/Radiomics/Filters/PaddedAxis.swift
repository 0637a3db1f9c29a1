import Kernels

/// An axis with a margin at both sides, long enough for a fast transform.
struct PaddedAxis: Sendable {
    let count: Int
    /// Values before the first of the axis.
    let margin: Int
    /// Where each value comes from; −1 for a zero.
    let places: [Int]

    /// - Parameter margin: 0 takes the axis as it is.
    init(count: Int, margin: Int, edge: EdgeRule) {
        let padded = margin == 0 ? count : FourierTransform.fastCount(atLeast: count + 2 * margin)
        self.count = padded
        self.margin = margin
        places = (0..<padded).map { n in
            // What is more than the margin behind the end belongs before the start, as a transform is periodic; it is never
            // nearer to the axis than the margin from either side.
            edge.place(n - margin, count: count) ?? -1
        }
    }

    /// One value of an axis.
    init(only place: Int) { (count, margin, places) = (1, 0, [place]) }

    /// The image on padded axes; values that are not finite are zero.
    static func copy(
        _ image: FilterImage, _ x: PaddedAxis, _ y: PaddedAxis, _ z: PaddedAxis, threads: Int
    ) -> [Double] {
        var result = [Double](repeating: 0, count: x.count * y.count * z.count)
        result.withUnsafeMutableBufferPointer { target in
            Parallel.forRanges(z.count, piece: 1, threads: threads) { slices in
                for k in slices where z.places[k] >= 0 {
                    for j in 0..<y.count where y.places[j] >= 0 {
                        let source = image.size.x * (y.places[j] + image.size.y * z.places[k])
                        let row = x.count * (j + y.count * k)
                        for i in 0..<x.count where x.places[i] >= 0 {
                            let value = image.values[source + x.places[i]]
                            target[row + i] = value.isFinite ? value : 0
                        }
                    }
                }
            }
        }
        return result
    }
}
