/// Intensity-volume histogram (IBSI family P88C): which share of the region has at least a given intensity.
package enum IntensityVolumeHistogram {
    package static let tags = ["ivh_v10", "ivh_v90", "ivh_i10", "ivh_i90", "ivh_diff_v10_v90", "ivh_diff_i10_i90"]

    /// How the intensity axis is cut (IBSI, section 3.5.1).
    package enum Axis: Sendable, Equatable {
        /// Values that are whole in the unit of the image (CT): steps of 1 over `range`, else over that of the values.
        case whole(range: ClosedRange<Double>?)
        /// Bins of this width; intensities are the middles of the bins. Either end of `range` may be infinite.
        case fixedSize(Double, range: ClosedRange<Double>?)
        /// This many bins between the smallest and the largest value; intensities are the numbers of the bins.
        case fixedNumber(Int)
    }

    /// In the order of `tags`; NaN where a feature does not exist. I10 and I90 are in the unit of the image, or bin
    /// numbers for a fixed number of bins.
    package static func measure(_ values: [Double], _ axis: Axis) -> [Double] {
        guard let smallest = values.min(), let largest = values.max() else {
            return [Double](repeating: .nan, count: tags.count)
        }
        let first: Double
        let step: Double
        let last: Double
        let onAxis: [Double]
        func end(_ limit: Double?, else value: Double) -> Double { limit.flatMap { $0.isFinite ? $0 : nil } ?? value }
        switch axis {
        case .whole(let range):
            (first, step) = (end(range?.lowerBound, else: smallest), 1)
            last = end(range?.upperBound, else: largest)
            onAxis = values
        case .fixedSize(let width, let range):
            let start = end(range?.lowerBound, else: smallest)
            func middle(_ value: Double) -> Double { start + (((value - start) / width).rounded(.down) + 0.5) * width }
            (first, step) = (start + width / 2, width)
            last =
                end(range?.upperBound, else: largest) == largest
                ? middle(largest) : end(range?.upperBound, else: largest) - width / 2
            onAxis = values.map(middle)
        case .fixedNumber(let number):
            (first, step, last) = (1, 1, Double(number))
            let width = largest - smallest
            onAxis = values.map {
                width > 0 ? min(((($0 - smallest) / width) * last).rounded(.down) + 1, last) : 1
            }
        }
        let curve = VolumeCurve(sorted: onAxis.sorted(), first: first, step: step, last: last)
        let (v10, v90) = (curve.volume(atFraction: 0.1), curve.volume(atFraction: 0.9))
        let (i10, i90) = (curve.intensity(atVolume: 0.1), curve.intensity(atVolume: 0.9))
        return [v10, v90, i10, i90, v10 - v90, i10 - i90]
    }
}

private struct VolumeCurve {
    /// Values on the axis, ascending.
    let sorted: [Double]
    let first: Double
    let step: Double
    let last: Double

    private var steps: Int { max(0, Int(((last - first) / step + 1e-9).rounded(.down))) }
    private func intensity(_ n: Int) -> Double { first + Double(n) * step }

    /// Share of the voxels with at least this intensity.
    private func share(from intensity: Double) -> Double {
        var (low, high) = (0, sorted.count)
        while low < high {
            let middle = (low + high) / 2
            if sorted[middle] < intensity - 1e-9 { low = middle + 1 } else { high = middle }
        }
        return Double(sorted.count - low) / Double(sorted.count)
    }

    /// The largest share at an intensity fraction of at least `fraction`.
    func volume(atFraction fraction: Double) -> Double {
        guard last > first else { return .nan }
        let n = (0...steps).first { (intensity($0) - first) / (last - first) >= fraction - 1e-12 }
        return share(from: intensity(n ?? steps))
    }

    /// The smallest intensity that at most `share` of the voxels have or exceed; one step above the last where all do not.
    func intensity(atVolume wanted: Double) -> Double {
        var (low, high) = (0, steps + 1)
        while low < high {
            let middle = (low + high) / 2
            if share(from: intensity(middle)) > wanted + 1e-12 { low = middle + 1 } else { high = middle }
        }
        return intensity(low)
    }
}
