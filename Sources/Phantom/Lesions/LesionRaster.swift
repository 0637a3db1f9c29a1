import Kernels

/// Which part of each voxel of a grid a lesion fills.
struct LesionRaster: Sendable {
    private let grid: VoxelGrid
    private let lower: SIMD3<Int>
    private let counts: SIMD3<Int>
    /// 0…1, i fastest, of the voxels of the box.
    private let fractions: [Float]

    /// How much of the lesion is on the grid, in voxels.
    var total: Double { fractions.reduce(0) { $0 + Double($1) } }

    /// Calls `body` for every voxel that holds any of it, with its index and the part filled.
    func forEach(_ body: (_ voxel: Int, _ fraction: Float) -> Void) {
        var place = 0
        for k in 0..<counts.z {
            for j in 0..<counts.y {
                let row = grid.index(lower.x, lower.y + j, lower.z + k)
                for i in 0..<counts.x {
                    if fractions[place] > 0 { body(row + i, fractions[place]) }
                    place += 1
                }
            }
        }
    }

    /// Several points per voxel, finer for what is small; voxels that lie inside or outside as a whole need one.
    ///
    /// - Parameters:
    ///   - head: from millimetres of the head to the world of the grid, a rotation and a shift.
    ///   - widened: factor on the width.
    /// - Returns: nil where no voxel of the grid is near.
    init?(_ shape: LesionShape, on grid: VoxelGrid, head: Affine, widened: Double = 1) {
        let clearance = { (p: SIMD3<Double>) in shape.clearance(p, widened: widened) }
        let weight = { (p: SIMD3<Double>) -> Float in shape.contains(p, widened: widened) ? 1 : 0 }
        let fineness = max(0.2, shape.thinnest * widened / 8)
        self.init(
            bounds: shape.bounds(widened: widened), on: grid, head: head, finenessMillimetres: fineness,
            clearance: clearance, weight: weight)
    }

    /// The rim of a lesion: parts of voxels times how strong it is there.
    init?(_ rim: Lesion.Rim, of shape: LesionShape, on grid: VoxelGrid, head: Affine) {
        guard case .ellipsoid(let ellipsoid) = shape else { return nil }
        let radius = ellipsoid.radius
        let weight = { (p: SIMD3<Double>) -> Float in
            let (direction, distance) = ellipsoid.polar(p)
            guard distance < 1, (1 - distance) * radius < rim.thicknessMillimetres else { return 0 }
            let along = (direction * rim.axis).sum() - (1 - 2 * rim.coverage)
            return Float(min(1, max(0, along / 0.4 + 0.5)))
        }
        self.init(
            bounds: shape.bounds(widened: 1), on: grid, head: head, finenessMillimetres: 0.35,
            clearance: { min(0, shape.clearance($0, widened: 1)) }, weight: weight)
    }

    /// - Parameters:
    ///   - clearance: see `LesionShape.clearance`; where it is 0, points decide.
    ///   - weight: 0…1 at a point.
    private init?(
        bounds: (low: SIMD3<Double>, high: SIMD3<Double>), on grid: VoxelGrid, head: Affine,
        finenessMillimetres: Double, clearance: (SIMD3<Double>) -> Double, weight: (SIMD3<Double>) -> Float
    ) {
        guard let toHead = head.inverse, let toVoxel = grid.affine.inverse else {
            preconditionFailure("a pose and a grid can be inverted")
        }
        let (there, back) = (toVoxel * head, toHead * grid.affine)
        // The box of the eight corners of the bounds.
        var (low, high) = (SIMD3(repeating: Double.infinity), SIMD3(repeating: -Double.infinity))
        for corner in 0..<8 {
            let p = there(
                SIMD3(
                    corner & 1 == 0 ? bounds.low.x : bounds.high.x, corner & 2 == 0 ? bounds.low.y : bounds.high.y,
                    corner & 4 == 0 ? bounds.low.z : bounds.high.z))
            (low, high) = (pointwiseMin(low, p), pointwiseMax(high, p))
        }
        let last = SIMD3(Double(grid.nx - 1), Double(grid.ny - 1), Double(grid.nz - 1))
        low = pointwiseMax(low - 0.5, SIMD3(repeating: 0)).rounded(.down)
        high = pointwiseMin(high + 0.5, last).rounded(.up)
        guard (0..<3).allSatisfy({ low[$0] <= high[$0] }) else { return nil }
        let lower = SIMD3(Int(low.x), Int(low.y), Int(low.z))
        let counts = SIMD3(Int(high.x), Int(high.y), Int(high.z)) &- lower &+ 1

        let spacing = grid.spacingMillimetres
        let points = min(12, max(3, Int((spacing.max() / finenessMillimetres).rounded(.up))))
        let offsets = (0..<points).map { (Double($0) + 0.5) / Double(points) - 0.5 }
        let halfDiagonal = (spacing * spacing).sum().squareRoot() / 2
        let share = 1 / Float(points * points * points)
        var fractions = [Float](repeating: 0, count: counts.x * counts.y * counts.z)
        var place = 0
        for k in 0..<counts.z {
            for j in 0..<counts.y {
                for i in 0..<counts.x {
                    let voxel = SIMD3(Double(lower.x + i), Double(lower.y + j), Double(lower.z + k))
                    let room = clearance(back(voxel))
                    if room > halfDiagonal {
                        fractions[place] = 1
                    } else if room > -halfDiagonal {
                        var sum: Float = 0
                        for c in offsets {
                            for b in offsets {
                                for a in offsets { sum += weight(back(voxel + SIMD3(a, b, c))) }
                            }
                        }
                        fractions[place] = sum * share
                    }
                    place += 1
                }
            }
        }
        (self.grid, self.lower, self.counts, self.fractions) = (grid, lower, counts, fractions)
    }
}
