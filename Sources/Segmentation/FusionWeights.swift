import Kernels

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

extension LabelFusion.Method {
    /// How far around a voxel its weights look: the reach of the Gaussian windows, four deviations each.
    var reachMillimetres: Double {
        switch self {
        case .majority: 0
        case .localCorrelation(let sigma, _): 4 * sigma
        case .joint(let radius, _, _): 4 * (Self.normalisationSigma(radius) + Self.patchSigma(radius))
        }
    }

    /// A box of half width r has the variance r²/3.
    private static func patchSigma(_ radius: Double) -> Double { radius / 3.0.squareRoot() }

    /// Mean and deviation are taken from a little farther than the patch.
    private static func normalisationSigma(_ radius: Double) -> Double { 1.5 * patchSigma(max(radius, 1)) }

    /// Weight of each atlas at each voxel of `disputed`; empty for equal weights.
    ///
    /// - Parameter scales: of the images, and of the target as the last.
    func weights(
        _ images: [Volume], target: Volume, _ scales: [IntensityScale], where disputed: Mask, threads: Int
    ) -> [[Float]] {
        switch self {
        case .majority:
            return []
        case .localCorrelation(let sigma, let exponent):
            let moments = LocalMoments(target, scales.last!, sigmaMillimetres: sigma, threads: threads)
            return images.indices.map { n in
                let other = LocalMoments(images[n], scales[n], sigmaMillimetres: sigma, threads: threads)
                var weights = moments.correlation(with: other, threads: threads)
                for index in weights.indices where disputed.values[index] != 0 {
                    // Never quite 0: where no atlas matches, all still vote.
                    weights[index] = powf(max(0, weights[index]), Float(exponent)) + 1e-6
                }
                return weights
            }
        case .joint(let radius, let alpha, let beta):
            return jointWeights(
                images, target: target, scales, where: disputed, radiusMillimetres: radius, alpha: alpha, beta: beta,
                threads: threads)
        }
    }

    private func jointWeights(
        _ images: [Volume], target: Volume, _ scales: [IntensityScale], where disputed: Mask,
        radiusMillimetres radius: Double, alpha: Double, beta: Double, threads: Int
    ) -> [[Float]] {
        let n = images.count
        func normalised(_ image: Volume, _ scale: IntensityScale) -> [Float] {
            LocalMoments(image, scale, sigmaMillimetres: Self.normalisationSigma(radius), threads: threads).normalised
        }
        let normalTarget = normalised(target, scales[n])
        let errors = images.indices.map { i -> [Float] in
            var errors = normalised(images[i], scales[i])
            for index in errors.indices { errors[index] = abs(errors[index] - normalTarget[index]) }
            return errors
        }
        // Mean of |aᵢ − t||aⱼ − t| over the patch, for i ≤ j.
        var products: [[Float]] = []
        for i in 0..<n {
            for j in i..<n {
                var product = Volume(grid: target.grid, values: errors[i])
                for index in product.values.indices { product.values[index] *= errors[j][index] }
                products.append(
                    product.smoothed(sigmaMillimetres: Self.patchSigma(radius), threads: threads).values)
            }
        }
        var weights = [[Float]](repeating: [Float](repeating: 0, count: target.grid.count), count: n)
        var matrix = [Double](repeating: 0, count: n * n)
        var solution = [Double](repeating: 1, count: n)
        for index in disputed.values.indices where disputed.values[index] != 0 {
            var entry = 0
            for i in 0..<n {
                for j in i..<n {
                    let mean = Double(max(0, products[entry][index]))
                    let value = beta == 2 ? mean * mean : beta == 1 ? mean : pow(mean, beta)
                    matrix[i * n + j] = value
                    matrix[j * n + i] = value
                    entry += 1
                }
                matrix[i * n + i] += alpha
            }
            solveForOnes(&matrix, n, into: &solution)
            var sum = 0.0
            for i in 0..<n { sum += solution[i] }
            for i in 0..<n { weights[i][index] = Float(sum > 0 ? solution[i] / sum : 1 / Double(n)) }
        }
        return weights
    }
}

/// Solves the symmetric positive definite system M·x = 1 by Cholesky, destroying M; all ones when M is not definite.
private func solveForOnes(_ m: inout [Double], _ n: Int, into x: inout [Double]) {
    for i in 0..<n { x[i] = 1 }
    for j in 0..<n {
        var pivot = m[j * n + j]
        for k in 0..<j { pivot -= m[j * n + k] * m[j * n + k] }
        guard pivot > 1e-300 else {
            for i in 0..<n { x[i] = 1 }
            return
        }
        pivot = pivot.squareRoot()
        m[j * n + j] = pivot
        for i in j + 1..<max(n, j + 1) {
            var value = m[i * n + j]
            for k in 0..<j { value -= m[i * n + k] * m[j * n + k] }
            m[i * n + j] = value / pivot
        }
        // Forward substitution as the columns come.
        for k in 0..<j { x[j] -= m[j * n + k] * x[k] }
        x[j] /= pivot
    }
    for i in stride(from: n - 1, through: 0, by: -1) {
        for k in i + 1..<max(n, i + 1) { x[i] -= m[k * n + i] * x[k] }
        x[i] /= m[i * n + i]
    }
}

/// Mean and standard deviation of a whole image: what local values are centred by, so that squares do not drown in a large
/// offset, and the measure of what counts as flat.
struct IntensityScale: Sendable {
    let mean: Float
    let deviation: Float

    init(_ image: Volume) {
        var (sum, count) = (0.0, 0)
        for value in image.values where value.isFinite {
            sum += Double(value)
            count += 1
        }
        let mean = sum / Double(max(1, count))
        var squares = 0.0
        for value in image.values where value.isFinite { squares += (Double(value) - mean) * (Double(value) - mean) }
        self.mean = Float(mean)
        deviation = Float((squares / Double(max(1, count))).squareRoot())
    }
}

/// Mean and standard deviation of an image in a Gaussian window around every voxel.
private struct LocalMoments {
    let image: Volume
    let sigma: Double
    let flat: Float
    let mean: [Float]
    let deviation: [Float]

    /// Values that are not finite count as the image's mean.
    init(_ source: Volume, _ scale: IntensityScale, sigmaMillimetres sigma: Double, threads: Int) {
        var image = source
        for index in image.values.indices {
            let value = image.values[index]
            image.values[index] = value.isFinite ? value - scale.mean : 0
        }
        let mean = image.smoothed(sigmaMillimetres: sigma, threads: threads).values
        var squares = image
        for index in squares.values.indices { squares.values[index] *= squares.values[index] }
        var deviation = squares.smoothed(sigmaMillimetres: sigma, threads: threads).values
        for index in deviation.indices {
            deviation[index] = max(0, deviation[index] - mean[index] * mean[index]).squareRoot()
        }
        (self.image, self.sigma, self.mean, self.deviation) = (image, sigma, mean, deviation)
        // Noise in empty places is not structure.
        flat = max(scale.deviation * 1e-3, .leastNormalMagnitude)
    }

    /// (value − local mean) / local deviation.
    var normalised: [Float] {
        var result = image.values
        for index in result.indices { result[index] = (result[index] - mean[index]) / max(deviation[index], flat) }
        return result
    }

    /// Local normalised cross-correlation, −1…1; 0 where either image is flat.
    func correlation(with other: LocalMoments, threads: Int) -> [Float] {
        var product = image
        for index in product.values.indices { product.values[index] *= other.image.values[index] }
        var result = product.smoothed(sigmaMillimetres: sigma, threads: threads).values
        for index in result.indices {
            let isFlat = deviation[index] <= flat || other.deviation[index] <= other.flat
            let spread = deviation[index] * other.deviation[index]
            let covariance = result[index] - mean[index] * other.mean[index]
            result[index] = isFlat ? 0 : min(1, max(-1, covariance / spread))
        }
        return result
    }
}
