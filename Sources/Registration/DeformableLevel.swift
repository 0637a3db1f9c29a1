import Kernels

/// One resolution of the deformable search: the images, the displacement so far and the memory to improve it.
final class DeformableLevel {
    let frame: LatticeFrame
    private let moving: Volume
    private let fixedToMoving: Affine
    private let options: RegistrationOptions
    private let threads: Int
    private let weight: LatticeBuffer
    private let warped: LatticeBuffer
    private let correlation: LocalCorrelation
    private var field: LatticeField
    private var composed: LatticeField
    private let update: LatticeField
    private let curvature: LatticeBuffer
    private var correlationBefore: Double?
    private var correlationAfter = 0.0

    /// - Parameters:
    ///   - fixed: scaled to 0…1, smoothed for the spacing of the frame, on its own grid.
    ///   - region: where the fixed image counts.
    ///   - moving: scaled to 0…1, at the resolution of the frame, on its own grid.
    init(
        frame: LatticeFrame, fixed: Volume, region: Mask, moving: Volume, affine: Affine,
        options: RegistrationOptions, threads: Int
    ) throws {
        (self.frame, self.moving, self.options, self.threads) = (frame, moving, options, threads)
        guard let worldToMoving = moving.grid.affine.inverse else { throw GridError.singularAffine("the moving image") }
        fixedToMoving = worldToMoving * affine * frame.grid.affine
        let lattice = frame.lattice
        field = LatticeField(lattice)
        composed = LatticeField(lattice)
        update = LatticeField(lattice)
        warped = LatticeBuffer(lattice)
        curvature = LatticeBuffer(lattice)
        weight = LatticeBuffer(lattice)
        let target = LatticeBuffer(lattice)
        target.copy(from: try fixed.resampled(to: frame.grid, threads: threads))
        // A window counts where its middle is in the region and lands inside the moving image.
        let inside = try region.resampled(to: frame.grid, threads: threads)
        field.warp(
            Volume(grid: moving.grid, filledWith: 1), matrix: fixedToMoving, outside: 0, into: weight,
            threads: threads)
        for n in 0..<lattice.count where inside.values[n] == 0 { weight.values[n] = 0 }
        correlation = LocalCorrelation(
            fixed: target, weight: weight, radius: options.correlationRadiusVoxels, noise: options.correlationNoise,
            threads: threads)
    }

    /// Takes over the displacement of a coarser level.
    func start(from coarse: DeformableLevel) {
        correlationBefore = score()
        field.copy(from: coarse.field, grid: coarse.frame.grid, to: frame.grid, threads: threads)
    }

    /// Improves the displacement; returns the score reached.
    ///
    /// Every step is as long as the last one that helped. One that lowers the score is taken back and tried at half the
    /// length, so that the search comes to rest instead of circling.
    func iterate(_ iterations: Int) -> Double {
        let updateTaps = GaussianTaps(sigmaVoxels: options.updateSmoothingVoxels)
        let fieldTaps = GaussianTaps(sigmaVoxels: options.fieldSmoothingVoxels)
        var step = options.stepVoxels
        var scores = [score()]
        if correlationBefore == nil { correlationBefore = scores[0] }
        for _ in 0..<iterations {
            prepareUpdate(step, updateTaps)
            field.composed(after: update, scale: 1, into: composed, threads: threads)
            composed.smooth(fieldTaps, scratch: warped, threads: threads)
            composed.taper(width: 1, threads: threads)
            swap(&field, &composed)
            let next = score()
            if next >= scores[scores.count - 1] {
                scores.append(next)
                if hasConverged(scores) { break }
            } else {
                swap(&field, &composed)
                step /= 2
                if step < options.stepVoxels / 10 { break }
                _ = score()
            }
        }
        correlationAfter = scores[scores.count - 1]
        return correlationAfter
    }

    /// A Gauss–Newton step in every neighbourhood: smoothed forces over smoothed curvatures. Both weak and strong edges
    /// then move at once, where a common factor for all forces lets only the strongest move.
    private func prepareUpdate(_ bound: Double, _ taps: GaussianTaps) {
        let lattice = frame.lattice
        correlation.force(warped, into: update, curvature: curvature, threads: threads)
        update.smooth(taps, scratch: warped, threads: threads)
        Gaussian.smooth(
            curvature.values, into: curvature.values, scratch: warped.values, nx: lattice.nx, ny: lattice.ny,
            nz: lattice.nz, taps: (x: taps, y: taps, z: taps), threads: threads)
        // The curvature counts the gradient as if it lay along one axis in a whole neighbourhood, so the step is short;
        // the factor of two makes up for it.
        update.toSteps(
            curvature: curvature, damping: 0.1, scale: Float(2 * bound / options.stepVoxels), bound: Float(bound),
            threads: threads)
        update.taper(width: 4, threads: threads)
    }

    private func score() -> Double {
        field.warp(moving, matrix: fixedToMoving, outside: 0, into: warped, threads: threads)
        return correlation.score(warped, threads: threads)
    }

    /// Whether the last ten steps gained less than a given part of the score.
    private func hasConverged(_ scores: [Double]) -> Bool {
        guard scores.count > 10 else { return false }
        let (now, before) = (scores[scores.count - 1], scores[scores.count - 11])
        return now - before < options.convergence * now
    }

    // MARK: - The end

    /// Smooths the displacement where it shrinks space to almost nothing, and around, until it does so no more.
    ///
    /// Compositions of small steps cannot fold, but their interpolation between voxels can, in a voxel here and there.
    private func unfold() {
        let taps = GaussianTaps(sigmaVoxels: 1)
        let count = frame.lattice.count
        for _ in 0..<10 {
            field.jacobian(into: curvature, threads: threads)
            var isFolded = false
            for n in 0..<count {
                let tight = curvature.values[n] < 0.02
                if tight { isFolded = true }
                curvature.values[n] = tight ? 8 : 0
            }
            if !isFolded { break }
            let lattice = frame.lattice
            Gaussian.smooth(
                curvature.values, into: curvature.values, scratch: warped.values, nx: lattice.nx, ny: lattice.ny,
                nz: lattice.nz, taps: (x: taps, y: taps, z: taps), threads: threads)
            for (component, smooth) in zip(field.components, composed.components) {
                smooth.copy(from: component)
            }
            composed.smooth(taps, scratch: warped, threads: threads)
            for (component, smooth) in zip(field.components, composed.components) {
                for n in 0..<count {
                    let share = min(1, curvature.values[n])
                    component.values[n] += share * (smooth.values[n] - component.values[n])
                }
            }
        }
    }

    /// Inverts the displacement and measures both. The level is used up.
    func finish() -> DeformableSearch.Outcome {
        unfold()
        let spacing = frame.spacingMillimetres
        let inverse = composed
        field.invert(into: inverse, scratch: (warped, update.x), threads: threads)
        // What is left: composing both should move nothing.
        field.composed(after: inverse, scale: 1, into: update, threads: threads)
        let count = frame.lattice.count
        var (sum, worst) = (0.0, 0.0)
        for n in 0..<count {
            let e = SIMD3(update.x.values[n], update.y.values[n], update.z.values[n])
            let length = Double((e * e).sum().squareRoot())
            sum += length
            worst = max(worst, length)
        }
        field.jacobian(into: warped, threads: threads)
        var (low, high, folded) = (Float.infinity, -Float.infinity, 0)
        for n in 0..<count {
            low = min(low, warped.values[n])
            high = max(high, warped.values[n])
            if warped.values[n] <= 0 { folded += 1 }
        }
        return DeformableSearch.Outcome(
            forward: field.inWorld(frame.grid), inverse: inverse.inWorld(frame.grid),
            correlationBefore: correlationBefore ?? correlationAfter, correlationAfter: correlationAfter,
            smallestJacobian: Double(low), largestJacobian: Double(high),
            foldedFraction: Double(folded) / Double(count), inverseErrorMean: sum / Double(count) * spacing,
            inverseErrorLargest: worst * spacing,
            largestDisplacement: Double(field.largestLength(threads: threads)) * spacing)
    }
}
