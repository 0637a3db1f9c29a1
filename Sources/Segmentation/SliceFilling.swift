import Kernels

extension Mask {
    /// This mask and, in every slice across each axis, the parts of its complement that do not reach the slice's edge.
    ///
    /// Fills what is a hole in some slice though a narrow way leads out of it in 3-D, as from the ventricles to the cisterns.
    func holesFilledBySlice() -> Mask {
        let (nx, ny, nz) = (grid.nx, grid.ny, grid.nz)
        var result = self
        fill(slices: nz, step: nx * ny, width: nx, across: 1, height: ny, down: nx, into: &result)
        fill(slices: ny, step: nx, width: nx, across: 1, height: nz, down: nx * ny, into: &result)
        fill(slices: nx, step: 1, width: ny, across: nx, height: nz, down: nx * ny, into: &result)
        return result
    }

    private func fill(
        slices: Int, step: Int, width: Int, across: Int, height: Int, down: Int, into result: inout Mask
    ) {
        var open = [Bool](repeating: false, count: width * height)
        var stack: [Int] = []
        for slice in 0..<slices {
            let base = slice * step
            for at in open.indices { open[at] = false }
            func visit(_ u: Int, _ v: Int) {
                let at = u + width * v
                if !open[at] && values[base + u * across + v * down] == 0 {
                    open[at] = true
                    stack.append(at)
                }
            }
            for u in 0..<width {
                visit(u, 0)
                visit(u, height - 1)
            }
            for v in 0..<height {
                visit(0, v)
                visit(width - 1, v)
            }
            while let at = stack.popLast() {
                let (u, v) = (at % width, at / width)
                if u > 0 { visit(u - 1, v) }
                if u < width - 1 { visit(u + 1, v) }
                if v > 0 { visit(u, v - 1) }
                if v < height - 1 { visit(u, v + 1) }
            }
            for v in 0..<height {
                for u in 0..<width where !open[u + width * v] { result.values[base + u * across + v * down] = 1 }
            }
        }
    }
}
