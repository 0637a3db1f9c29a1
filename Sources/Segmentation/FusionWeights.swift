import Kernels

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

extension LabelFusion.Method {
    /// How far around a voxel its weights look.
    var reachMillimetres: Double {
        switch self {
        case .majority: 0
        case .localCorrelation(let sigma, _): 4 * sigma
        case .joint(let radius, _, _): 3 * radius + 6
        }
    }

    /// Weight of each atlas at each voxel; empty for equal weights.
    func weights(_ images: [Volume], target: Volume, threads: Int) throws -> [[Float]] {
        switch self {
        case .majority:
            return []
        case .localCorrelation(let sigma, let exponent):
            let moments = LocalMoments(target, sigmaMillimetres: sigma, threads: threads)
            return images.map {
                moments.correlation(with: $0, threads: threads).map { powf(max(0, $0), Float(exponent)) + 1e-6 }
            }
        case .joint(let radius, let alpha, let beta):
            return jointWeights(
                images, target: target, radiusMillimetres: radius, alpha: alpha, beta: beta, threads: threads)
        }
    }

    private func jointWeights(
        _ images: [Volume], target: Volume, radiusMillimetres radius: Double, alpha: Double, beta: Double, threads: Int
    ) -> [[Float]] {
        let n = images.count
        // A Gaussian window of the patch's spread for mean and deviation: a box of half width r has variance r²/3.
        let sigma = max(radius, 1) / 3.0.squareRoot() * 1.5
        let normalTarget = LocalMoments(target, sigmaMillimetres: sigma, threads: threads).normalised
        let errors = images.map { image -> [Float] in
            let normal = LocalMoments(image, sigmaMillimetres: sigma, threads: threads).normalised
            return zip(normal, normalTarget).map { abs($0 - $1) }
        }
        // Mean of |aᵢ − t||aⱼ − t| over the patch, for i ≤ j.
        var products: [[Float]] = []
        for i in 0..<n {
            for j in i..<n {
                let product = Volume(grid: target.grid, values: zip(errors[i], errors[j]).map { $0 * $1 })
                products.append(product.smoothed(sigmaMillimetres: radius / 3.0.squareRoot(), threads: threads).values)
            }
        }
        var weights = [[Float]](repeating: [Float](repeating: 0, count: target.grid.count), count: n)
        var matrix = [Double](repeating: 0, count: n * n)
        for index in 0..<target.grid.count {
            var entry = 0
            for i in 0..<n {
                for j in i..<n {
                    let value = pow(Double(max(0, products[entry][index])), beta)
                    matrix[i * n + j] = value
                    matrix[j * n + i] = value
                    entry += 1
                }
                matrix[i * n + i] += alpha
            }
            let solution = solveForOnes(&matrix, n)
            let sum = solution.reduce(0, +)
            for i in 0..<n { weights[i][index] = Float(sum > 0 ? solution[i] / sum : 1 / Double(n)) }
        }
        return weights
    }
}

/// Solves the symmetric positive definite system M·x = 1 by Cholesky, in place; equal weights when M is not definite.
private func solveForOnes(_ m: inout [Double], _ n: Int) -> [Double] {
    var x = [Double](repeating: 1, count: n)
    for j in 0..<n {
        var pivot = m[j * n + j]
        for k in 0..<j { pivot -= m[j * n + k] * m[j * n + k] }
        guard pivot > 1e-300 else { return [Double](repeating: 1, count: n) }
        pivot = pivot.squareRoot()
        m[j * n + j] = pivot
        for i in j + 1..<max(n, j + 1) {
            var value = m[i * n + j]
            for k in 0..<j { value -= m[i * n + k] * m[j * n + k] }
            m[i * n + j] = value / pivot
        }
    }
    for i in 0..<n {
        for k in 0..<i { x[i] -= m[i * n + k] * x[k] }
        x[i] /= m[i * n + i]
    }
    for i in stride(from: n - 1, through: 0, by: -1) {
        for k in i + 1..<max(n, i + 1) { x[i] -= m[k * n + i] * x[k] }
        x[i] /= m[i * n + i]
    }
    return x
}

/// Mean and standard deviation of an image in a Gaussian window around every voxel.
private struct LocalMoments {
    let image: Volume
    let sigma: Double
    let mean: [Float]
    let deviation: [Float]

    /// Values that are not finite count as the image's mean.
    init(_ source: Volume, sigmaMillimetres sigma: Double, threads: Int) {
        // Centred first, so that squares do not drown in a large offset.
        let finite = source.values.reduce(into: (0.0, 0)) { if $1.isFinite { $0 = ($0.0 + Double($1), $0.1 + 1) } }
        let offset = Float(finite.0 / Double(max(1, finite.1)))
        let image = Volume(grid: source.grid, values: source.values.map { $0.isFinite ? $0 - offset : 0 })
        let mean = image.smoothed(sigmaMillimetres: sigma, threads: threads).values
        let squares = Volume(grid: image.grid, values: image.values.map { $0 * $0 })
            .smoothed(sigmaMillimetres: sigma, threads: threads).values
        deviation = zip(squares, mean).map { max(0, $0 - $1 * $1).squareRoot() }
        (self.image, self.sigma, self.mean) = (image, sigma, mean)
    }

    /// (value − local mean) / local deviation; flat places give 0.
    var normalised: [Float] {
        // A floor of a thousandth of the typical deviation: noise in empty places is not structure.
        let typical = Float(deviation.reduce(0.0) { $0 + Double($1) } / Double(deviation.count))
        let floor = max(typical * 1e-3, .leastNormalMagnitude)
        return image.values.indices.map { (image.values[$0] - mean[$0]) / max(deviation[$0], floor) }
    }

    /// Local normalised cross-correlation, −1…1; 0 where either image is flat.
    func correlation(with other: Volume, threads: Int) -> [Float] {
        let other = LocalMoments(other, sigmaMillimetres: sigma, threads: threads)
        let product = Volume(
            grid: image.grid, values: zip(image.values, other.image.values).map { $0 * $1 }
        ).smoothed(sigmaMillimetres: sigma, threads: threads).values
        return product.indices.map { index in
            let spread = deviation[index] * other.deviation[index]
            guard spread > 1e-12 else { return 0 }
            return min(1, max(-1, (product[index] - mean[index] * other.mean[index]) / spread))
        }
    }
}
