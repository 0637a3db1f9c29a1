import Kernels

/// How the values of one channel are brought to the range a network was trained on. Part of the model card, so that
/// images meet the network later as they did in training.
package enum IntensityNormalisation: Sendable, Hashable, Codable {
    /// Which voxels statistics are taken over.
    package enum Region: Sendable, Hashable, Codable {
        /// Every voxel, background included.
        case volume
        /// Every voxel of the volume after zeros have been put around it to at least this size: how DEEPMIR does it.
        case paddedVolume(size: Extent3)
        /// Voxels of the mask that comes with the image.
        case mask
        /// Voxels other than zero.
        case nonZero
    }

    case none
    /// `lower` becomes `low` and `upper` becomes `high`, linearly; values beyond are clipped.
    case clip(lower: Float, upper: Float, low: Float, high: Float)
    /// Less the mean, divided by the standard deviation (of the population), over a region. `outsideMask`: what voxels
    /// outside the mask become; nil leaves them scaled as the others.
    case zScore(over: Region, outsideMask: Float? = nil)
    /// As `clip` between two percentiles (0 ... 100) of the values in a region.
    case percentiles(lower: Double, upper: Double, low: Float, high: Float, over: Region)

    /// Normalised values, and what a zero before became: what lies beyond the image looks like its background then.
    package struct Normalised: Sendable {
        package let values: [Float]
        package let background: Float
    }

    /// - Parameters:
    ///   - size: depth × height × width of the volume.
    ///   - mask: 0 outside; needed where the region is the mask.
    ///   - volume, channel: names for errors.
    /// - Throws: `TrainingDataError` when a mask is missing or all values are the same.
    package func apply(
        to values: [Float], size: Extent3, mask: [UInt8]? = nil, volume: String, channel: Int
    ) throws -> Normalised {
        switch self {
        case .none: return Normalised(values: values, background: 0)
        case .clip(let lower, let upper, let low, let high):
            guard upper > lower else {
                throw TrainingDataError.settings("values are clipped to \(lower) ... \(upper), which is no range")
            }
            return Self.scaled(values, from: lower, upper, to: low, high)
        case .percentiles(let lower, let upper, let low, let high, let region):
            let chosen = try Self.chosen(region, values, mask, volume, channel)
            guard let found = OrderStatistics.percentiles([lower, upper], of: values, where: chosen) else {
                throw TrainingDataError.maskMissing(volume: volume, channel: channel)
            }
            guard found[1] > found[0] else { throw TrainingDataError.constant(volume: volume, channel: channel) }
            return Self.scaled(values, from: found[0], found[1], to: low, high)
        case .zScore(let region, let outside):
            let chosen = try Self.chosen(region, values, mask, volume, channel)
            var moments = Self.moments(values, chosen)
            if case .paddedVolume(let padded) = region {
                let whole = Extent3(
                    max(size.depth, padded.depth), max(size.height, padded.height), max(size.width, padded.width))
                moments = moments.addingZeros(whole.product - size.product)
            }
            guard moments.count > 0 else { throw TrainingDataError.maskMissing(volume: volume, channel: channel) }
            guard moments.variance > 0 else { throw TrainingDataError.constant(volume: volume, channel: channel) }
            let (mean, scale) = (Float(moments.mean), Float(1 / moments.variance.squareRoot()))
            var result = values.map { ($0 - mean) * scale }
            if let outside {
                guard let mask else { throw TrainingDataError.maskMissing(volume: volume, channel: channel) }
                for n in result.indices where mask[n] == 0 { result[n] = outside }
            }
            return Normalised(values: result, background: outside ?? -mean * scale)
        }
    }

    /// Whether `apply` needs a mask.
    package var needsMask: Bool {
        switch self {
        case .none, .clip: false
        case .zScore(let region, let outside): region == .mask || outside != nil
        case .percentiles(_, _, _, _, let region): region == .mask
        }
    }

    private static func chosen(
        _ region: Region, _ values: [Float], _ mask: [UInt8]?, _ volume: String, _ channel: Int
    ) throws -> [UInt8]? {
        switch region {
        case .volume, .paddedVolume: return nil
        case .nonZero: return values.map { $0 == 0 ? 0 : 1 }
        case .mask:
            guard let mask else { throw TrainingDataError.maskMissing(volume: volume, channel: channel) }
            return mask
        }
    }

    private static func scaled(
        _ values: [Float], from lower: Float, _ upper: Float, to low: Float, _ high: Float
    ) -> Normalised {
        let slope = (high - low) / (upper - lower)
        func scale(_ value: Float) -> Float { low + (min(max(value, lower), upper) - lower) * slope }
        return Normalised(values: values.map(scale), background: scale(0))
    }

    private struct Moments {
        var count = 0
        var sum = 0.0
        /// Sum of squared differences from the mean.
        var squares = 0.0

        var mean: Double { sum / Double(count) }
        var variance: Double { squares / Double(count) }

        /// As if so many more values had been zero.
        func addingZeros(_ zeros: Int) -> Moments {
            let all = count + zeros
            let between = mean * mean * Double(count) * Double(zeros) / Double(all)
            return Moments(count: all, sum: sum, squares: squares + between)
        }
    }

    private static func moments(_ values: [Float], _ chosen: [UInt8]?) -> Moments {
        var moments = Moments()
        for n in values.indices where chosen == nil || chosen![n] != 0 {
            moments.count += 1
            moments.sum += Double(values[n])
        }
        let mean = moments.mean
        for n in values.indices where chosen == nil || chosen![n] != 0 {
            let d = Double(values[n]) - mean
            moments.squares += d * d
        }
        return moments
    }
}
