import Kernels

/// Moran's I and Geary's C of the intensities of a region, each pair of voxels weighted by the inverse of its distance in
/// mm (IBSI features N365 and NPT7).
package enum SpatialAutocorrelation {
    /// Up to this many voxels all pairs are visited; beyond it the sums over pairs are convolutions, done by transform.
    static let largestDirectCount = 1500

    /// NaN for fewer than two voxels or equal intensities.
    static func measure(_ region: RegionImage) -> (moran: Double, geary: Double) {
        let voxels = region.voxels
        return measure(region, voxels, direct: voxels.count <= largestDirectCount)
    }

    /// - Parameter direct: visit all pairs; else by transform.
    package static func measure(
        _ region: RegionImage, _ voxels: [Int], direct: Bool
    ) -> (moran: Double, geary: Double) {
        let count = Double(voxels.count)
        guard voxels.count > 1 else { return (.nan, .nan) }
        let mean = voxels.reduce(0) { $0 + region.values[$1] } / count
        let deviations = voxels.map { region.values[$0] - mean }
        let squares = deviations.reduce(0) { $0 + $1 * $1 }
        guard squares > 0 else { return (.nan, .nan) }
        let sums = direct ? pairSums(region, voxels, deviations) : transformedSums(region, voxels, deviations)
        // Σ w (a − b)² = 2 (Σ w a² − Σ w a b) over ordered pairs.
        let differences = 2 * (sums.squares - sums.products)
        return (
            count / sums.weights * sums.products / squares, (count - 1) / (2 * sums.weights) * differences / squares
        )
    }

    /// Over ordered pairs of different voxels: Σ w, Σ w a b, Σ w a².
    private typealias Sums = (weights: Double, products: Double, squares: Double)

    private static func pairSums(_ region: RegionImage, _ voxels: [Int], _ deviations: [Double]) -> Sums {
        let places = voxels.map {
            SIMD3(
                Double($0 % region.size.x), Double($0 / region.size.x % region.size.y), Double($0 / region.sliceStride))
                * region.spacingMillimetres
        }
        var sums: Sums = (0, 0, 0)
        for a in voxels.indices {
            for b in 0..<a {
                let d = places[a] - places[b]
                let weight = 1 / (d * d).sum().squareRoot()
                sums.weights += weight
                sums.products += weight * deviations[a] * deviations[b]
                sums.squares += weight * (deviations[a] * deviations[a] + deviations[b] * deviations[b]) / 2
            }
        }
        return (2 * sums.weights, 2 * sums.products, 2 * sums.squares)
    }

    private static func transformedSums(_ region: RegionImage, _ voxels: [Int], _ deviations: [Double]) -> Sums {
        // Twice the box, so that the wrapped-around ends do not meet.
        var size = SIMD3(repeating: 1)
        for axis in 0..<3 { size[axis] = FourierTransform.fastCount(atLeast: 2 * region.size[axis] - 1) }
        let transform = FourierTransform(size: size)
        let spacing = region.spacingMillimetres
        let count = size.x * size.y * size.z
        var weights = [Double](repeating: 0, count: count)
        for k in 0..<size.z {
            let z = Double(min(k, size.z - k)) * spacing.z
            for j in 0..<size.y {
                let y = Double(min(j, size.y - j)) * spacing.y
                for i in 0..<size.x where i + j + k > 0 {
                    let x = Double(min(i, size.x - i)) * spacing.x
                    weights[i + size.x * (j + size.y * k)] = 1 / (x * x + y * y + z * z).squareRoot()
                }
            }
        }
        // The weights are symmetric, so their transform is real.
        var nothing = [Double](repeating: 0, count: count)
        transform.transform(&weights, &nothing)
        // Deviations as the real part, the mask as the imaginary one: real factors keep the two apart.
        let places = voxels.map { voxel in
            voxel % region.size.x + size.x
                * (voxel / region.size.x % region.size.y + size.y * (voxel / region.sliceStride))
        }
        var fields = [Double](repeating: 0, count: count)
        var masks = fields
        for (place, deviation) in zip(places, deviations) { (fields[place], masks[place]) = (deviation, 1) }
        transform.transform(&fields, &masks)
        for index in fields.indices {
            fields[index] *= weights[index]
            masks[index] *= weights[index]
        }
        transform.transform(&fields, &masks, inverse: true)
        var sums: Sums = (0, 0, 0)
        for (place, deviation) in zip(places, deviations) {
            let (field, mask) = (fields[place] / Double(count), masks[place] / Double(count))
            sums.weights += mask
            sums.products += field * deviation
            sums.squares += mask * deviation * deviation
        }
        return sums
    }
}
