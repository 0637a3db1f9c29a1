import Kernels

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Random changes of the values of a patch after normalisation, each channel by numbers of its own. In the order of an
/// acquisition: resolution, sensitivity of the coils, scaling, noise.
package struct IntensityAugmentation: Sendable, Hashable, Codable {
    /// A range from which a number is drawn, for a share of the patches.
    package struct Range: Sendable, Hashable, Codable {
        package var probability: Double
        package var range: ClosedRange<Double>

        package init(_ probability: Double, _ range: ClosedRange<Double>) {
            (self.probability, self.range) = (probability, range)
        }
    }

    /// Multiplication by exp of a smooth field.
    package struct BiasField: Sendable, Hashable, Codable {
        package var probability: Double
        package var latticeVoxels: Double
        /// Standard deviation of the logarithm at a lattice point, drawn from this range.
        package var logarithm: ClosedRange<Double>

        package init(probability: Double, latticeVoxels: Double, logarithm: ClosedRange<Double>) {
            (self.probability, self.latticeVoxels, self.logarithm) = (probability, latticeVoxels, logarithm)
        }
    }

    /// Gaussian, standard deviation in voxels along every axis longer than one voxel.
    package var blurVoxels: Range?
    package var biasField: BiasField?
    /// Factor of all values.
    package var gain: Range?
    /// Added to all values.
    package var offset: Range?
    /// Exponent of values scaled to 0 ... 1 between the smallest and largest of the patch, and scaled back.
    package var gamma: Range?
    /// Standard deviation of added Gaussian noise.
    package var noise: Range?
    /// Channels that are changed; nil all.
    package var channels: [Int]?
    /// Of these, channels whose scale means nothing, on which bias field, gain, offset and gamma act; nil all. A
    /// susceptibility map is not among them: its values are measured, and no coil's sensitivity enters it.
    package var scaledChannels: [Int]?

    package init() {}

    /// As nnU-Net's default, with a bias field in place of the simulated low resolution.
    package static var standard: IntensityAugmentation {
        var result = IntensityAugmentation()
        result.noise = Range(0.1, 0...0.3)
        result.blurVoxels = Range(0.1, 0.5...1)
        result.gain = Range(0.3, 0.75...1.25)
        result.gamma = Range(0.3, 0.7...1.5)
        result.biasField = BiasField(probability: 0.15, latticeVoxels: 32, logarithm: 0...0.2)
        return result
    }

    /// - Throws: `TrainingDataError.settings` naming what is out of range.
    package func check() throws {
        let ranges: [(String, Range?, Double)] = [
            ("blur", blurVoxels, 0), ("gain", gain, -.infinity), ("offset", offset, -.infinity), ("gamma", gamma, 0.01),
            ("noise", noise, 0), ("bias field", biasField.map { Range($0.probability, $0.logarithm) }, 0),
        ]
        for (name, range, least) in ranges {
            guard let range else { continue }
            guard range.probability >= 0, range.probability <= 1 else {
                throw TrainingDataError.settings("\(name) has the probability \(range.probability); give 0 to 1")
            }
            guard range.range.lowerBound >= least else {
                throw TrainingDataError.settings("\(name) begins at \(range.range.lowerBound); the least is \(least)")
            }
        }
        if let biasField, biasField.latticeVoxels < 1 {
            throw TrainingDataError.settings("a bias field's lattice points lie at least one voxel apart")
        }
    }

    /// Changes one channel of a patch in place.
    package func apply(
        to values: UnsafeMutablePointer<Float>, size: Extent3, channel: Int, random: Philox, epoch: Int, sample: Int
    ) {
        if let channels, !channels.contains(channel) { return }
        var stream = RandomPurpose.intensity.stream(
            random, epoch: epoch, sample: sample &* 64 &+ channel)
        // Every number is drawn whether or not it is used, so that one setting does not shift the numbers of another.
        func draw(_ range: Range?) -> Double? {
            let (chance, share) = (Double(stream.uniform()), Double(stream.uniform()))
            guard let range, chance < range.probability else { return nil }
            return range.range.lowerBound + share * (range.range.upperBound - range.range.lowerBound)
        }
        let blur = draw(blurVoxels)
        let bias = draw(biasField.map { Range($0.probability, $0.logarithm) })
        let (gain, offset, gamma, noise) = (draw(gain), draw(offset), draw(gamma), draw(noise))
        let scales = scaledChannels?.contains(channel) ?? true
        if let blur { Self.blur(values, size, sigmaVoxels: blur) }
        if scales, let bias, let biasField {
            let lattice = Self.lattice(
                size, spacing: biasField.latticeVoxels, deviation: bias, random: random, epoch: epoch,
                sample: sample, channel: channel)
            Self.multiply(values, size, byExponentialOf: lattice)
        }
        if scales, gain != nil || offset != nil {
            let (factor, shift) = (Float(gain ?? 1), Float(offset ?? 0))
            for n in 0..<size.product { values[n] = values[n] * factor + shift }
        }
        if scales, let gamma { Self.raise(values, size.product, to: Float(gamma)) }
        if let noise {
            Self.addNoise(
                values, size.product, deviation: Float(noise), random: random, epoch: epoch, sample: sample,
                channel: channel)
        }
    }

    private static func blur(_ values: UnsafeMutablePointer<Float>, _ size: Extent3, sigmaVoxels: Double) {
        func taps(_ count: Int) -> GaussianTaps { GaussianTaps(sigmaVoxels: count > 1 ? sigmaVoxels : 0) }
        let scratch = UnsafeMutablePointer<Float>.allocate(capacity: size.product)
        defer { scratch.deallocate() }
        Gaussian.smooth(
            values, into: values, scratch: scratch, nx: size.width, ny: size.height, nz: size.depth,
            taps: (taps(size.width), taps(size.height), taps(size.depth)), threads: 1)
    }

    private static func lattice(
        _ size: Extent3, spacing: Double, deviation: Double, random: Philox, epoch: Int, sample: Int, channel: Int
    ) -> SplineLattice {
        let count = SplineLattice.nodes(size: size, spacingVoxels: spacing).product
        var values = [Float](repeating: 0, count: count)
        for four in stride(from: 0, to: count, by: 4) {
            let numbers = random.normals(
                SIMD4(
                    UInt32(channel << 24 | four / 4), UInt32(truncatingIfNeeded: epoch),
                    UInt32(truncatingIfNeeded: sample), RandomPurpose.bias.rawValue))
            for n in four..<min(four + 4, count) { values[n] = numbers[n - four] * Float(deviation) }
        }
        return SplineLattice(size: size, spacingVoxels: spacing, values: values)
    }

    private static func multiply(
        _ values: UnsafeMutablePointer<Float>, _ size: Extent3, byExponentialOf lattice: SplineLattice
    ) {
        withUnsafeTemporaryAllocation(of: Float.self, capacity: size.width) { row in
            row.initialize(repeating: 0)
            for z in 0..<size.depth {
                for y in 0..<size.height {
                    lattice.row(y: y, z: z, to: row.baseAddress!)
                    let line = values + (z * size.height + y) * size.width
                    for x in 0..<size.width { line[x] *= exp(row[x]) }
                }
            }
        }
    }

    private static func raise(_ values: UnsafeMutablePointer<Float>, _ count: Int, to exponent: Float) {
        var (low, high) = (values[0], values[0])
        for n in 1..<max(count, 1) {
            low = min(low, values[n])
            high = max(high, values[n])
        }
        let span = high - low
        guard span > 0 else { return }
        for n in 0..<count { values[n] = low + span * pow((values[n] - low) / span, exponent) }
    }

    private static func addNoise(
        _ values: UnsafeMutablePointer<Float>, _ count: Int, deviation: Float, random: Philox, epoch: Int, sample: Int,
        channel: Int
    ) {
        for four in stride(from: 0, to: count, by: 4) {
            let numbers = random.normals(
                SIMD4(
                    UInt32(truncatingIfNeeded: four / 4), UInt32(truncatingIfNeeded: epoch),
                    UInt32(truncatingIfNeeded: sample &* 64 &+ channel), RandomPurpose.noise.rawValue))
            for n in four..<min(four + 4, count) { values[n] += numbers[n - four] * deviation }
        }
    }
}
