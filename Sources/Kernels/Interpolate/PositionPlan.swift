/// The steps from the voxels of a target grid to the voxels of a source grid, with neighbouring affines multiplied out
/// in double precision, so that a map without displacement costs one multiply-add per coordinate.
struct PositionPlan {
    private enum Stage {
        case matrix([Float])
        case field(DisplacementField, worldToVoxel: [Float])
    }

    /// From target voxel index to the first stage's input.
    private let start: Affine
    private let stages: [Stage]

    /// - Throws: `GridError.singularAffine` when the source grid or a field's grid cannot be inverted.
    init(from target: VoxelGrid, through map: SpatialMap, to source: VoxelGrid) throws {
        guard let worldToSource = source.affine.inverse else {
            throw GridError.singularAffine("the image to resample")
        }
        var pending = target.affine
        var start: Affine?
        var stages: [Stage] = []
        for step in map.steps {
            switch step {
            case .affine(let affine): pending = affine * pending
            case .displacement(let field):
                guard let worldToField = field.grid.affine.inverse else {
                    throw GridError.singularAffine("a displacement field")
                }
                if start == nil {
                    start = pending
                } else if pending != .identity {
                    stages.append(.matrix(pending.coefficients))
                }
                stages.append(.field(field, worldToVoxel: worldToField.coefficients))
                pending = .identity
            }
        }
        pending = worldToSource * pending
        if start == nil {
            start = pending
        } else {
            stages.append(.matrix(pending.coefficients))
        }
        self.start = start!
        self.stages = stages
    }

    /// Source positions of the target row (0 ..< count, j, k), left in `row`.
    func evaluate(_ row: PositionRow, count: Int, j: Int, k: Int) {
        row.fill(count: count, j: j, k: k, start)
        for stage in stages {
            switch stage {
            case .matrix(let matrix): row.apply(matrix, count: count)
            case .field(let field, let worldToVoxel): row.add(field, worldToVoxel: worldToVoxel, count: count)
            }
        }
    }

    /// Runs `body` for every row of `target`, with the source positions of its voxels.
    ///
    /// - Parameter body: (positions, flat index of the row's first voxel); called on up to `threads` threads.
    func forEachRow(of target: VoxelGrid, threads: Int, _ body: (PositionRow, Int) -> Void) {
        Parallel.forRanges(target.ny * target.nz, piece: 64, threads: threads) { rows in
            let row = PositionRow(capacity: target.nx)
            defer { row.deallocate() }
            for r in rows {
                evaluate(row, count: target.nx, j: r % target.ny, k: r / target.ny)
                body(row, r * target.nx)
            }
        }
    }
}
