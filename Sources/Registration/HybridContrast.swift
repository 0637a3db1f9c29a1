import Kernels

/// The hybrid of T1w and χ, in which the deep grey nuclei are dark on an otherwise T1w-like image.
///
/// With it a plain correlation metric aligns the nuclei that T1w alone hardly shows.
/// - Source: He et al., Brain Struct Funct (2022), doi 10.1007/s00429-022-02547-1 (MuSus-100), as used in SEPIA.
package enum HybridContrast {
    /// 255 · norm(T1w) − 400 · χ, clipped to 0…255; norm is linear between the 0.5th and 99.5th percentile.
    ///
    /// - Parameters:
    ///   - t1w: any unit; values that are not finite count as the lowest.
    ///   - chiPPM: ppm, on the grid of `t1w`; values that are not finite count as 0.
    /// - Throws: `GridError.mismatch`.
    package static func make(t1w: Volume, chiPPM: Volume) throws -> Volume {
        guard chiPPM.grid.matches(t1w.grid) else {
            throw GridError.mismatch(
                first: "the T1w image", firstGrid: t1w.grid, second: "the susceptibility map", secondGrid: chiPPM.grid)
        }
        let ends = try t1w.percentiles([0.5, 99.5]) ?? [0, 1]
        let (low, span) = (ends[0], max(ends[1] - ends[0], .leastNormalMagnitude))
        var hybrid = t1w
        for n in hybrid.values.indices {
            let anatomy = t1w.values[n].isFinite ? min(max((t1w.values[n] - low) / span, 0), 1) : 0
            let chi = chiPPM.values[n].isFinite ? chiPPM.values[n] : 0
            hybrid.values[n] = min(max(255 * anatomy - 400 * chi, 0), 255)
        }
        return hybrid
    }
}
