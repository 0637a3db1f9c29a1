/// Which voxels of a region stay in its intensity mask (IBSI, IF9H: by range, USB3, and without outliers, 7ACA). The
/// morphological mask stays.
package struct Resegmentation: Sendable, Equatable {
    /// Values below or above are left out; nil keeps all. Either end may be infinite.
    package var range: ClosedRange<Double>?
    /// Values further from the mean than this many standard deviations are left out; nil keeps all. Mean and standard
    /// deviation are those of the voxels inside `range`.
    package var outlierDeviations: Double?

    package init(range: ClosedRange<Double>? = nil, outlierDeviations: Double? = nil) {
        (self.range, self.outlierDeviations) = (range, outlierDeviations)
    }

    package func apply(to region: inout RegionImage) {
        if let range { region.keepIntensities { range.contains($0) } }
        guard let outlierDeviations else { return }
        let values = region.intensities
        guard !values.isEmpty else { return }
        let mean = values.reduce(0, +) / Double(values.count)
        let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
        let reach = outlierDeviations * variance.squareRoot()
        region.keepIntensities { $0 >= mean - reach && $0 <= mean + reach }
    }
}

extension RegionImage {
    fileprivate mutating func keepIntensities(_ isKept: (Double) -> Bool) {
        for index in intensityMask.indices where intensityMask[index] != 0 && !isKept(values[index]) {
            intensityMask[index] = 0
        }
    }
}
