/// Positions of one row of voxels, carried through the steps of a map in single precision.
///
/// Scratch of one thread: three rows of coordinates and three more to look up displacements with.
struct PositionRow {
    let x: MutableFloats
    let y: MutableFloats
    let z: MutableFloats
    private let lookupX: MutableFloats
    private let lookupY: MutableFloats
    private let lookupZ: MutableFloats
    private let memory: MutableFloats

    init(capacity: Int) {
        let padded = (capacity + 15) / 16 * 16
        memory = MutableFloats.allocate(capacity: 6 * padded)
        memory.initialize(repeating: 0, count: 6 * padded)
        (x, y, z) = (memory, memory + padded, memory + 2 * padded)
        (lookupX, lookupY, lookupZ) = (memory + 3 * padded, memory + 4 * padded, memory + 5 * padded)
    }

    func deallocate() { memory.deallocate() }

    /// Sets the row to affine(i, j, k) for i = 0 ..< count.
    func fill(count: Int, j: Int, k: Int, _ affine: Affine) {
        let start = affine(SIMD3(0, Double(j), Double(k)))
        let step = affine.column(0)
        fillLine(
            count, Float(start.x), Float(start.y), Float(start.z), Float(step.x), Float(step.y), Float(step.z), x, y, z)
    }

    func apply(_ matrix: [Float], count: Int) {
        matrix.withUnsafeBufferPointer { transformPositions($0.baseAddress!, count, x, y, z, x, y, z) }
    }

    /// Moves world positions by a field; `worldToVoxel` belongs to the field's grid.
    func add(_ field: DisplacementField, worldToVoxel: [Float], count: Int) {
        worldToVoxel.withUnsafeBufferPointer {
            transformPositions($0.baseAddress!, count, x, y, z, lookupX, lookupY, lookupZ)
        }
        let grid = field.grid
        field.x.withUnsafeBufferPointer { fx in
            field.y.withUnsafeBufferPointer { fy in
                field.z.withUnsafeBufferPointer { fz in
                    addDisplacement(
                        fx.baseAddress!, fy.baseAddress!, fz.baseAddress!, grid.nx, grid.ny, grid.nz, lookupX,
                        lookupY, lookupZ, count, x, y, z)
                }
            }
        }
    }
}

extension Affine {
    /// Twelve single-precision coefficients, row by row.
    var coefficients: [Float] {
        [rows.0, rows.1, rows.2].flatMap { row in (0..<4).map { Float(row[$0]) } }
    }
}
