import Kernels

/// Registers `moving` to `fixed`: rigid, then affine by mutual information, then deformable by local correlation, as far
/// as the model of the options goes.
///
/// - Parameters:
///   - fixed: image that keeps its grid; any orientation, voxel size and units.
///   - moving: image to bring onto it.
///   - fixedMask: where the fixed image counts (brain or head), on its grid; without one the foreground is found.
///   - movingMask: helps to find the middle of the moving image; on its grid.
///   - threads: how many threads to use; the result does not depend on it.
///   - progress: called after every level; throw from it to stop.
/// - Throws: `RegistrationError`, `GridError`, or what `progress` throws.
package func register(
    fixed: Volume, moving: Volume, fixedMask: Mask? = nil, movingMask: Mask? = nil,
    options: RegistrationOptions = RegistrationOptions(), threads: Int = 1,
    progress: (RegistrationProgress) throws -> Void = { _ in }
) throws -> RegistrationResult {
    try withoutActuallyEscaping(progress) { progress in
        let fixedImage = try RegistrationImage(fixed, mask: fixedMask, name: "the fixed image", threads: threads)
        let movingImage = try RegistrationImage(moving, mask: movingMask, name: "the moving image", threads: threads)
        let linear = try LinearSearch(
            fixed: fixedImage, moving: movingImage, options: options, threads: threads, progress: progress
        ).run()
        var quality = RegistrationQuality(
            mutualInformationBefore: linear.before, mutualInformationAfter: linear.after, overlap: linear.overlap)
        guard options.model == .diffeomorphic, !options.deformableLevels.isEmpty else {
            return RegistrationResult(
                affine: linear.affine, forwardField: nil, inverseField: nil, quality: quality)
        }
        let deformable = try DeformableSearch(
            fixed: fixedImage, moving: movingImage, affine: linear.affine, options: options, threads: threads,
            progress: progress
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
