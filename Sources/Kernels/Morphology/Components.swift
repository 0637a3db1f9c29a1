/// Which voxels count as neighbours.
package enum Connectivity: Int, Sendable, CaseIterable {
    case faces = 6
    case facesAndEdges = 18
    case facesEdgesAndCorners = 26

    /// Offsets to the neighbours that come earlier in memory.
    var earlier: [SIMD3<Int>] {
        var offsets: [SIMD3<Int>] = []
        for k in -1...0 {
            for j in -1...1 {
                for i in -1...1 {
                    let offset = SIMD3(i, j, k)
                    let before = k < 0 || (k == 0 && (j < 0 || (j == 0 && i < 0)))
                    let steps = abs(i) + abs(j) + abs(k)
                    let limit = self == .faces ? 1 : (self == .facesAndEdges ? 2 : 3)
                    if before && steps <= limit { offsets.append(offset) }
                }
            }
        }
        return offsets
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
    /// - Complexity: one pass with union–find, one to renumber.
    package func components(_ connectivity: Connectivity = .facesEdgesAndCorners) -> Components {
        let (nx, ny, nz) = (grid.nx, grid.ny, grid.nz)
        var labels = [Int32](repeating: 0, count: grid.count)
        var parents: [Int32] = [0]
        func root(_ label: Int32) -> Int32 {
            var r = label
            while parents[Int(r)] != r {
                parents[Int(r)] = parents[Int(parents[Int(r)])]
                r = parents[Int(r)]
            }
            return r
        }
        let offsets = connectivity.earlier
        let steps = offsets.map { $0.x + nx * ($0.y + ny * $0.z) }
        for k in 0..<nz {
            for j in 0..<ny {
                let row = nx * (j + ny * k)
                for i in 0..<nx where values[row + i] != 0 {
                    var label: Int32 = 0
                    for n in offsets.indices {
                        let o = offsets[n]
                        guard i + o.x >= 0, i + o.x < nx, j + o.y >= 0, j + o.y < ny, k + o.z >= 0 else { continue }
                        let neighbour = labels[row + i + steps[n]]
                        if neighbour == 0 || neighbour == label { continue }
                        if label == 0 {
                            label = neighbour
                        } else {
                            let (a, b) = (root(label), root(neighbour))
                            if a != b { parents[Int(max(a, b))] = min(a, b) }
                        }
                    }
                    if label == 0 {
                        label = Int32(parents.count)
                        parents.append(label)
                    }
                    labels[row + i] = label
                }
            }
        }
        // A root is the smallest label of its piece, hence that of its first voxel.
        var numbers = [Int32](repeating: 0, count: parents.count)
        var sizes: [Int] = []
        for label in parents.indices.dropFirst() {
            let r = Int(root(Int32(label)))
            if r == label {
                sizes.append(0)
                numbers[label] = Int32(sizes.count)
            } else {
                numbers[label] = numbers[r]
            }
        }
        for index in labels.indices where labels[index] != 0 {
            let number = numbers[Int(labels[index])]
            labels[index] = number
            sizes[Int(number) - 1] += 1
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
