import Kernels

/// Statistics of one region of a label map over a map of values (χ, R2*), against one or more references.
///
/// All values are in the unit of the map. Sums are in double precision and in voxel order.
package struct RegionStatistics: Sendable, Equatable {
    package var label: UInt16
    /// Voxels carrying the label; 0 when the label does not occur.
    package var voxels: Int
    package var volumeCubicMillimetres: Double
    /// Voxels of the label where the map has no value: outside the mask, not finite, or not covered (see `Coverage`).
    package var missingVoxels: Int
    /// One entry per reference that has a value, in the order asked for; empty when no voxel of the region has one.
    package var results: [RegionResult]

    /// Share of the region without a value; 1 for a label that does not occur.
    package var missingFraction: Double { voxels == 0 ? 1 : Double(missingVoxels) / Double(voxels) }
}

/// The values of one region, with a reference subtracted.
package struct RegionResult: Sendable, Equatable {
    /// `SusceptibilityReference.name`.
    package var reference: String
    package var subtracted: Double
    package var mean: Double
    /// With n − 1; nil for a single voxel.
    package var standardDeviation: Double?
    package var median: Double
    /// Percentiles are linear between ranks, as numpy's default.
    package var percentile5: Double
    package var percentile25: Double
    package var percentile75: Double
    package var percentile95: Double
    package var minimum: Double
    package var maximum: Double
    /// Median of |value − median|, not scaled to a standard deviation.
    package var medianAbsoluteDeviation: Double
    /// Mean over the voxels all of whose face neighbours carry the same label; nil when there is none.
    package var coreMean: Double?
    package var coreVoxels: Int
    /// nil when not asked for.
    package var high: HighSubregion?
}

/// The part of a region with high χ ("RII", the high-iron region).
package struct HighSubregion: Sendable, Equatable {
    /// Voxels above this value (with the reference subtracted) belong to it.
    package var threshold: Double
    package var voxels: Int
    package var volumeCubicMillimetres: Double
    /// nil when no voxel lies above.
    package var mean: Double?
}

/// How the high-χ part of a region is set apart.
///
/// Iron studies split a nucleus into the whole (RI) and its high-iron part (RII): the voxels above the upper bound of the
/// 95 % prediction interval of the whole-region mean at the subject's age, taken from a regression over controls
/// (Liu et al., J Magn Reson Imaging 44 (2016) 59–71; Ghassaban et al., Front Aging Neurosci 11 (2019) 106). With such a
/// regression at hand, use `absolute`. Without one, the rules that need only the subject keep a fixed share of the spread.
package enum HighSubregionRule: Sendable, Equatable {
    /// Above mean + factor × standard deviation of the region; the default, with factor 1.
    case meanPlusDeviations(Double)
    /// Above this percentile (0…100) of the region.
    case percentile(Double)
    /// Above a value per label, in the unit of the map and after subtracting the reference; labels without one get none.
    case absolute([UInt16: Double])
}

extension RegionStatistics {
    /// Statistics of every region.
    ///
    /// - Parameters:
    ///   - map: values, on the grid of `labels`.
    ///   - labels: region numbers; 0 is background.
    ///   - mask: brain mask; nil takes the covered part of the map.
    ///   - wanted: labels to report, in this order, also when they do not occur; nil for all that occur, ascending.
    ///   - references: what to subtract; each gives one `RegionResult`.
    ///   - highSubregion: rule for the high-χ part; nil leaves it out.
    /// - Returns: the regions, and the value of each reference (also of those without a voxel).
    /// - Throws: `GridError.mismatch` when the three are not on one grid.
    package static func measure(
        _ map: Volume, in labels: LabelMap, within mask: Mask? = nil, labels wanted: [UInt16]? = nil,
        references: [SusceptibilityReference] = [.none], highSubregion: HighSubregionRule? = .meanPlusDeviations(1)
    ) throws -> (regions: [RegionStatistics], references: [ReferenceValue]) {
        guard labels.grid.matches(map.grid) else {
            throw GridError.mismatch(
                first: "the map", firstGrid: map.grid, second: "the label map", secondGrid: labels.grid)
        }
        let coverage = try Coverage.mask(of: map, within: mask)
        let values = references.map { $0.value(in: map, labels: labels, coverage: coverage) }
        let gathered = RegionValues(map, labels, coverage)
        let voxelVolume = map.grid.voxelVolumeCubicMillimetres
        let order = wanted ?? gathered.counts.indices.dropFirst().filter { gathered.counts[$0] > 0 }.map { UInt16($0) }
        let regions = order.map { label -> RegionStatistics in
            let voxels = gathered.counts[Int(label)]
            let summary = ValueSummary(gathered.values(of: label))
            let core = gathered.cores[Int(label)]
            return RegionStatistics(
                label: label, voxels: voxels, volumeCubicMillimetres: Double(voxels) * voxelVolume,
                missingVoxels: voxels - (summary?.sorted.count ?? 0),
                results: values.compactMap { reference in
                    guard let summary, let subtracted = reference.subtracted else { return nil }
                    return summary.result(
                        label: label, reference: reference.name, subtracted: subtracted,
                        core: core, rule: highSubregion, voxelVolume: voxelVolume)
                })
        }
        return (regions, values)
    }
}

/// The covered values of all regions, gathered in one pass.
private struct RegionValues {
    /// Voxels carrying each label.
    var counts = [Int](repeating: 0, count: 1 << 16)
    /// Covered core voxels of each label and their sum.
    var cores = [(voxels: Int, sum: Double)](repeating: (0, 0), count: 1 << 16)
    private var starts = [Int](repeating: 0, count: (1 << 16) + 1)
    private var values: [Float] = []

    init(_ map: Volume, _ labels: LabelMap, _ coverage: Mask) {
        let grid = map.grid
        var covered = [Int](repeating: 0, count: 1 << 16)
        for index in labels.values.indices where labels.values[index] != 0 {
            let label = Int(labels.values[index])
            counts[label] += 1
            if coverage.values[index] != 0 { covered[label] += 1 }
        }
        for label in covered.indices { starts[label + 1] = starts[label] + covered[label] }
        values = [Float](repeating: 0, count: starts[1 << 16])
        var next = starts
        for k in 0..<grid.nz {
            for j in 0..<grid.ny {
                let row = grid.index(0, j, k)
                for i in 0..<grid.nx where labels.values[row + i] != 0 && coverage.values[row + i] != 0 {
                    let label = Int(labels.values[row + i])
                    let value = map.values[row + i]
                    values[next[label]] = value
                    next[label] += 1
                    if labels.isCore(i, j, k) {
                        cores[label].voxels += 1
                        cores[label].sum += Double(value)
                    }
                }
            }
        }
    }

    func values(of label: UInt16) -> ArraySlice<Float> { values[starts[Int(label)]..<starts[Int(label) + 1]] }
}

extension LabelMap {
    /// Whether all six face neighbours carry the same label; false at the edge of the grid.
    fileprivate func isCore(_ i: Int, _ j: Int, _ k: Int) -> Bool {
        guard i > 0, j > 0, k > 0, i < grid.nx - 1, j < grid.ny - 1, k < grid.nz - 1 else { return false }
        let index = grid.index(i, j, k)
        let (line, plane) = (grid.nx, grid.nx * grid.ny)
        let label = values[index]
        return values[index - 1] == label && values[index + 1] == label && values[index - line] == label
            && values[index + line] == label && values[index - plane] == label && values[index + plane] == label
    }
}

/// One region's values, without a reference.
private struct ValueSummary {
    let sorted: [Float]
    let mean: Double
    let standardDeviation: Double?
    let medianAbsoluteDeviation: Double

    init?(_ values: ArraySlice<Float>) {
        guard !values.isEmpty else { return nil }
        // Sums in voxel order, before sorting.
        let mean = values.reduce(0.0) { $0 + Double($1) } / Double(values.count)
        let squares = values.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
        standardDeviation = values.count > 1 ? (squares / Double(values.count - 1)).squareRoot() : nil
        let sorted = values.sorted()
        let median = percentile(50, ofSorted: sorted)
        medianAbsoluteDeviation = percentile(50, ofSorted: sorted.map { Float(abs(Double($0) - median)) }.sorted())
        (self.sorted, self.mean) = (sorted, mean)
    }

    func result(
        label: UInt16, reference: String, subtracted: Double, core: (voxels: Int, sum: Double),
        rule: HighSubregionRule?, voxelVolume: Double
    ) -> RegionResult {
        func at(_ p: Double) -> Double { percentile(p, ofSorted: sorted) - subtracted }
        return RegionResult(
            reference: reference, subtracted: subtracted, mean: mean - subtracted, standardDeviation: standardDeviation,
            median: at(50), percentile5: at(5), percentile25: at(25), percentile75: at(75), percentile95: at(95),
            minimum: at(0), maximum: at(100), medianAbsoluteDeviation: medianAbsoluteDeviation,
            coreMean: core.voxels > 0 ? core.sum / Double(core.voxels) - subtracted : nil, coreVoxels: core.voxels,
            high: rule.flatMap { high(label: label, $0, subtracted: subtracted, voxelVolume: voxelVolume) })
    }

    private func high(
        label: UInt16, _ rule: HighSubregionRule, subtracted: Double, voxelVolume: Double
    ) -> HighSubregion? {
        let threshold: Double
        switch rule {
        case .meanPlusDeviations(let factor): threshold = mean + factor * (standardDeviation ?? 0)
        case .percentile(let p): threshold = percentile(p, ofSorted: sorted)
        case .absolute(let thresholds):
            guard let value = thresholds[label] else { return nil }
            threshold = value + subtracted
        }
        let above = sorted[firstIndex(above: threshold)...]
        let sum = above.reduce(0.0) { $0 + Double($1) }
        return HighSubregion(
            threshold: threshold - subtracted, voxels: above.count,
            volumeCubicMillimetres: Double(above.count) * voxelVolume,
            mean: above.isEmpty ? nil : sum / Double(above.count) - subtracted)
    }

    /// The first place in `sorted` with a value above the threshold.
    private func firstIndex(above threshold: Double) -> Int {
        var (low, high) = (0, sorted.count)
        while low < high {
            let middle = (low + high) / 2
            if Double(sorted[middle]) > threshold { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

/// Linear between neighbouring ranks.
private func percentile(_ p: Double, ofSorted sorted: [Float]) -> Double {
    let position = min(max(p, 0), 100) / 100 * Double(sorted.count - 1)
    let rank = Int(position)
    let low = Double(sorted[rank])
    guard rank + 1 < sorted.count else { return low }
    return low + (position - Double(rank)) * (Double(sorted[rank + 1]) - low)
}
