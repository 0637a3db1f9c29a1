import Kernels
import Testing

@Suite struct MorphologyTests {
    @Test(arguments: awkwardSizes, [0.02, 0.4]) func distanceEqualsExhaustiveSearch(size: SIMD3<Int>, share: Double) {
        let grid = makeGrid(size, spacing: [0.7, 1.2, 2.5])
        let mask = randomMask(grid, share: share)
        var inside: [SIMD3<Double>] = []
        for index in mask.values.indices where mask.values[index] != 0 { inside.append(point(index, grid)) }
        let distance = mask.squaredDistanceMillimetres()
        for index in mask.values.indices {
            let p = point(index, grid)
            let expected = inside.map { (($0 - p) * ($0 - p)).sum() }.min() ?? .infinity
            #expect(
                Double(distance.values[index]) == expected || abs(Double(distance.values[index]) - expected) < 1e-4)
        }
        #expect(distance.values == mask.squaredDistanceMillimetres(threads: 3).values)
    }

    private func point(_ index: Int, _ grid: VoxelGrid) -> SIMD3<Double> {
        let (i, j, k) = (index % grid.nx, index / grid.nx % grid.ny, index / (grid.nx * grid.ny))
        return grid.affine(SIMD3(Double(i), Double(j), Double(k)))
    }

    @Test func dilationAndErosionAreDual() {
        let mask = randomMask(makeGrid([16, 17, 18]), share: 0.1)
        #expect(
            mask.complement.eroded(radiusMillimetres: 2).values
                == mask.dilated(radiusMillimetres: 2).complement.values)
        #expect(mask.dilated(radiusMillimetres: 2).voxels > mask.voxels)
    }

    @Test func oneVoxelDilatesToABall() {
        var mask = Mask(grid: makeGrid([9, 9, 9]))
        mask.values[mask.grid.index(4, 4, 4)] = 1
        #expect(mask.dilated(radiusMillimetres: 1).voxels == 7)
        #expect(mask.dilated(radiusMillimetres: 2).voxels == 33)
        #expect(mask.dilated(radiusMillimetres: 2).eroded(radiusMillimetres: 2).values == mask.values)
    }

    @Test func closingFillsAGapAndGrowsNothingElse() {
        // A block that touches the edge of the grid, with the plane i = 2 missing.
        let grid = makeGrid([6, 5, 5])
        var mask = Mask(grid: grid)
        for index in mask.values.indices where index % 6 != 2 && index % 6 != 5 { mask.values[index] = 1 }
        let closed = mask.closed(radiusMillimetres: 1)
        #expect(closed.values[grid.index(2, 2, 2)] == 1)
        #expect(zip(mask.values, closed.values).allSatisfy { $0 <= $1 })
        #expect((0..<25).allSatisfy { closed.values[5 + 6 * $0] == 0 })
        let line = Mask(grid: makeGrid([3, 1, 1]), values: [1, 0, 1])
        #expect(line.opened(radiusMillimetres: 1).values == [0, 0, 0])
    }

    @Test func holesAreFilledAndBaysAreNot() {
        var mask = Mask(grid: makeGrid([5, 5, 5]), filledWith: 1)
        mask.values[mask.grid.index(2, 2, 2)] = 0
        mask.values[mask.grid.index(0, 1, 1)] = 0
        let filled = mask.holesFilled()
        #expect(filled.values[mask.grid.index(2, 2, 2)] == 1)
        #expect(filled.values[mask.grid.index(0, 1, 1)] == 0)
    }

    @Test(arguments: Connectivity.allCases) func componentsEqualFloodFill(connectivity: Connectivity) {
        for (n, size) in awkwardSizes.enumerated() {
            let mask = randomMask(makeGrid(size), share: 0.3, salt: UInt64(n))
            let found = mask.components(connectivity)
            let expected = floodFill(mask, connectivity)
            #expect(found.labels == expected.labels)
            #expect(found.sizes == expected.sizes)
        }
    }

    /// Numbers pieces in the order of their first voxel.
    private func floodFill(_ mask: Mask, _ connectivity: Connectivity) -> (labels: [Int32], sizes: [Int]) {
        let g = mask.grid
        var labels = [Int32](repeating: 0, count: g.count)
        var sizes: [Int] = []
        for seed in 0..<g.count where mask.values[seed] != 0 && labels[seed] == 0 {
            sizes.append(0)
            var stack = [seed]
            labels[seed] = Int32(sizes.count)
            while let index = stack.popLast() {
                sizes[sizes.count - 1] += 1
                let (i, j, k) = (index % g.nx, index / g.nx % g.ny, index / (g.nx * g.ny))
                for dk in -1...1 {
                    for dj in -1...1 {
                        for di in -1...1 {
                            let steps = abs(di) + abs(dj) + abs(dk)
                            let limit = [6: 1, 18: 2, 26: 3][connectivity.rawValue]!
                            guard steps > 0, steps <= limit, (0..<g.nx).contains(i + di), (0..<g.ny).contains(j + dj),
                                (0..<g.nz).contains(k + dk)
                            else { continue }
                            let next = g.index(i + di, j + dj, k + dk)
                            if mask.values[next] != 0 && labels[next] == 0 {
                                labels[next] = Int32(sizes.count)
                                stack.append(next)
                            }
                        }
                    }
                }
            }
        }
        return (labels, sizes)
    }

    @Test func largestComponentAndBox() throws {
        let mask = Mask(grid: makeGrid([7, 1, 1]), values: [1, 0, 1, 1, 1, 0, 1])
        #expect(mask.largestComponent().values == [0, 0, 1, 1, 1, 0, 0])
        #expect(Mask(grid: makeGrid([3, 3, 3])).largestComponent().voxels == 0)
        let box = try #require(mask.largestComponent().boundingBox(marginMillimetres: 1))
        #expect(box.lower == SIMD3(1, 0, 0) && box.upper == SIMD3(6, 1, 1))
        #expect(mask.copied(to: box).values == [0, 1, 1, 1, 0])
        #expect(box.grid.affine.translation == SIMD3(1, 0, 0))
        let wider = mask.grid.box(from: SIMD3(-2, 0, 0), to: SIMD3(3, 1, 1))
        #expect(mask.copied(to: wider).values == [0, 0, 1, 0, 1])
    }
}
