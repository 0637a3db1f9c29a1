import Kernels

/// What an image holds, in numbers: the evidence for the findings of `ImageCheck` and columns for a QC table.
package struct ImageContents: Sendable, Equatable {
    /// Voxels looked at: those inside the mask when one was given, else all.
    package var voxels = 0
    package var notANumber = 0
    package var infinite = 0
    /// Exact zeros.
    package var zeros = 0
    /// Of the finite values; 0 when there is none.
    package var minimum: Float = 0
    package var maximum: Float = 0
    package var mean = 0.0
    /// 99th percentile of the absolute finite values; 0 when there is none.
    package var absolutePercentile99: Float = 0
    /// Values that are not finite outside the mask; 0 without a mask.
    package var missingOutside = 0

    package var missing: Int { notANumber + infinite }
    package var finite: Int { voxels - missing }
    package var missingFraction: Double { voxels == 0 ? 0 : Double(missing) / Double(voxels) }
    package var zeroFraction: Double { voxels == 0 ? 0 : Double(zeros) / Double(voxels) }

    /// - Throws: `GridError.mismatch` when `mask` lies on another grid.
    package init(of volume: Volume, within mask: Mask? = nil) throws {
        if let mask, !mask.grid.matches(volume.grid) {
            throw GridError.mismatch(
                first: "the image", firstGrid: volume.grid, second: "the mask", secondGrid: mask.grid)
        }
        var magnitudes: [Float] = []
        magnitudes.reserveCapacity(volume.values.count)
        var sum = 0.0
        for index in volume.values.indices {
            let value = volume.values[index]
            guard mask == nil || mask!.values[index] != 0 else {
                if !value.isFinite { missingOutside += 1 }
                continue
            }
            voxels += 1
            guard value.isFinite else {
                if value.isNaN { notANumber += 1 } else { infinite += 1 }
                continue
            }
            if value == 0 { zeros += 1 }
            if magnitudes.isEmpty { (minimum, maximum) = (value, value) }
            minimum = min(minimum, value)
            maximum = max(maximum, value)
            sum += Double(value)
            magnitudes.append(abs(value))
        }
        guard !magnitudes.isEmpty else { return }
        mean = sum / Double(magnitudes.count)
        absolutePercentile99 = OrderStatistics.percentiles([99], of: magnitudes)![0]
    }
}
