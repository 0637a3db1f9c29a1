import Kernels

/// One of the two images, with what the search needs to know of it.
struct RegistrationImage {
    let name: String
    let volume: Volume
    /// The mask given by the caller, or the foreground found here.
    let region: Mask
    /// The mask given by the caller, or the brain itself when the image holds nothing else; nil for a whole head.
    let brain: Mask?
    /// Whether the image came with nothing around the brain.
    let isStripped: Bool
    /// Whether the region ends where the brain does, without a rim.
    let hasTightRegion: Bool
    /// 0.5th and 99.5th percentile within the region; intensities beyond count as these.
    let range: ClosedRange<Float>
    /// World mm of the intensity-weighted middle of the region.
    let centreOfMass: SIMD3<Double>

    /// - Parameters:
    ///   - volume: every value finite.
    ///   - mask: on the grid of `volume`.
    /// - Throws: `RegistrationError` when there is nothing to register.
    init(_ volume: Volume, mask: Mask?, name: String, threads: Int) throws {
        (self.name, self.volume) = (name, volume)
        hasTightRegion = mask != nil
        let content = Self.strippedContent(volume)
        isStripped = content != nil
        brain = mask ?? content
        region = try mask ?? Self.foreground(volume, name: name, threads: threads)
        let voxels = region.voxels
        guard voxels >= 64 else { throw RegistrationError.emptyMask(name: name, voxels: voxels) }
        guard let ends = try volume.percentiles([0.5, 99.5], within: brain ?? region), ends[0] < ends[1] else {
            throw RegistrationError.noContrast(name: name)
        }
        range = ends[0]...ends[1]
        centreOfMass = Self.centreOfMass(volume, region, range)
    }

    private init(cutFrom image: RegistrationImage, brain: Mask, threads: Int) throws {
        name = image.name
        let (low, high) = (image.range.lowerBound, image.range.upperBound)
        // A shade of its own for what was cut away, apart from the darkest tissue.
        let shade = low - 0.15 * (high - low)
        var values = image.volume.values
        for n in values.indices where brain.values[n] == 0 { values[n] = shade }
        volume = Volume(grid: image.volume.grid, values: values)
        range = shade...high
        region = try Self.widened(brain, threads: threads)
        (self.brain, isStripped, hasTightRegion, centreOfMass) = (brain, true, false, image.centreOfMass)
    }

    /// The brain alone, with a rim of nothing that counts too; the image as it is when its brain is not known.
    ///
    /// Without the rim a position in which half of the brain falls on the nothing around the other brain looks good:
    /// inside and outside are then two classes as distinct as any.
    func cut(threads: Int) throws -> RegistrationImage {
        guard let brain else { return self }
        return try RegistrationImage(cutFrom: self, brain: brain, threads: threads)
    }

    /// Where the image is not its one background value, when that is no more than a brain: nil for a whole head.
    private static func strippedContent(_ volume: Volume) -> Mask? {
        guard let background = volume.range?.lowerBound else { return nil }
        let content = Mask(grid: volume.grid, values: volume.values.map { $0 == background ? 0 : 1 })
        let millilitres = Double(content.voxels) * volume.grid.voxelVolumeCubicMillimetres / 1000
        // Brains have up to 2 litres; heads, even with the face removed, well over 2.5.
        return millilitres < 2300 && 2 * content.voxels < volume.grid.count ? content : nil
    }

    /// A mask and 8 mm around it, made on a coarse grid.
    private static func widened(_ mask: Mask, threads: Int) throws -> Mask {
        try mask.resampled(to: Pyramid.coarseGrid(mask.grid, 4), threads: threads)
            .dilated(radiusMillimetres: 8, threads: threads).resampled(to: mask.grid, threads: threads)
    }

    /// The head or brain against the dark around it, with a rim of 8 mm so that its outline counts too.
    private static func foreground(_ volume: Volume, name: String, threads: Int) throws -> Mask {
        let coarse = try Pyramid.coarse(volume, 4, threads: threads)
        guard let threshold = try coarse.otsuThreshold() else { throw RegistrationError.noContrast(name: name) }
        // Half of Otsu's threshold keeps dark tissue; the largest piece drops noise and wrap-around.
        let tissue = Mask(grid: coarse.grid, values: coarse.values.map { $0 > threshold / 2 ? 1 : 0 })
        return try tissue.largestComponent(.faces).holesFilled().dilated(radiusMillimetres: 8, threads: threads)
            .resampled(to: volume.grid, threads: threads)
    }

    private static func centreOfMass(_ volume: Volume, _ region: Mask, _ range: ClosedRange<Float>) -> SIMD3<Double> {
        let grid = volume.grid
        var (sum, total) = (SIMD3<Double>(), 0.0)
        for k in 0..<grid.nz {
            for j in 0..<grid.ny {
                var (rowSum, rowTotal) = (0.0, 0.0)
                let row = grid.index(0, j, k)
                for i in 0..<grid.nx where region.values[row + i] != 0 {
                    let value = Double(min(max(volume.values[row + i], range.lowerBound), range.upperBound))
                    let w = value - Double(range.lowerBound)
                    rowSum += w * Double(i)
                    rowTotal += w
                }
                sum += SIMD3(rowSum, rowTotal * Double(j), rowTotal * Double(k))
                total += rowTotal
            }
        }
        return total > 0 ? grid.affine(sum / total) : grid.centre
    }
}
