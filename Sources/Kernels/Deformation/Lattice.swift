/// The size of a working grid of the deformable registration: rows are whole multiples of 16 voxels.
package struct Lattice: Sendable, Hashable {
    package let nx: Int
    package let ny: Int
    package let nz: Int

    package init(nx: Int, ny: Int, nz: Int) {
        precondition(nx % 16 == 0 && nx > 0 && ny > 0 && nz > 0, "rows of a lattice are multiples of 16, not \(nx)")
        (self.nx, self.ny, self.nz) = (nx, ny, nz)
    }

    package var count: Int { nx * ny * nz }
    package var rows: Int { ny * nz }
}

/// Values on a lattice in memory of their own, readable a row's breadth beyond both ends.
package final class LatticeBuffer {
    package let lattice: Lattice
    package let values: UnsafeMutablePointer<Float>
    private let memory: UnsafeMutablePointer<Float>
    private static let margin = 16

    /// All zero.
    package init(_ lattice: Lattice) {
        self.lattice = lattice
        let count = lattice.count + 2 * Self.margin
        memory = .allocate(capacity: count)
        memory.initialize(repeating: 0, count: count)
        values = memory + Self.margin
    }

    deinit { memory.deallocate() }

    package func fill(_ value: Float) { values.update(repeating: value, count: lattice.count) }

    package func copy(from other: LatticeBuffer) { values.update(from: other.values, count: lattice.count) }
}
