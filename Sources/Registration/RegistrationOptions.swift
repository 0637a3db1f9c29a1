/// How to register. The defaults suit T1w images of heads or brains at about 1 mm.
package struct RegistrationOptions: Sendable, Hashable {
    /// What kind of map is sought; each includes those before it.
    package enum Model: String, Sendable, Hashable, CaseIterable {
        /// Rotation and translation: two images of the same head.
        case rigid
        /// Also stretch and shear.
        case affine
        /// Also a smooth invertible displacement.
        case diffeomorphic
    }

    /// One stage of the linear search.
    package struct LinearLevel: Sendable, Hashable {
        package var spacingMillimetres: Double
        package var iterations: Int
        /// More voxels than this are thinned out, evenly and always in the same way.
        package var samples: Int

        package init(spacingMillimetres: Double, iterations: Int, samples: Int) {
            (self.spacingMillimetres, self.iterations, self.samples) = (spacingMillimetres, iterations, samples)
        }
    }

    /// One stage of the deformable search.
    package struct DeformableLevel: Sendable, Hashable {
        package var spacingMillimetres: Double
        package var iterations: Int

        package init(spacingMillimetres: Double, iterations: Int) {
            (self.spacingMillimetres, self.iterations) = (spacingMillimetres, iterations)
        }
    }

    package var model: Model = .diffeomorphic
    /// Bins of the joint histogram.
    package var histogramBins = 32
    /// Coarse to fine, for the rigid search.
    package var rigidLevels: [LinearLevel] = [
        LinearLevel(spacingMillimetres: 8, iterations: 40, samples: 40_000),
        LinearLevel(spacingMillimetres: 4, iterations: 30, samples: 60_000),
    ]
    /// Coarse to fine, for the affine search that follows.
    package var affineLevels: [LinearLevel] = [
        LinearLevel(spacingMillimetres: 4, iterations: 40, samples: 60_000),
        LinearLevel(spacingMillimetres: 2, iterations: 20, samples: 150_000),
    ]
    /// Coarse to fine; a level finer than the fixed image's own voxels is taken at those.
    package var deformableLevels: [DeformableLevel] = [
        DeformableLevel(spacingMillimetres: 8, iterations: 60),
        DeformableLevel(spacingMillimetres: 4, iterations: 100),
        DeformableLevel(spacingMillimetres: 2, iterations: 100),
        DeformableLevel(spacingMillimetres: 1, iterations: 40),
    ]
    /// Standard deviation, of intensities scaled to 0…1, below which a window is noise and pulls nothing. Four times as
    /// much already hides the nuclei of the midbrain, which differ from their surroundings by a twentieth.
    package var correlationNoise: Float = 0.005
    /// Half width of the window of the local correlation, in voxels of the level.
    package var correlationRadiusVoxels = 2
    /// Smoothing of each update ("fluid"), standard deviation in voxels of the level.
    package var updateSmoothingVoxels = 1.2
    /// Smoothing of the accumulated displacement ("elastic"), standard deviation in voxels of the level.
    package var fieldSmoothingVoxels = 0.5
    /// Longest step of one update, in voxels of the level; halved whenever a step does not help.
    package var stepVoxels = 0.4
    /// A deformable level ends when ten steps together gain less than this part of the score.
    package var convergence = 2e-4

    package init() {}

    /// Two images of the same head in nearly the same position: small movements, sub-voxel accuracy.
    package static var sameSubject: RegistrationOptions {
        var options = RegistrationOptions()
        options.model = .rigid
        options.rigidLevels = [
            LinearLevel(spacingMillimetres: 8, iterations: 40, samples: 40_000),
            LinearLevel(spacingMillimetres: 4, iterations: 30, samples: 80_000),
            LinearLevel(spacingMillimetres: 2, iterations: 30, samples: 250_000),
            LinearLevel(spacingMillimetres: 1, iterations: 20, samples: 500_000),
        ]
        options.affineLevels = []
        options.deformableLevels = []
        return options
    }
}
