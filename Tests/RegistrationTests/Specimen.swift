import Kernels

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A head-like object given by formulas, so that it can be drawn exactly through any map.
struct Specimen {
    /// Values like those of T1w: outline, cortex-like ripples and four inner blobs; 0 outside.
    func t1w(_ p: SIMD3<Double>) -> Float {
        switch region(p) {
        case 0: 0
        case 1: Float(600 + 150 * sin(p.x / 5) * sin(p.y / 6 + 1) * sin(p.z / 5.5 + 2))
        default: [0, 0, 350, 420, 850, 150][region(p)]
        }
    }

    /// The same object in another contrast, bright where the other is dark.
    func t2starw(_ p: SIMD3<Double>) -> Float { region(p) == 0 ? 0 : 1200 - 0.9 * t1w(p) }

    /// 0 outside, 1 tissue, 2…5 inner regions.
    func region(_ p: SIMD3<Double>) -> Int {
        func inside(_ c: SIMD3<Double>, _ r: SIMD3<Double>) -> Bool {
            let d = (p - c) / r
            return (d * d).sum() < 1
        }
        guard inside([0, 0, 0], [40, 50, 36]) else { return 0 }
        if inside([-14, 8, 4], [6, 12, 8]) { return 2 }
        if inside([15, 6, 2], [7, 11, 9]) { return 3 }
        if inside([2, -18, -4], [10, 7, 8]) { return 4 }
        if inside([0, 4, 16], [12, 16, 5]) { return 5 }
        return 1
    }

    /// Draws on a grid what a function of world points says, averaged over the voxel a little.
    func draw(_ grid: VoxelGrid, _ value: (SIMD3<Double>) -> Float) -> Volume {
        var volume = Volume(grid: grid)
        for k in 0..<grid.nz {
            for j in 0..<grid.ny {
                for i in 0..<grid.nx {
                    volume[i, j, k] = value(grid.affine(SIMD3(Double(i), Double(j), Double(k))))
                }
            }
        }
        return volume.smoothed(sigmaVoxels: [0.6, 0.6, 0.6])
    }

    func labels(_ grid: VoxelGrid, _ map: (SIMD3<Double>) -> SIMD3<Double>) -> LabelMap {
        var labels = LabelMap(grid: grid)
        for k in 0..<grid.nz {
            for j in 0..<grid.ny {
                for i in 0..<grid.nx {
                    let region = region(map(grid.affine(SIMD3(Double(i), Double(j), Double(k)))))
                    labels.values[grid.index(i, j, k)] = UInt16(max(0, region - 1))
                }
            }
        }
        return labels
    }

    /// A grid around the object; axes may be flipped, voxels anisotropic, the whole oblique.
    static func grid(spacing: SIMD3<Double>, flip: SIMD3<Double> = [1, 1, 1], turnDegrees: Double = 0) -> VoxelGrid {
        let extent = SIMD3(100.0, 120, 92)
        let n = (extent / spacing).rounded(.up)
        let a = turnDegrees * .pi / 180
        let turn = Affine([cos(a), -sin(a), 0, 0], [sin(a), cos(a), 0, 0], [0, 0, 1, 0])
        return VoxelGrid(
            nx: Int(n.x), ny: Int(n.y), nz: Int(n.z),
            affine: turn * .scaling(spacing * flip) * .translation((n - 1) * -0.5))
    }

    /// Mean distance between two maps over the points of the object, mm.
    func meanDistance(_ a: (SIMD3<Double>) -> SIMD3<Double>, _ b: (SIMD3<Double>) -> SIMD3<Double>) -> Double {
        var (sum, count) = (0.0, 0.0)
        for x in stride(from: -36.0, through: 36, by: 6) {
            for y in stride(from: -48.0, through: 48, by: 6) {
                for z in stride(from: -30.0, through: 30, by: 6) where region(SIMD3(x, y, z)) > 0 {
                    let d = a(SIMD3(x, y, z)) - b(SIMD3(x, y, z))
                    sum += (d * d).sum().squareRoot()
                    count += 1
                }
            }
        }
        return sum / count
    }
}

/// Rotation about an axis through the origin, then a shift.
func rigid(degrees: SIMD3<Double>, shift: SIMD3<Double>) -> Affine {
    let a = degrees * .pi / 180
    let x = Affine([1, 0, 0, 0], [0, cos(a.x), -sin(a.x), 0], [0, sin(a.x), cos(a.x), 0])
    let y = Affine([cos(a.y), 0, sin(a.y), 0], [0, 1, 0, 0], [-sin(a.y), 0, cos(a.y), 0])
    let z = Affine([cos(a.z), -sin(a.z), 0, 0], [sin(a.z), cos(a.z), 0, 0], [0, 0, 1, 0])
    return .translation(shift) * z * y * x
}

/// Dice overlap of one label.
func dice(_ a: LabelMap, _ b: LabelMap, _ label: UInt16) -> Double {
    var (both, sum) = (0, 0)
    for (p, q) in zip(a.values, b.values) {
        if p == label && q == label { both += 1 }
        if p == label { sum += 1 }
        if q == label { sum += 1 }
    }
    return sum == 0 ? 0 : 2 * Double(both) / Double(sum)
}
