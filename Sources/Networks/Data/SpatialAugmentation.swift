import Kernels

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Random changes of shape, all composed into one map before anything is resampled. Lengths are millimetres, so that
/// voxels of unequal sides do not shear what is turned.
package struct SpatialAugmentation: Sendable, Hashable, Codable {
    package enum Interpolation: String, Sendable, Hashable, Codable {
        case linear
        /// Cubic convolution.
        case cubic
    }

    package enum Beyond: String, Sendable, Hashable, Codable {
        /// Zero in the normalised channels.
        case zero
        /// What a zero became when the channel was normalised.
        case background
        /// The value at the border.
        case edge
    }

    /// Smooth random displacement: values on a coarse lattice, a cubic B-spline in between.
    package struct Elastic: Sendable, Hashable, Codable {
        package var probability: Double
        package var latticeMillimetres: Double
        /// Standard deviation of the displacement of a lattice point, drawn from this range.
        package var displacementMillimetres: ClosedRange<Double>

        package init(
            probability: Double, latticeMillimetres: Double, displacementMillimetres: ClosedRange<Double>
        ) {
            self.probability = probability
            self.latticeMillimetres = latticeMillimetres
            self.displacementMillimetres = displacementMillimetres
        }
    }

    /// Each of these axes is reversed with probability one half.
    package var flips: GridAxes = []
    /// Turned by 0, 90, 180 or 270 degrees about each of these axes, all equally likely.
    package var quarterTurns: GridAxes = []
    package var rotationProbability = 0.0
    /// Largest turn about each axis, uniform between minus and plus.
    package var rotationDegrees = AxisValues()
    package var scalingProbability = 0.0
    /// Sizes are multiplied by a factor from this range.
    package var scaling: ClosedRange<Double> = 1...1
    /// A factor for each axis instead of one for all.
    package var scalesAxesApart = false
    package var translationProbability = 0.0
    /// Largest shift along each axis, uniform between minus and plus.
    package var translationMillimetres = AxisValues()
    package var elastic: Elastic?
    package var interpolation = Interpolation.linear
    package var beyond = Beyond.zero
    /// Classes that swap when width is reversed.
    package var lateralPairs: [LateralPair] = []

    package init() {}

    /// As nnU-Net's default for volumes: turns up to 30°, scaling 0.7 to 1.4, each for a fifth of the patches, and
    /// flips along every axis.
    package static func standard(isFlat: Bool) -> SpatialAugmentation {
        var result = SpatialAugmentation()
        result.flips = isFlat ? [.height, .width] : .all
        result.rotationProbability = 0.2
        result.rotationDegrees =
            isFlat ? AxisValues(depth: 180) : AxisValues(depth: 30, height: 30, width: 30)
        result.scalingProbability = 0.2
        result.scaling = 0.7...1.4
        return result
    }

    /// For patches about lesions, which lie in any direction: flips and quarter turns, of every patch also a turn up to 5° about
    /// each axis and a shift up to 3 mm along it. Sizes stay: a lesion's says something of what it is.
    package static func lesions(isFlat: Bool) -> SpatialAugmentation {
        var result = SpatialAugmentation()
        let axes: GridAxes = isFlat ? [.height, .width] : .all
        (result.flips, result.quarterTurns) = (axes, isFlat ? [.depth] : .all)
        (result.rotationProbability, result.translationProbability) = (1, 1)
        result.rotationDegrees = isFlat ? AxisValues(depth: 5) : AxisValues(depth: 5, height: 5, width: 5)
        result.translationMillimetres = AxisValues(depth: isFlat ? 0 : 3, height: 3, width: 3)
        return result
    }

    /// - Throws: `TrainingDataError.settings` naming what is out of range.
    package func check() throws {
        if let problem = lateralPairs.problem(classes: 256) { throw TrainingDataError.settings(problem) }
        guard scaling.lowerBound > 0, scaling.upperBound.isFinite else {
            throw TrainingDataError.settings("sizes are multiplied by \(scaling); factors are over 0")
        }
        if let elastic, !(elastic.latticeMillimetres > 0 && elastic.displacementMillimetres.lowerBound >= 0) {
            throw TrainingDataError.settings(
                "an elastic lattice has a spacing over 0 mm and displacements of 0 mm or more")
        }
        for (name, value) in [
            ("turned", rotationProbability), ("scaled", scalingProbability), ("shifted", translationProbability),
            ("deformed", elastic?.probability ?? 0),
        ] where !(value >= 0 && value <= 1) {
            throw TrainingDataError.settings("patches are \(name) with probability \(value); give 0 to 1")
        }
    }

    /// A drawn change of shape, for one patch.
    package struct Draw: Sendable {
        package var map: PatchMap
        package var flipsWidth: Bool
    }

    /// Draws for one sample.
    ///
    /// - Parameters:
    ///   - size: the patch.
    ///   - centre: the voxel position (i, j, k) in the volume that the middle of the patch shows.
    ///   - spacing: voxel size along i, j, k.
    package func draw(
        size: Extent3, centre: SIMD3<Double>, spacingMillimetres spacing: SIMD3<Double>, random: Philox, epoch: Int,
        sample: Int
    ) -> Draw {
        var stream = RandomPurpose.spatial.stream(random, epoch: epoch, sample: sample)
        // Every number is drawn whether or not it is used, so that one setting does not shift the numbers of another.
        var linear = Affine.identity
        var flipsWidth = false
        for axis in GridAxis.allCases {
            let flipped = stream.chance(0.5) && flips.contains(axis)
            if flipped { linear = .scaling(axis.direction * -2 + 1) * linear }
            if flipped && axis == .width { flipsWidth = true }
        }
        for axis in GridAxis.allCases {
            let turns = stream.index(below: 4)
            if quarterTurns.contains(axis) { linear = .quarterTurns(turns, about: axis) * linear }
        }
        let turned = stream.chance(rotationProbability)
        for axis in GridAxis.allCases {
            let share = stream.uniform(in: -1...1)
            let degrees = share * rotationDegrees[axis]
            if turned, degrees != 0 {
                linear = .rotation(degrees: degrees, about: axis) * linear
            }
        }
        let scaled = stream.chance(scalingProbability)
        let factors = SIMD3(
            stream.uniform(in: scaling), stream.uniform(in: scaling), stream.uniform(in: scaling))
        if scaled {
            // What is looked up lies closer together when the picture is to become larger.
            linear = linear * .scaling(1 / (scalesAxesApart ? factors : SIMD3(repeating: factors.x)))
        }
        let shifted = stream.chance(translationProbability)
        var shift = SIMD3<Double>()
        for axis in GridAxis.allCases {
            let share = stream.uniform(in: -1...1)
            if shifted { shift -= axis.direction * (share * translationMillimetres[axis]) }
        }
        let affine = Self.about(
            linear, size: size, centre: centre + shift / spacing, spacingMillimetres: spacing)
        return Draw(
            map: PatchMap(
                size: size, affine: affine,
                displacement: displacement(
                    size: size, spacing: spacing, random: random, epoch: epoch, sample: sample)),
            flipsWidth: flipsWidth)
    }

    /// The map that shows `centre` of the volume in the middle of the patch, turned and scaled in millimetres.
    static func about(
        _ linear: Affine, size: Extent3, centre: SIMD3<Double>, spacingMillimetres spacing: SIMD3<Double>
    ) -> Affine {
        let middle = SIMD3(Double(size.width - 1), Double(size.height - 1), Double(size.depth - 1)) / 2
        let inVoxels = Affine.scaling(1 / spacing) * linear * .scaling(spacing)
        return .translation(centre) * inVoxels * .translation(-middle)
    }

    private func displacement(
        size: Extent3, spacing: SIMD3<Double>, random: Philox, epoch: Int, sample: Int
    ) -> (i: SplineLattice, j: SplineLattice, k: SplineLattice)? {
        guard let elastic else { return nil }
        var stream = RandomPurpose.elastic.stream(random, epoch: epoch, sample: sample)
        let applied = stream.chance(elastic.probability)
        let deviation = stream.uniform(in: elastic.displacementMillimetres)
        guard applied, deviation > 0 else { return nil }
        // In millimetres along every axis, however unequal the voxels' sides are.
        let latticeVoxels = pointwiseMax(SIMD3(repeating: 1), elastic.latticeMillimetres / spacing)
        let nodes = SplineLattice.nodes(size: size, spacingVoxels: latticeVoxels)
        func lattice(_ axis: Int, isFixed: Bool) -> SplineLattice {
            let scale = isFixed ? 0 : Float(deviation / spacing[axis])
            var values = [Float](repeating: 0, count: nodes.product)
            for four in stride(from: 0, to: values.count, by: 4) {
                // Counters beyond any the stream reaches.
                let numbers = random.normals(
                    SIMD4(
                        UInt32(0x4000_0000 | axis << 24 | four / 4), UInt32(truncatingIfNeeded: epoch),
                        UInt32(truncatingIfNeeded: sample), RandomPurpose.elastic.rawValue))
                for n in four..<min(four + 4, values.count) { values[n] = numbers[n - four] * scale }
            }
            return SplineLattice(size: size, spacingVoxels: latticeVoxels, values: values)
        }
        // Slices stay in their plane.
        return (
            lattice(0, isFixed: size.width == 1), lattice(1, isFixed: size.height == 1),
            lattice(2, isFixed: size.depth == 1)
        )
    }
}

extension Affine {
    /// By `turns` quarters of a circle; the entries are exactly 0, 1 and −1.
    static func quarterTurns(_ turns: Int, about axis: GridAxis) -> Affine {
        let (cosine, sine): (Double, Double) = [(1, 0), (0, 1), (-1, 0), (0, -1)][turns & 3]
        return turned(cosine, sine, about: axis)
    }

    static func rotation(degrees: Double, about axis: GridAxis) -> Affine {
        let angle = degrees * .pi / 180
        return turned(cos(angle), sin(angle), about: axis)
    }

    private static func turned(_ c: Double, _ s: Double, about axis: GridAxis) -> Affine {
        switch axis {
        case .width: Affine([1, 0, 0, 0], [0, c, -s, 0], [0, s, c, 0])
        case .height: Affine([c, 0, s, 0], [0, 1, 0, 0], [-s, 0, c, 0])
        case .depth: Affine([c, -s, 0, 0], [s, c, 0, 0], [0, 0, 1, 0])
        }
    }
}
