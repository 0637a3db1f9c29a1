#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Weights of a sampled Gaussian at distance 0…radius, summing to one over both sides.
package struct GaussianTaps: Sendable, Hashable {
    package let weights: [Float]
    package var radius: Int { weights.count - 1 }

    /// - Parameters:
    ///   - sigma: standard deviation, in voxels; 0 or less leaves values as they are.
    ///   - cutoff: where the kernel ends, in standard deviations.
    package init(sigmaVoxels sigma: Double, cutoff: Double = 3) {
        guard sigma > 0.05 else {
            weights = [1]
            return
        }
        let radius = max(1, Int((cutoff * sigma).rounded(.up)))
        let raw = (0...radius).map { exp(-0.5 * Double($0 * $0) / (sigma * sigma)) }
        let sum = raw[0] + 2 * raw.dropFirst().reduce(0, +)
        weights = raw.map { Float($0 / sum) }
    }
}
