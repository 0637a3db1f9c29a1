/// Which voxels count as neighbours.
package enum Connectivity: Int, Sendable, CaseIterable {
    case faces = 6
    case facesAndEdges = 18
    case facesEdgesAndCorners = 26

    /// Lines that come earlier in memory and touch a line, and by how many voxels runs may miss each other there and
    /// still touch.
    var earlierLines: [(dj: Int, dk: Int, reach: Int)] {
        switch self {
        case .faces: [(-1, 0, 0), (0, -1, 0)]
        case .facesAndEdges: [(-1, 0, 1), (-1, -1, 0), (0, -1, 1), (1, -1, 0)]
        case .facesEdgesAndCorners: [(-1, 0, 1), (-1, -1, 1), (0, -1, 1), (1, -1, 1)]
        }
    }
}

/// Connected pieces of a mask, numbered from 1 in the order of their first voxel; 0 is background.
package struct Components: Sendable {
    package let grid: VoxelGrid
    package let labels: [Int32]
    /// `sizes[n - 1]` voxels in component n.
    package let sizes: [Int]

    /// Number of the largest component (the first of equals); nil when there is none.
    package var largest: Int? {
        guard let most = sizes.max() else { return nil }
        return sizes.firstIndex(of: most)! + 1
    }

    /// The voxels of the components for which `isKept` says so.
    package func mask(where isKept: (_ component: Int) -> Bool) -> Mask {
        let kept: [UInt8] = [0] + sizes.indices.map { isKept($0 + 1) ? 1 : 0 }
        return Mask(grid: grid, values: labels.map { kept[Int($0)] })
    }
}

extension Mask {
    /// The connected pieces of this mask.
    ///
    /// Whole runs of voxels along a line are joined, by union–find; there are far fewer of them than voxels.
    package func components(_ connectivity: Connectivity = .facesEdgesAndCorners) -> Components {
        let (nx, ny, nz) = (grid.nx, grid.ny, grid.nz)
        let runs = MaskRuns(self)
        var parents = [Int32](unsafeUninitializedCapacity: runs.starts.count) { buffer, initialised in
            for n in 0..<runs.starts.count { buffer[n] = Int32(n) }
            initialised = runs.starts.count
        }
        parents.withUnsafeMutableBufferPointer { parents in
            func root(_ run: Int32) -> Int32 {
                var r = run
                while parents[Int(r)] != r {
                    parents[Int(r)] = parents[Int(parents[Int(r)])]
                    r = parents[Int(r)]
                }
                return r
            }
            let lines = connectivity.earlierLines
            for k in 0..<nz {
                for j in 0..<ny {
                    let mine = runs.ofLine(j + ny * k)
                    if mine.isEmpty { continue }
                    for line in lines {
                        let (otherJ, otherK) = (j + line.dj, k + line.dk)
                        guard otherJ >= 0, otherJ < ny, otherK >= 0 else { continue }
                        var other = runs.ofLine(otherJ + ny * otherK)
                        for run in mine {
                            let (start, end) = (
                                runs.starts[run] - Int32(line.reach), runs.ends[run] + Int32(line.reach)
                            )
                            while let first = other.first, runs.ends[first] <= start { other.removeFirst() }
                            for candidate in other {
                                if runs.starts[candidate] >= end { break }
                                let (a, b) = (root(Int32(run)), root(Int32(candidate)))
                                // The root is the first run of its piece, so that pieces are numbered as they begin.
                                if a != b { parents[Int(max(a, b))] = min(a, b) }
                            }
                        }
                    }
                }
            }
        }
        var numbers = [Int32](repeating: 0, count: parents.count)
        var sizes: [Int] = []
        for run in parents.indices {
            // Roots come before the runs that name them.
            if parents[run] == run {
                sizes.append(0)
                numbers[run] = Int32(sizes.count)
            } else {
                numbers[run] = numbers[Int(parents[run])]
            }
            sizes[Int(numbers[run]) - 1] += Int(runs.ends[run] - runs.starts[run])
        }
        let labels = [Int32](unsafeUninitializedCapacity: grid.count) { buffer, initialised in
            for line in 0..<(ny * nz) {
                let row = buffer.baseAddress! + line * nx
                var i = 0
                for run in runs.ofLine(line) {
                    let (start, end) = (Int(runs.starts[run]), Int(runs.ends[run]))
                    (row + i).initialize(repeating: 0, count: start - i)
                    (row + start).initialize(repeating: numbers[run], count: end - start)
                    i = end
                }
                (row + i).initialize(repeating: 0, count: nx - i)
            }
            initialised = grid.count
        }
        return Components(grid: grid, labels: labels, sizes: sizes)
    }

    /// The largest connected piece; empty when the mask is.
    package func largestComponent(_ connectivity: Connectivity = .facesEdgesAndCorners) -> Mask {
        let pieces = components(connectivity)
        guard let largest = pieces.largest else { return self }
        return pieces.mask { $0 == largest }
    }

    /// This mask and every part of its complement that no path through shared faces connects to the edge of the grid.
    package func holesFilled() -> Mask {
        let outside = Mask(grid: grid, values: values.map { $0 == 0 ? 1 : 0 }).components(.faces)
        var open = [Bool](repeating: false, count: outside.sizes.count + 1)
        for k in 0..<grid.nz {
            for j in 0..<grid.ny {
                let edge = k == 0 || k == grid.nz - 1 || j == 0 || j == grid.ny - 1
                for i in 0..<grid.nx where edge || i == 0 || i == grid.nx - 1 {
                    open[Int(outside.labels[grid.index(i, j, k)])] = true
                }
            }
        }
        return Mask(
            grid: grid, values: outside.labels.map { label in label != 0 && open[Int(label)] ? 0 : 1 })
    }
}
