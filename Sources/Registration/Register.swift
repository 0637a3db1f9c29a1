import Kernels

/// Registers `moving` to `fixed`: rigid, then affine by mutual information, then deformable by local correlation, as far
/// as the model of the options goes.
///
/// - Parameters:
///   - fixed: image that keeps its grid; any orientation, voxel size and units.
///   - moving: image to bring onto it.
///   - fixedMask: where the fixed image counts (brain or head), on its grid; without one the foreground is found.
///   - movingMask: where the moving image counts, on its grid. With both masks, or a mask and an image that holds a brain
///     alone, the linear search aligns brain to brain and is safest.
///   - threads: how many threads to use; the result does not depend on it.
///   - progress: called after every level; throw from it to stop.
/// - Throws: `RegistrationError`, `GridError`, or what `progress` throws.
package func register(
    fixed: Volume, moving: Volume, fixedMask: Mask? = nil, movingMask: Mask? = nil,
    options: RegistrationOptions = RegistrationOptions(), threads: Int = 1,
    progress: (RegistrationProgress) throws -> Void = { _ in }
) throws -> RegistrationResult {
    try withoutActuallyEscaping(progress) { progress in
        // Voxels finer than the finest level only cost memory: what is found lives on grids of its own.
        let levels = options.model == .diffeomorphic ? options.deformableLevels.map(\.spacingMillimetres) : []
        let linearLevels = (options.rigidLevels + options.affineLevels).map(\.spacingMillimetres)
        let finest = (levels + linearLevels).min() ?? 1
        func prepared(_ volume: Volume, _ mask: Mask?, _ name: String) throws -> RegistrationImage {
            if let mask, !mask.grid.matches(volume.grid) {
                throw GridError.mismatch(first: name, firstGrid: volume.grid, second: "its mask", secondGrid: mask.grid)
            }
            guard volume.grid.affine.inverse != nil else { throw GridError.singularAffine(name) }
            let clean = volume.values.map { $0.isFinite ? $0 : 0 }
            let coarse = try Pyramid.coarse(Volume(grid: volume.grid, values: clean), finest, threads: threads)
            return try RegistrationImage(
                coarse, mask: mask?.resampled(to: coarse.grid, threads: threads), name: name, threads: threads)
        }
        let fixedImage = try prepared(fixed, fixedMask, "the fixed image")
        let movingImage = try prepared(moving, movingMask, "the moving image")
        // Brain to brain where both are known: the linear search then sees their outlines.
        let isBrainToBrain = fixedImage.brain != nil && movingImage.brain != nil
        let linear = try LinearSearch(
            fixed: isBrainToBrain ? fixedImage.cut(threads: threads) : fixedImage,
            moving: isBrainToBrain ? movingImage.cut(threads: threads) : movingImage, options: options,
            threads: threads, progress: progress
        ).run()
        var quality = RegistrationQuality(
            mutualInformationBefore: linear.before, mutualInformationAfter: linear.after, overlap: linear.overlap)
        guard options.model == .diffeomorphic, !options.deformableLevels.isEmpty else {
            return RegistrationResult(
                affine: linear.affine, forwardField: nil, inverseField: nil, quality: quality)
        }
        // Where one came stripped, the other is stripped too, so that both end at the same edge.
        let isOneStripped = isBrainToBrain && (fixedImage.isStripped || movingImage.isStripped)
        let deformable = try DeformableSearch(
            fixed: isOneStripped ? fixedImage.cut(threads: threads) : fixedImage,
            moving: isOneStripped ? movingImage.cut(threads: threads) : movingImage, affine: linear.affine,
            options: options, threads: threads, progress: progress
        ).run()
        quality.localCorrelationBefore = deformable.correlationBefore
        quality.localCorrelationAfter = deformable.correlationAfter
        quality.smallestJacobian = deformable.smallestJacobian
        quality.largestJacobian = deformable.largestJacobian
        quality.foldedFraction = deformable.foldedFraction
        quality.inverseErrorMeanMillimetres = deformable.inverseErrorMean
        quality.inverseErrorLargestMillimetres = deformable.inverseErrorLargest
        quality.largestDisplacementMillimetres = deformable.largestDisplacement
        return RegistrationResult(
            affine: linear.affine, forwardField: deformable.forward, inverseField: deformable.inverse,
            quality: quality)
    }
}
