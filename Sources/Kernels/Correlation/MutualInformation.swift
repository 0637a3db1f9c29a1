#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Mattes mutual information of two images over fixed sample points, as a function of an affine map.
///
/// - Source: Mattes et al., IEEE Trans Med Imaging 22 (2003) 120–128.
package final class MutualInformation {
    /// Mutual information in nats, its derivative and how many samples fell inside the moving image.
    package struct Evaluation: Sendable {
        package let value: Double
        /// With respect to the twelve coefficients (row-major) of the matrix from sample position to moving voxel.
        package let slope: [Double]
        package let inside: Int
    }

    package let count: Int
    private let moving: Volume
    private let bins: Int
    private let rows: UnsafeMutablePointer<UInt8>
    /// Nine rows of `padded` values: x, y, z; value, three derivatives, inside, weight.
    private let samples: MutableFloats
    private let padded: Int
    private let movingLow: Float
    private let binsPerUnit: Float
    private static let piece = 8192

    /// - Parameters:
    ///   - positions: sample points, in any coordinates; the matrices handed to `evaluate` map them to moving voxels.
    ///   - fixedValues: fixed image at the sample points.
    ///   - fixedRange, movingRange: intensities beyond them count as their ends.
    ///   - bins: of either image, 8…128.
    package init(
        positions: [SIMD3<Float>], fixedValues: [Float], fixedRange: ClosedRange<Float>, moving: Volume,
        movingRange: ClosedRange<Float>, bins: Int
    ) {
        precondition(positions.count == fixedValues.count, "one fixed value per sample point")
        precondition((8...128).contains(bins), "between 8 and 128 bins, not \(bins)")
        (count, self.moving, self.bins) = (positions.count, moving, bins)
        padded = (count + 15) / 16 * 16
        samples = .allocate(capacity: 9 * padded)
        samples.initialize(repeating: 0, count: 9 * padded)
        rows = .allocate(capacity: padded)
        rows.initialize(repeating: 0, count: padded)
        let span = max(fixedRange.upperBound - fixedRange.lowerBound, .leastNormalMagnitude)
        let scale = Float(bins - 1) / span
        for n in 0..<count {
            for axis in 0..<3 { samples[axis * padded + n] = positions[n][axis] }
            let bin = (fixedValues[n] - fixedRange.lowerBound) * scale + 0.5
            rows[n] = UInt8(min(max(bin, 0), Float(bins - 1)))
        }
        // The window of a value reaches one bin down and two up.
        movingLow = movingRange.lowerBound
        binsPerUnit = Float(bins - 4) / max(movingRange.upperBound - movingRange.lowerBound, .leastNormalMagnitude)
    }

    deinit {
        samples.deallocate()
        rows.deallocate()
    }

    /// - Parameters:
    ///   - matrix: sample position → moving voxel.
    ///   - wantsSlope: whether to compute the derivative too.
    package func evaluate(_ matrix: Affine, wantsSlope: Bool, threads: Int) -> Evaluation {
        let joint = jointHistogram(matrix, threads: threads)
        let total = joint.reduce(0, +)
        guard total > 0 else { return Evaluation(value: 0, slope: [Double](repeating: 0, count: 12), inside: 0) }
        var fixedShare = [Double](repeating: 0, count: bins)
        var movingShare = [Double](repeating: 0, count: bins)
        for f in 0..<bins {
            for m in 0..<bins {
                fixedShare[f] += joint[f * bins + m] / total
                movingShare[m] += joint[f * bins + m] / total
            }
        }
        var value = 0.0
        var logRatio = [Float](repeating: 0, count: bins * bins)
        for f in 0..<bins {
            for m in 0..<bins where joint[f * bins + m] > 0 {
                let share = joint[f * bins + m] / total
                let ratio = log(share / movingShare[m])
                value += share * (ratio - log(fixedShare[f]))
                logRatio[f * bins + m] = Float(ratio)
            }
        }
        let slope = wantsSlope ? self.slope(logRatio, total, threads: threads) : []
        return Evaluation(value: value, slope: slope, inside: Int(total.rounded()))
    }

    private var pieces: Int { (count + Self.piece - 1) / Self.piece }

    /// Samples the moving image and counts; pieces are added up in order, in double precision.
    private func jointHistogram(_ matrix: Affine, threads: Int) -> [Double] {
        let cells = bins * bins
        let grid = moving.grid
        let coefficients = matrix.coefficients
        let parts = MutableFloats.allocate(capacity: max(1, pieces) * cells)
        parts.initialize(repeating: 0, count: max(1, pieces) * cells)
        defer { parts.deallocate() }
        moving.values.withUnsafeBufferPointer { source in
            coefficients.withUnsafeBufferPointer { m in
                Parallel.forRanges(count, piece: Self.piece, threads: threads) { range in
                    let s = samples + range.lowerBound
                    sampleWithGradient(
                        source.baseAddress!, grid.nx, grid.ny, grid.nz, m.baseAddress!, s, s + padded, s + 2 * padded,
                        range.count, s + 3 * padded, s + 4 * padded, s + 5 * padded, s + 6 * padded, s + 7 * padded)
                    let value = s + 3 * padded
                    for n in 0..<range.count { value[n] = 1 + (value[n] - movingLow) * binsPerUnit }
                    addToJointHistogram(
                        rows + range.lowerBound, value, s + 7 * padded, range.count, bins,
                        parts + range.lowerBound / Self.piece * cells)
                }
            }
        }
        var joint = [Double](repeating: 0, count: cells)
        for piece in 0..<pieces {
            for cell in 0..<cells { joint[cell] += Double(parts[piece * cells + cell]) }
        }
        return joint
    }

    private func slope(_ logRatio: [Float], _ total: Double, threads: Int) -> [Double] {
        let parts = UnsafeMutablePointer<Double>.allocate(capacity: max(1, pieces) * 12)
        parts.initialize(repeating: 0, count: max(1, pieces) * 12)
        defer { parts.deallocate() }
        logRatio.withUnsafeBufferPointer { ratio in
            Parallel.forRanges(count, piece: Self.piece, threads: threads) { range in
                let s = samples + range.lowerBound
                mutualInformationSlope(
                    rows + range.lowerBound, s + 3 * padded, s + 7 * padded, s + 4 * padded, s + 5 * padded,
                    s + 6 * padded, s, s + padded, s + 2 * padded, range.count, bins, ratio.baseAddress!,
                    s + 8 * padded, parts + range.lowerBound / Self.piece * 12)
            }
        }
        var sum = [Double](repeating: 0, count: 12)
        for piece in 0..<pieces {
            for n in 0..<12 { sum[n] += parts[piece * 12 + n] * Double(binsPerUnit) / total }
        }
        return sum
    }
}
