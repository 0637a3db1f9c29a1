import Kernels

/// The spread of the voxels of a region along its principal axes.
struct PrincipalAxes {
    /// Variances in mm², largest first.
    let variances: SIMD3<Double>

    /// - Parameter unbiased: with n − 1, as the IBSI; else with n, as PyRadiomics.
    init(_ region: RegionImage, unbiased: Bool) {
        let voxels = region.morphologicalVoxels
        let divisor = Double(unbiased ? max(1, voxels.count - 1) : voxels.count)
        let places = voxels.map {
            SIMD3(
                Double($0 % region.size.x), Double($0 / region.size.x % region.size.y), Double($0 / region.sliceStride))
                * region.spacingMillimetres
        }
        let centre = places.reduce(SIMD3<Double>.zero, +) / Double(places.count)
        var sums = [Double](repeating: 0, count: 9)
        for place in places {
            let d = place - centre
            for a in 0..<3 { for b in 0..<3 { sums[3 * a + b] += d[a] * d[b] } }
        }
        let values = SymmetricEigenvalues.of(sums.map { $0 / divisor }, order: 3)
        // Flat regions: rounding may leave a variance of 0 just below it.
        let floor = 1e-12 * max(values[2], 0)
        variances = SIMD3(values[2], values[1], values[0]).replacing(
            with: 0, where: SIMD3(values[2], values[1], values[0]) .<= SIMD3(repeating: floor))
    }

    /// Full lengths of the axes of an ellipsoid with these variances, mm: major, minor, least.
    var lengths: SIMD3<Double> { 4 * variances.squareRoot() }
    var elongation: Double { (variances.y / variances.x).squareRoot() }
    var flatness: Double { (variances.z / variances.x).squareRoot() }

    /// Volume of the ellipsoid with these axes, mm³.
    var ellipsoidVolume: Double {
        let half = lengths / 2
        return 4 * .pi / 3 * half.x * half.y * half.z
    }

    /// Area of the ellipsoid with these axes, mm²: the series of Legendre polynomials up to degree 20 (IBSI, RDD2).
    var ellipsoidArea: Double {
        let half = lengths / 2
        let (a, b, c) = (half.x, half.y, half.z)
        guard a > 0 else { return 0 }
        let alpha = 1 - b * b / (a * a)
        let beta = 1 - c * c / (a * a)
        // (αβ)ⁿ Pₙ((α² + β²) / 2αβ) by the recurrence of Pₙ, which in this form divides by nothing that may vanish.
        let (mean, product) = ((alpha + beta) / 2, alpha * beta)
        var (previous, current) = (1.0, mean)
        var sum = 1 + current / (1 - 4)
        for n in 1..<20 {
            let next = (Double(2 * n + 1) * mean * current - Double(n) * product * previous) / Double(n + 1)
            (previous, current) = (current, next)
            sum += current / (1 - 4 * Double((n + 1) * (n + 1)))
        }
        return 4 * .pi * a * b * sum
    }
}
