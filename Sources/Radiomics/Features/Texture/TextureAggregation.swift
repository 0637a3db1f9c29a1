/// How the matrices of slices and directions become one value (IBSI, section 3.6).
package enum TextureAggregation: String, Sendable, CaseIterable, Codable {
    /// 2-D: every slice and direction by itself, then averaged (BTW3).
    case slicesAndDirectionsAveraged = "2D_avg"
    /// 2-D: the directions of a slice merged, slices averaged (SUJT).
    case slicesAveraged = "2D_comb"
    /// 2.5-D: the slices of a direction merged, directions averaged (JJUI).
    case flatDirectionsAveraged = "2_5D_avg"
    /// 2.5-D: all slices and directions merged (ZW7Z).
    case flatMerged = "2_5D_comb"
    /// 3-D: directions averaged (ITBB).
    case directionsAveraged = "3D_avg"
    /// 3-D: all merged (IAZD).
    case merged = "3D_comb"

    var isInSlice: Bool { self != .directionsAveraged && self != .merged }
    var isBySlice: Bool { self == .slicesAndDirectionsAveraged || self == .slicesAveraged }
    var mergesDirections: Bool { self == .slicesAveraged || self == .flatMerged || self == .merged }
}

/// The same for matrices without directions (zones, neighbourhoods): 2-D slices averaged (8QNN), 2.5-D slices merged
/// (62GR), 3-D (KOBO).
package enum ZoneAggregation: String, Sendable, CaseIterable, Codable {
    case slicesAveraged = "2D"
    case slicesMerged = "2_5D"
    case volume = "3D"

    var isInSlice: Bool { self != .volume }

    init(_ aggregation: TextureAggregation) {
        self = aggregation.isBySlice ? .slicesAveraged : aggregation.isInSlice ? .slicesMerged : .volume
    }

    /// The parts of a region whose features are averaged.
    func parts(of region: DiscretisedRegion) -> [Range<Int>] {
        self == .slicesAveraged ? region.slices : [0..<region.voxels.count]
    }
}

/// Means of features over slices and directions; those that a slice or direction does not have are left out.
struct FeatureMeans {
    private var sums: [Double]
    private var counts: [Int]

    init(count: Int) {
        sums = [Double](repeating: 0, count: count)
        counts = [Int](repeating: 0, count: count)
    }

    mutating func add(_ values: [Double]) {
        for n in values.indices where !values[n].isNaN {
            sums[n] += values[n]
            counts[n] += 1
        }
    }

    /// NaN for a feature that nothing had.
    var means: [Double] { zip(sums, counts).map { $1 == 0 ? .nan : $0 / Double($1) } }
}
