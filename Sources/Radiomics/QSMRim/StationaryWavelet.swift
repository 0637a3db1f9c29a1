import Kernels

/// One level of the stationary (undecimated) wavelet transform with coiflets of order 1, as PyRadiomics computes it: axes
/// are periodic, after an odd axis was made even by repeating its first plane behind the last.
package enum StationaryWavelet {
    /// Sub-bands in the order of PyRadiomics: L and H for low and high pass along i, j, k.
    package static let bands = ["LLH", "LHL", "LHH", "HLL", "HLH", "HHL", "HHH", "LLL"]

    /// Low pass: coiflet of order 1 (Daubechies, Ten Lectures on Wavelets, table 8.1).
    private static let low: [Double] = {
        let root = 7.0.squareRoot()
        let scale = 1 / (16 * 2.0.squareRoot())
        return [-3 + root, 1 - root, 14 - 2 * root, 14 + 2 * root, 5 + root, 1 - root].map { $0 * scale }
    }()

    /// High pass: the low pass reversed with alternating signs.
    private static let high: [Double] = (0..<6).map { ($0 % 2 == 0 ? -1 : 1) * low[5 - $0] }

    /// Values at offsets −2 … 3 make one result.
    private static let reach = (before: 2, after: 3)

    /// The sub-bands over the box of a region, in the order of `bands`. Only the neighbourhood of the box is read.
    ///
    /// - Parameters:
    ///   - image: the image that the region was cut from.
    ///   - region: gives the box.
    ///   - scale: factor on the values of the image.
    package static func transform(_ image: Volume, over region: RegionImage, scale: Double = 1) -> [[Double]] {
        let margin = reach.before + reach.after
        let counts = SIMD3(image.grid.nx, image.grid.ny, image.grid.nz)
        let size = region.size &+ margin
        // Where the values of each extended axis come from.
        let places = (0..<3).map { axis -> [Int] in
            let even = counts[axis] + counts[axis] % 2
            return (0..<size[axis]).map { n in
                let free = region.lower[axis] - reach.before + n
                let wrapped = (free % even + even) % even
                return wrapped < counts[axis] ? wrapped : 0
            }
        }
        var values = [Double](repeating: 0, count: size.x * size.y * size.z)
        for k in 0..<size.z {
            for j in 0..<size.y {
                let row = size.x * (j + size.y * k)
                for i in 0..<size.x {
                    values[row + i] =
                        Double(image.values[image.grid.index(places[0][i], places[1][j], places[2][k])]) * scale
                }
            }
        }
        var parts: [(name: String, values: [Double])] = [("", values)]
        var extent = size
        for axis in 0..<3 {
            parts = parts.flatMap { part in
                [
                    (part.name + "L", filtered(part.values, extent, axis, low)),
                    (part.name + "H", filtered(part.values, extent, axis, high)),
                ]
            }
            extent[axis] -= margin
        }
        let byName = Dictionary(uniqueKeysWithValues: parts.map { ($0.name, $0.values) })
        return bands.map { byName[$0] ?? [] }
    }

    /// Convolution along one axis, which becomes shorter by the margin.
    private static func filtered(_ values: [Double], _ size: SIMD3<Int>, _ axis: Int, _ taps: [Double]) -> [Double] {
        var shorter = size
        shorter[axis] -= taps.count - 1
        let step = axis == 0 ? 1 : axis == 1 ? size.x : size.x * size.y
        var result = [Double](repeating: 0, count: shorter.x * shorter.y * shorter.z)
        values.withUnsafeBufferPointer { values in
            for k in 0..<shorter.z {
                for j in 0..<shorter.y {
                    let source = size.x * (j + size.y * k)
                    let target = shorter.x * (j + shorter.y * k)
                    for i in 0..<shorter.x {
                        // Tap 0 belongs to the offset +3, tap 5 to −2.
                        var sum = 0.0
                        for tap in 0..<6 { sum += taps[tap] * values[source + i + (5 - tap) * step] }
                        result[target + i] = sum
                    }
                }
            }
        }
        return result
    }
}
