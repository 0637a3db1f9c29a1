import Kernels

/// The changes DEEPMIR makes to slices with lesions (Rashid et al. 2021, doi 10.1038/s41598-021-93427-x), drawn on the
/// fly in the proportions in which the published method writes them to disk: of 399 variants of a slice one is the
/// slice itself, 2 are flipped, 32 turned, 64 flipped and turned, 100 shifted, 200 flipped and shifted. The published
/// program flips twice where it should flip and shift; here they are flipped once.
package struct DEEPMIRAugmentation: Sendable, Hashable, Codable {
    /// Largest angle, a whole number of degrees drawn from 1 up to it, either way.
    package var largestDegrees = 178
    /// Shifts are whole voxels from −n to below n along both axes.
    package var largestShiftVoxels = 45

    package init() {}

    /// Each slice and its 398 changed copies.
    static let variants = 399

    /// Which share of the slices without foreground that are trained on is changed: the published program adds changed ones
    /// until there are as many as variants of slices with foreground.
    static func changedShare(foregroundSlices: Int, backgroundSlices: Int) -> Double {
        guard foregroundSlices > 0 else { return 0 }
        return max(0, 1 - Double(backgroundSlices) / Double(variants * foregroundSlices))
    }

    /// - Throws: `TrainingDataError.settings` naming what is out of range.
    package func check() throws {
        guard (1...360).contains(largestDegrees) else {
            throw TrainingDataError.settings("slices are turned by up to \(largestDegrees) degrees; give 1 to 360")
        }
        guard (1...1 << 14).contains(largestShiftVoxels) else {
            throw TrainingDataError.settings(
                "slices are shifted by up to \(largestShiftVoxels) voxels; give 1 to \(1 << 14)")
        }
    }

    func draw(size: Extent3, centre: SIMD3<Double>, random: Philox, epoch: Int, sample: Int) -> SpatialAugmentation.Draw
    {
        var stream = RandomPurpose.spatial.stream(random, epoch: epoch, sample: sample)
        let variant = stream.index(below: Self.variants)
        let flipsWidth = stream.chance(0.5)
        let degrees = Double(1 + stream.index(below: largestDegrees)) * (stream.chance(0.5) ? 1 : -1)
        let shift = SIMD3(
            Double(stream.index(below: 2 * largestShiftVoxels) - largestShiftVoxels),
            Double(stream.index(below: 2 * largestShiftVoxels) - largestShiftVoxels), 0)
        let (isFlipped, isTurned, isShifted) =
            switch variant {
            case 0: (false, false, false)
            case 1..<3: (true, false, false)
            case 3..<35: (false, true, false)
            case 35..<99: (true, true, false)
            case 99..<199: (false, false, true)
            default: (true, false, true)
            }
        var linear = Affine.identity
        if isFlipped { linear = .scaling((flipsWidth ? GridAxis.width : .height).direction * -2 + 1) * linear }
        if isTurned { linear = .rotation(degrees: degrees, about: .depth) * linear }
        let affine = SpatialAugmentation.about(
            linear, size: size, centre: isShifted ? centre - shift : centre, spacingMillimetres: SIMD3(1, 1, 1))
        return SpatialAugmentation.Draw(
            map: PatchMap(size: size, affine: affine), flipsWidth: isFlipped && flipsWidth)
    }
}
