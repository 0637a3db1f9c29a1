import Kernels

/// One of the two images, with what the search needs to know of it.
struct RegistrationImage {
    let name: String
    let volume: Volume
    /// The mask given by the caller, or the foreground found here.
    let region: Mask
    let isMasked: Bool
    /// 0.5th and 99.5th percentile within the region; intensities beyond count as these.
    let range: ClosedRange<Float>
    /// World mm of the intensity-weighted middle of the region.
    let centreOfMass: SIMD3<Double>

    /// - Throws: `RegistrationError` when there is nothing to register, `GridError` for a mask on another grid.
    init(_ volume: Volume, mask: Mask?, name: String, threads: Int) throws {
        guard volume.grid.affine.inverse != nil else { throw GridError.singularAffine(name) }
        let clean =
            volume.values.allSatisfy(\.isFinite)
            ? volume : Volume(grid: volume.grid, values: volume.values.map { $0.isFinite ? $0 : 0 })
        (self.name, self.volume, isMasked) = (name, clean, mask != nil)
        if let mask {
            guard mask.grid.matches(volume.grid) else {
                throw GridError.mismatch(
                    first: name, firstGrid: volume.grid, second: "its mask", secondGrid: mask.grid)
            }
            region = mask
        } else {
            region = try Self.foreground(clean, name: name, threads: threads)
        }
        let voxels = region.voxels
        guard voxels >= 64 else { throw RegistrationError.emptyMask(name: name, voxels: voxels) }
        guard let ends = try clean.percentiles([0.5, 99.5], within: region), ends[0] < ends[1] else {
            throw RegistrationError.noContrast(name: name)
        }
        range = ends[0]...ends[1]
        centreOfMass = Self.centreOfMass(clean, region, range)
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
