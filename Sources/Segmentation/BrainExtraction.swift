import Kernels

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A brain mask from a T1-weighted head, without learned weights.
///
/// 1. The head is brought to 2 mm along the world axes; the brain is looked for in its upper 150 mm, so that a neck or
///    shoulders in the image do not pull the start away.
/// 2. A deformable surface (`BrainSurface`) grows to the rim of the brain, twice: the first result gives a better centre
///    and size for the second.
/// 3. Flooding from the middle of the brain and from the scalp (`Watershed`) gives back lobes the surface has missed and
///    takes away what it has wrongly included.
/// 4. At full resolution the mask keeps what is connected and bright as tissue, and the fluid in folds and ventricles.
///
/// An image without skull is recognised and its own extent is the mask.
package enum BrainExtraction {
    package struct Parameters: Sendable {
        /// Threshold of the surface between dark and bright (0…1); larger gives a smaller brain.
        package var fraction = 0.5
        /// Folds narrower than twice this count as inside the brain.
        package var closingMillimetres = 4.0
        package init() {}
    }

    package struct Result: Sendable {
        package var mask: Mask
        /// Whether the image came without skull, so that the mask is merely where it is not empty.
        package var wasStripped: Bool
        package var volumeMillilitres: Double
    }

    /// - Parameters:
    ///   - image: T1-weighted, any grid; values that are not finite count as 0.
    ///   - threads: how many threads to use; the result does not depend on it.
    /// - Throws: `BrainExtractionError` when there is no head to be seen.
    package static func mask(
        of image: Volume, _ parameters: Parameters = Parameters(), threads: Int = 1
    ) throws -> Result {
        var image = image
        for index in image.values.indices where !image.values[index].isFinite { image.values[index] = 0 }
        if let mask = strippedMask(image, threads: threads) { return Result(mask, wasStripped: true) }
        let working = try WorkingImage(image, threads: threads)
        let surface = try working.surface(parameters)
        let rough = try surface.mask(on: image.grid)
        return try Result(
            refine(rough, basin: try working.basin(of: rough, threads: threads), image, parameters, threads: threads),
            wasStripped: false)
    }
}

package enum BrainExtractionError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Too little of the image is brighter than its background.
    case noHead

    package var description: String {
        switch self {
        case .noHead:
            "the image shows no head (hardly a voxel is brighter than the background); check that it is a T1w image"
        }
    }
}

extension BrainExtraction.Result {
    fileprivate init(_ mask: Mask, wasStripped: Bool) {
        self.init(
            mask: mask, wasStripped: wasStripped,
            volumeMillilitres: Double(mask.voxels) * mask.grid.voxelVolumeCubicMillimetres / 1000)
    }
}

/// The head at 2 mm along the world axes.
private struct WorkingImage {
    private static let spacing = 2.0
    private static let brainHeight = 150.0

    let volume: Volume
    /// Voxels within the original image.
    private let seen: Mask
    private let head: Mask
    /// Voxels of the head's upper part.
    private let upper: Mask
    private var levels: BrainSurface.Levels

    init(_ image: Volume, threads: Int) throws {
        let grid = image.grid
        var low = SIMD3<Double>(repeating: .infinity)
        var high = SIMD3<Double>(repeating: -.infinity)
        for corner in 0..<8 {
            let p = grid.affine(
                SIMD3(
                    corner & 1 == 0 ? 0 : Double(grid.nx - 1), corner & 2 == 0 ? 0 : Double(grid.ny - 1),
                    corner & 4 == 0 ? 0 : Double(grid.nz - 1)))
            for a in 0..<3 { (low[a], high[a]) = (min(low[a], p[a]), max(high[a], p[a])) }
        }
        let size = ((high - low) / Self.spacing).rounded(.up)
        let target = VoxelGrid(
            nx: Int(size.x) + 1, ny: Int(size.y) + 1, nz: Int(size.z) + 1,
            affine: .translation(low) * .scaling(SIMD3(repeating: Self.spacing)))
        volume = try image.smoothed(sigmaMillimetres: 1, threads: threads).resampled(to: target, threads: threads)

        seen = try Mask(grid: grid, filledWith: 1).resampled(to: target, threads: threads)
        let positive = Mask(grid: target, values: volume.values.map { $0 > 0 ? 1 : 0 })
        guard let ends = try volume.percentiles([2, 98], within: positive), ends[0] < ends[1] else {
            throw BrainExtractionError.noHead
        }
        let (dark, bright) = (Double(ends[0]), Double(ends[1]))
        let threshold = dark + 0.1 * (bright - dark)
        let head = Mask(grid: target, values: volume.values.map { Double($0) > threshold ? 1 : 0 }).largestComponent()
        // The top of the head: the highest slice with 20 cm² of it.
        let plane = target.nx * target.ny
        let areas = (0..<target.nz).map { k in head.values[k * plane..<(k + 1) * plane].reduce(0) { $0 + Int($1) } }
        guard let top = areas.lastIndex(where: { Double($0) * Self.spacing * Self.spacing >= 2000 }) else {
            throw BrainExtractionError.noHead
        }
        let bottom = top - Int(Self.brainHeight / Self.spacing)
        var upper = head
        for index in 0..<max(0, bottom) * plane { upper.values[index] = 0 }
        (self.head, self.upper) = (head.holesFilledBySlice(), upper)
        levels = BrainSurface.Levels(low: dark, high: bright, head: threshold, brain: bright)
    }

    /// The surface at the threshold, near the wanted one, that gives the most brain-like result.
    ///
    /// Each threshold is tried on a coarse mesh from the middle of the upper head. The best of these gives the centre and
    /// size from which the fine mesh starts.
    func surface(_ parameters: BrainExtraction.Parameters) throws -> BrainSurface {
        let image = SurfaceImage(volume)
        let start = ball(upper, weighted: true)
        let startLevels = levels(start.0, start.1)
        var p = BrainSurface.Parameters()
        var best: (fraction: Double, score: Double, centre: SIMD3<Double>, radius: Double)?
        for shift in [0, -0.1, 0.1, 0.2] {
            p.fraction = min(0.95, max(0.05, parameters.fraction + shift))
            p.iterations = 400
            var surface = BrainSurface(centre: start.0, radius: start.1 / 2, subdivisions: 3)
            surface.evolve(in: image, levels: startLevels, p)
            let (centre, radius) = ball(try surface.mask(on: volume.grid), weighted: false)
            let millilitres = 4 / 3 * Double.pi * radius * radius * radius / 1000
            let range = Self.plausibleMillilitres
            let excess = max(1, millilitres / range.upperBound, range.lowerBound / max(1, millilitres))
            let score = surface.darkRimShare(in: image, levels: startLevels) / (excess * excess * excess)
            // The wanted threshold comes first and stays unless another is clearly better.
            if best == nil || score > best!.score + 0.05 { best = (p.fraction, score, centre, radius) }
        }
        let (fraction, _, centre, radius) = best!
        p.fraction = fraction
        p.iterations = 1000
        var surface = BrainSurface(centre: centre, radius: radius / 2, subdivisions: 4)
        surface.evolve(in: image, levels: levels(centre, radius), p)
        return surface
    }

    /// What a surface around a brain and its fluid encloses.
    private static let plausibleMillilitres = 800.0...1900.0

    /// The part of the head that bright paths tie to the middle of the brain rather than to the scalp and face.
    ///
    /// A fold or a horn of a ventricle can hold the surface back, so that a lobe stays outside, and an eye can draw it out.
    func basin(of rough: Mask, threads: Int) throws -> Mask {
        let grid = volume.grid
        let inside = try rough.resampled(to: grid, threads: threads)
        let (centre, radius) = ball(inside, weighted: false)
        let levels = levels(centre, radius)
        let span = levels.brain - levels.low
        let brightness = volume.values.map { UInt8(min(255, max(0, 255 * (Double($0) - levels.low) / span))) }
        // The rest of the head: its outer 6 mm, which are scalp and skull, and the edge of the image away from the surface
        // (where the image cuts through the head, there may be brain).
        let air = Mask(
            grid: grid, values: head.values.indices.map { seen.values[$0] != 0 && head.values[$0] == 0 ? 1 : 0 })
        let rim = air.dilated(radiusMillimetres: 6, threads: threads)
        let edge = seen.complement.dilated(radiusMillimetres: 2, threads: threads)
        let near = inside.dilated(radiusMillimetres: 6, threads: threads)
        // Nothing of the brain lies far below the surface; the spinal cord and the neck do.
        let plane = grid.nx * grid.ny
        let lowest = (0..<grid.nz).first { k in inside.values[k * plane..<(k + 1) * plane].contains(1) } ?? 0
        let floor = lowest - Int(10 / Self.spacing)
        // The brain: deep inside the surface and at least as bright as its median, in one piece.
        var deep = inside.eroded(radiusMillimetres: 10, threads: threads)
        for index in deep.values.indices
        where Double(volume.values[index]) < levels.brain || rim.values[index] != 0 {
            deep.values[index] = 0
        }
        var markers = deep.largestComponent().values
        for k in 0..<grid.nz {
            for j in 0..<grid.ny {
                for i in 0..<grid.nx {
                    let index = grid.index(i, j, k)
                    guard markers[index] == 0 else { continue }
                    let border = i == 0 || j == 0 || i == grid.nx - 1 || j == grid.ny - 1 || k == grid.nz - 1
                    let cut = (border || edge.values[index] != 0) && near.values[index] == 0
                    if cut || k <= floor || rim.values[index] != 0 { markers[index] = 2 }
                }
            }
        }
        let flooded = Watershed.flood(brightness, markers: markers, grid: grid)
        return Mask(grid: grid, values: flooded.map { $0 == 1 ? 1 : 0 })
    }

    /// Centre of gravity and radius of the ball of equal volume.
    private func ball(_ mask: Mask, weighted: Bool) -> (SIMD3<Double>, Double) {
        let grid = volume.grid
        var (sum, total, count) = (SIMD3<Double>.zero, 0.0, 0)
        for k in 0..<grid.nz {
            for j in 0..<grid.ny {
                for i in 0..<grid.nx where mask.values[grid.index(i, j, k)] != 0 {
                    let value = weighted ? min(Double(volume.values[grid.index(i, j, k)]), levels.high) : 1
                    sum += value * SIMD3(Double(i), Double(j), Double(k))
                    total += value
                    count += 1
                }
            }
        }
        let volume = Double(count) * grid.voxelVolumeCubicMillimetres
        return (grid.affine(sum / max(total, 1e-9)), cbrt(3 * volume / (4 * .pi)))
    }

    /// The levels with the median inside a ball as that of the brain.
    private func levels(_ centre: SIMD3<Double>, _ radius: Double) -> BrainSurface.Levels {
        let grid = volume.grid
        var inside = Mask(grid: grid)
        for k in 0..<grid.nz {
            for j in 0..<grid.ny {
                for i in 0..<grid.nx {
                    let index = grid.index(i, j, k)
                    let d = grid.affine(SIMD3(Double(i), Double(j), Double(k))) - centre
                    let value = Double(volume.values[index])
                    if (d * d).sum() <= radius * radius && value > levels.low && value < levels.high {
                        inside.values[index] = 1
                    }
                }
            }
        }
        var result = levels
        if let median = OrderStatistics.percentiles([50], of: volume.values, where: inside.values)?[0] {
            result.brain = Double(median)
        }
        return result
    }
}
