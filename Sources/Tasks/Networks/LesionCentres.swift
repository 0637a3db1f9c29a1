import Kernels

/// The middle of every lesion of a label map: the mean of its voxels.
struct LesionCentres {
    /// By number, world mm.
    let worldMillimetres: [UInt16: SIMD3<Double>]

    init(_ map: LabelMap) {
        var sums: [UInt16: SIMD4<Double>] = [:]
        let grid = map.grid
        for k in 0..<grid.nz {
            for j in 0..<grid.ny {
                for i in 0..<grid.nx {
                    let label = map.values[grid.index(i, j, k)]
                    if label > 0 { sums[label, default: .zero] += SIMD4(Double(i), Double(j), Double(k), 1) }
                }
            }
        }
        worldMillimetres = sums.mapValues { sum in
            grid.affine(SIMD3(sum.x, sum.y, sum.z) / sum.w)
        }
    }
}
