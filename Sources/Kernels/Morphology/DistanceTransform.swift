extension Mask {
    /// Squared Euclidean distance, mm², from every voxel centre to the nearest voxel centre inside the mask.
    ///
    /// Exact for any voxel size; voxel axes are taken as orthogonal. Infinite everywhere when the mask is empty.
    ///
    /// - Parameter threads: how many threads to use; the result does not depend on it.
    /// - Complexity: linear in the voxels: one lower envelope of parabolas per line and axis.
    /// - Source: Felzenszwalb and Huttenlocher, Theory of Computing 8 (2012) 415–428.
    package func squaredDistanceMillimetres(threads: Int = 1) -> Volume {
        let (nx, ny, nz) = (grid.nx, grid.ny, grid.nz)
        let spacing = grid.spacingMillimetres
        var result = Volume(grid: grid, values: values.map { $0 == 0 ? Float.infinity : 0 })
        result.values.withUnsafeMutableBufferPointer { buffer in
            let base = buffer.baseAddress!
            Parallel.forRanges(nz, piece: 4, threads: threads) { slices in
                let envelope = Envelope(capacity: max(nx, ny))
                defer { envelope.deallocate() }
                for k in slices {
                    for j in 0..<ny { envelope.apply(base + nx * (j + ny * k), count: nx, step: 1, spacing.x) }
                    for i in 0..<nx { envelope.apply(base + i + nx * ny * k, count: ny, step: nx, spacing.y) }
                }
            }
            Parallel.forRanges(ny, piece: 4, threads: threads) { lines in
                let envelope = Envelope(capacity: nz)
                defer { envelope.deallocate() }
                for j in lines {
                    for i in 0..<nx { envelope.apply(base + i + nx * j, count: nz, step: nx * ny, spacing.z) }
                }
            }
        }
        return result
    }

    /// Distance, mm, from every voxel centre to the nearest voxel centre inside the mask; 0 inside.
    package func distanceMillimetres(threads: Int = 1) -> Volume {
        var result = squaredDistanceMillimetres(threads: threads)
        for index in result.values.indices { result.values[index] = result.values[index].squareRoot() }
        return result
    }
}

/// Scratch for the lower envelope of parabolas along one line.
private struct Envelope {
    private let heights: UnsafeMutablePointer<Float>
    private let vertices: UnsafeMutablePointer<Int>
    private let starts: UnsafeMutablePointer<Float>

    init(capacity: Int) {
        heights = .allocate(capacity: capacity)
        vertices = .allocate(capacity: capacity)
        starts = .allocate(capacity: capacity + 1)
    }

    func deallocate() {
        heights.deallocate()
        vertices.deallocate()
        starts.deallocate()
    }

    /// Replaces the values f(p) of a line by min over q of f(q) + (spacing·(p − q))².
    func apply(_ line: UnsafeMutablePointer<Float>, count: Int, step: Int, _ spacing: Double) {
        var finite = 0
        var zeros = 0
        for p in 0..<count {
            heights[p] = line[p * step]
            if heights[p] < .infinity { finite += 1 }
            if heights[p] == 0 { zeros += 1 }
        }
        if finite == 0 || zeros == count { return }
        let square = Float(spacing * spacing)
        var top = -1
        for q in 0..<count where heights[q] < .infinity {
            var start = -Float.infinity
            while top >= 0 {
                let v = vertices[top]
                // Where the parabolas of v and q cross.
                let cross = (heights[q] - heights[v]) / (2 * square * Float(q - v)) + Float(q + v) / 2
                if cross > starts[top] {
                    start = cross
                    break
                }
                top -= 1
            }
            top += 1
            vertices[top] = q
            starts[top] = start
        }
        starts[top + 1] = .infinity
        var n = 0
        for p in 0..<count {
            while starts[n + 1] < Float(p) { n += 1 }
            let d = Float(p - vertices[n])
            line[p * step] = heights[vertices[n]] + square * d * d
        }
    }
}
