import Kernels

/// Diffeomorphic registration by local cross-correlation: greedy, compositional, coarse to fine.
///
/// Each iteration warps the moving image through displacement and affine, takes the derivative of the correlation,
/// turns it into a smooth step of a fraction of a voxel and composes that with the displacement so far. Small smooth
/// steps are invertible, and so is their composition.
struct DeformableSearch {
    let fixed: RegistrationImage
    let moving: RegistrationImage
    let affine: Affine
    let options: RegistrationOptions
    let threads: Int
    let progress: (RegistrationProgress) throws -> Void

    struct Outcome {
        var forward: DisplacementField
        var inverse: DisplacementField
        var correlationBefore: Double
        var correlationAfter: Double
        var smallestJacobian: Double
        var largestJacobian: Double
        var foldedFraction: Double
        var inverseErrorMean: Double
        var inverseErrorLargest: Double
        var largestDisplacement: Double
    }

    func run() throws -> Outcome {
        var fixedPyramid = Pyramid(scaled(fixed), threads: threads)
        var movingPyramid = Pyramid(scaled(moving), threads: threads)
        var level: DeformableLevel?
        for plan in options.deformableLevels {
            let frame = try LatticeFrame(around: fixed, spacingMillimetres: plan.spacingMillimetres)
            // Levels finer than the voxels come out alike; once is enough.
            if frame.spacingMillimetres == level?.frame.spacingMillimetres { continue }
            let next = try DeformableLevel(
                frame: frame, fixed: fixedPyramid.smoothed(forSpacing: frame.spacingMillimetres),
                region: fixed.region, moving: movingPyramid.coarse(frame.spacingMillimetres), affine: affine,
                options: options, threads: threads)
            if let level { next.start(from: level) }
            level = nil
            let score = next.iterate(plan.iterations)
            try progress(
                RegistrationProgress(stage: .deformable, spacingMillimetres: frame.spacingMillimetres, score: score))
            level = next
        }
        guard let level else { preconditionFailure("a deformable registration has at least one level") }
        let outcome = level.finish()
        try progress(
            RegistrationProgress(
                stage: .inverse, spacingMillimetres: level.frame.spacingMillimetres, score: outcome.correlationAfter))
        return outcome
    }

    /// Intensities from 0 to 1 between the ends of the range, held there.
    private func scaled(_ image: RegistrationImage) -> Volume {
        let low = image.range.lowerBound
        let scale = 1 / (image.range.upperBound - low)
        return Volume(
            grid: image.volume.grid, values: image.volume.values.map { min(max(($0 - low) * scale, 0), 1) })
    }
}

/// A working grid around the region of the fixed image, along the axes of its voxels.
struct LatticeFrame {
    let lattice: Lattice
    let grid: VoxelGrid
    let spacingMillimetres: Double

    /// - Parameter spacing: voxel size in mm; the fixed image's smallest where that is larger.
    init(around image: RegistrationImage, spacingMillimetres spacing: Double) throws {
        let source = image.volume.grid
        let own = source.spacingMillimetres
        // Within a tenth the own voxels are taken as they are.
        let step = spacing < 1.1 * own.min() ? own.min() : spacing
        spacingMillimetres = step
        guard let box = image.region.boundingBox(marginMillimetres: image.hasTightRegion ? 12 : 4) else {
            throw RegistrationError.emptyMask(name: image.name, voxels: 0)
        }
        var count = SIMD3<Int>()
        for axis in 0..<3 {
            let extent = Double(box.upper[axis] - 1 - box.lower[axis]) * own[axis]
            count[axis] = Int((extent / step - 1e-6).rounded(.up)) + 1
        }
        let padded = (count.x + 15) / 16 * 16
        // The surplus of a row is shared by both ends, in whole voxels so that equal spacing means equal centres.
        let shift = Affine.translation(SIMD3(-Double((padded - count.x) / 2), 0, 0))
        lattice = Lattice(nx: padded, ny: count.y, nz: count.z)
        grid = VoxelGrid(
            nx: padded, ny: count.y, nz: count.z,
            affine: box.grid.affine * .scaling(SIMD3(repeating: step) / own) * shift)
    }
}
