import Kernels
import Testing

@Suite struct ResampleTests {
    private func position(_ p: SIMD3<Double>, _ map: SpatialMap) -> SIMD3<Double> {
        var q = p
        for step in map.steps {
            switch step {
            case .affine(let affine): q = affine(q)
            case .displacement(let field):
                let v = field.grid.affine.inverse!(q)
                let d = [field.x, field.y, field.z].map { plain($0, field.grid, v, clamped: true)! }
                q += SIMD3(d[0], d[1], d[2])
            }
        }
        return q
    }

    /// Trilinear value in double precision; nil more than half a voxel outside unless clamped.
    private func plain(_ values: [Float], _ g: VoxelGrid, _ v: SIMD3<Double>, clamped: Bool = false) -> Double? {
        let count = [g.nx, g.ny, g.nz]
        var low = [0, 0, 0]
        var fraction = [0.0, 0.0, 0.0]
        for axis in 0..<3 {
            if !clamped && (v[axis] < -0.5 || v[axis] > Double(count[axis]) - 0.5) { return nil }
            let p = min(max(v[axis], 0), Double(count[axis] - 1))
            low[axis] = min(Int(p), max(0, count[axis] - 2))
            fraction[axis] = p - Double(low[axis])
        }
        var sum = 0.0
        for corner in 0..<8 {
            var weight = 1.0
            var p = low
            for axis in 0..<3 {
                let high = corner >> axis & 1 == 1
                weight *= high ? fraction[axis] : 1 - fraction[axis]
                if high { p[axis] = min(p[axis] + 1, count[axis] - 1) }
            }
            sum += weight * Double(values[g.index(p[0], p[1], p[2])])
        }
        return sum
    }

    private let target = VoxelGrid(nx: 19, ny: 12, nz: 11, affine: obliqueAffine)

    private func map(_ grid: VoxelGrid) -> SpatialMap {
        let fieldGrid = VoxelGrid(nx: 9, ny: 8, nz: 7, affine: obliqueAffine * .scaling([2, 2, 2]))
        let components = (0..<3).map { randomVolume(fieldGrid, salt: UInt64($0 + 1)).values.map { $0 * 3 } }
        let field = DisplacementField(grid: fieldGrid, x: components[0], y: components[1], z: components[2])
        let before = Affine([1, 0.05, 0, 0.3], [-0.04, 1.1, 0, 0.2], [0, 0.02, 0.9, -0.4])
        let after = grid.affine * Affine([0.9, 0, 0, 0.11], [0, 0.8, 0.1, 0.07], [0.1, 0, 0.9, 0.03])
        return SpatialMap([.affine(before), .displacement(field), .affine(after * target.affine.inverse!)])
    }

    @Test(arguments: awkwardSizes)
    func linearEqualsThePlainFormula(size: SIMD3<Int>) throws {
        let grid = makeGrid(size, spacing: [0.8, 1.3, 2])
        let volume = randomVolume(grid)
        let map = map(grid)
        let result = try volume.resampled(to: target, through: map, outside: -9)
        var inside = 0
        for k in 0..<target.nz {
            for j in 0..<target.ny {
                for i in 0..<target.nx {
                    let world = position(target.affine(SIMD3(Double(i), Double(j), Double(k))), map)
                    let v = grid.affine.inverse!(world)
                    // Single-precision positions may fall on the other side of the border.
                    let count = [Double(grid.nx), Double(grid.ny), Double(grid.nz)]
                    if (0..<3).contains(where: { abs(v[$0] + 0.5) < 1e-3 || abs(v[$0] - count[$0] + 0.5) < 1e-3 }) {
                        continue
                    }
                    let expected = plain(volume.values, grid, v)
                    if expected != nil { inside += 1 }
                    #expect(abs(Double(result[i, j, k]) - (expected ?? -9)) < 2e-4, "voxel \(i) \(j) \(k) at \(v)")
                }
            }
        }
        if size.x > 10 && size.y > 10 { #expect(inside > 100) }
    }

    @Test func doesNotDependOnThreads() throws {
        let grid = makeGrid([19, 20, 21])
        let map = map(grid)
        let volume = randomVolume(grid)
        #expect(
            try volume.resampled(to: target, through: map, threads: 1).values
                == volume.resampled(to: target, through: map, threads: 3).values)
        let labels = LabelMap(grid: grid, values: volume.values.map { UInt16(($0 + 1) * 3) })
        for interpolation in [LabelMap.Interpolation.nearest, .heaviest] {
            #expect(
                try labels.resampled(to: target, through: map, interpolation: interpolation, threads: 1).values
                    == labels.resampled(to: target, through: map, interpolation: interpolation, threads: 3).values)
        }
    }

    @Test(arguments: awkwardSizes) func identityKeepsEveryValue(size: SIMD3<Int>) throws {
        let grid = VoxelGrid(nx: size.x, ny: size.y, nz: size.z, affine: .scaling([-2, 1, 0.5]))
        let volume = randomVolume(grid)
        #expect(largestDifference(try volume.resampled(to: grid).values, volume.values) < 1e-6)
        #expect(try volume.resampledNearest(to: grid).values == volume.values)
        let labels = LabelMap(grid: grid, values: volume.values.map { UInt16(($0 + 1) * 3) })
        for interpolation in [LabelMap.Interpolation.nearest, .heaviest] {
            #expect(try labels.resampled(to: grid, interpolation: interpolation).values == labels.values)
        }
    }

    @Test func nearestFlipsWithTheAxes() throws {
        let grid = makeGrid([5, 4, 3])
        let labels = LabelMap(grid: grid, values: (0..<60).map { UInt16($0) })
        let flipped = VoxelGrid(
            nx: 5, ny: 4, nz: 3, affine: grid.affine * Affine([-1, 0, 0, 4], [0, 1, 0, 0], [0, 0, 1, 0]))
        let result = try labels.resampled(to: flipped, interpolation: .nearest)
        for k in 0..<3 {
            for j in 0..<4 {
                for i in 0..<5 {
                    #expect(result.values[grid.index(i, j, k)] == labels.values[grid.index(4 - i, j, k)])
                }
            }
        }
    }

    @Test func heaviestLabelHasMostWeight() throws {
        // At (0.4, 0.4, 0) label 7 has weight 0.36, label 5 (two voxels) 0.48, label 9 0.16.
        let grid = makeGrid([2, 2, 1])
        let labels = LabelMap(grid: grid, values: [7, 5, 5, 9])
        let point = VoxelGrid(nx: 1, ny: 1, nz: 1, affine: .translation([0.4, 0.4, 0]))
        #expect(try labels.resampled(to: point, interpolation: .heaviest).values == [5])
        #expect(try labels.resampled(to: point, interpolation: .nearest).values == [7])
    }

    @Test func positionsThatAreNoNumbersAreOutside() throws {
        let grid = makeGrid([19, 20, 21])
        let lost = SpatialMap.affine(.translation([.nan, 0, 0]))
        let volume = try randomVolume(grid).resampled(to: grid, through: lost, outside: 7)
        #expect(volume.values.allSatisfy { $0 == 7 })
        let far = SpatialMap.affine(.translation([1e30, -1e30, .infinity]))
        #expect(try randomVolume(grid).resampled(to: grid, through: far, outside: 7).values.allSatisfy { $0 == 7 })
        let labels = LabelMap(grid: grid, values: [UInt16](repeating: 3, count: grid.count))
        for interpolation in [LabelMap.Interpolation.nearest, .heaviest] {
            let result = try labels.resampled(to: grid, through: lost, interpolation: interpolation)
            #expect(result.values.allSatisfy { $0 == 0 })
        }
    }

    @Test func singularAffineIsRefused() throws {
        let flat = VoxelGrid(nx: 2, ny: 2, nz: 2, affine: .scaling([1, 1, 0]))
        #expect(throws: GridError.self) { try Volume(grid: flat).resampled(to: makeGrid([2, 2, 2])) }
    }
}
