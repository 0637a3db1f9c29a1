import Kernels

/// What a registration found. "Fixed" is the image whose grid stays; "moving" is the one brought onto it.
package struct RegistrationResult: Sendable {
    /// Fixed world mm → moving world mm, without the displacement.
    package let affine: Affine
    /// Displacement of fixed world points, mm, taken before `affine`; nil unless the model is diffeomorphic.
    package let forwardField: DisplacementField?
    /// The inverse displacement: also of fixed world points, mm; nil unless the model is diffeomorphic.
    package let inverseField: DisplacementField?
    package let quality: RegistrationQuality

    package init(
        affine: Affine, forwardField: DisplacementField?, inverseField: DisplacementField?,
        quality: RegistrationQuality
    ) {
        (self.affine, self.forwardField, self.inverseField) = (affine, forwardField, inverseField)
        self.quality = quality
    }

    /// Fixed world mm → moving world mm: resamples the moving image (an atlas and its labels) onto the fixed grid.
    package var forward: SpatialMap {
        SpatialMap((forwardField.map { [.displacement($0)] } ?? []) + [.affine(affine)])
    }

    /// Moving world mm → fixed world mm: resamples the fixed image onto the moving grid.
    ///
    /// - Throws: `GridError.singularAffine`; a map found by registration is never singular.
    package func inverse() throws -> SpatialMap {
        guard let back = affine.inverse else { throw GridError.singularAffine("the map between the images") }
        return SpatialMap([.affine(back)] + (inverseField.map { [.displacement($0)] } ?? []))
    }
}

/// Numbers to judge a registration by.
package struct RegistrationQuality: Sendable, Hashable {
    /// Mutual information in nats over the fixed mask (or foreground), as the headers say and after the linear stages;
    /// both at the finest linear level.
    package var mutualInformationBefore: Double
    package var mutualInformationAfter: Double
    /// Fraction of the samples of the fixed image that fall inside the moving image after the linear stages, 0…1.
    package var overlap: Double
    /// Mean squared local correlation, 0…1, at the finest deformable level, before and after the deformable stages.
    package var localCorrelationBefore: Double?
    package var localCorrelationAfter: Double?
    /// Smallest determinant of the Jacobian of the displacement; at or below 0 space is folded.
    package var smallestJacobian: Double?
    package var largestJacobian: Double?
    /// Fraction of voxels with a determinant at or below 0.
    package var foldedFraction: Double?
    /// Distance between a point and its image under displacement and inverse, mm: mean and largest.
    package var inverseErrorMeanMillimetres: Double?
    package var inverseErrorLargestMillimetres: Double?
    /// Largest displacement, mm.
    package var largestDisplacementMillimetres: Double?
}

/// Where a registration stands, for progress displays.
package struct RegistrationProgress: Sendable, Hashable {
    package enum Stage: String, Sendable, Hashable {
        case rigid, affine, deformable, inverse
    }

    package let stage: Stage
    package let spacingMillimetres: Double
    /// Mutual information (linear stages, nats) or mean squared local correlation (deformable stages).
    package let score: Double
}
