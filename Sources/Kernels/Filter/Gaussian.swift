/// Separable Gaussian smoothing. Beyond the edge of the grid the outermost value repeats.
package enum Gaussian {
    /// Smooths `source` into `target`; both hold nx·ny·nz values, x fastest, and may be the same memory.
    ///
    /// - Parameters:
    ///   - scratch: as large as `source`, and other memory than both.
    ///   - taps: one kernel per axis.
    package static func smooth(
        _ source: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>,
        scratch: UnsafeMutablePointer<Float>, nx: Int, ny: Int, nz: Int,
        taps: (x: GaussianTaps, y: GaussianTaps, z: GaussianTaps), threads: Int
    ) {
        let plane = nx * ny
        // In plane: rows first, then lines while the plane is still in cache.
        Parallel.forRanges(nz, piece: 4, threads: threads) { slices in
            let padded = MutableFloats.allocate(capacity: nx + 2 * taps.x.radius + 16)
            defer { padded.deallocate() }
            for k in slices {
                taps.x.weights.withUnsafeBufferPointer { weights in
                    convolveRows(
                        source + k * plane, target + k * plane, nx, ny, weights.baseAddress!, taps.x.radius, padded)
                }
                taps.y.weights.withUnsafeBufferPointer { weights in
                    convolveLines(
                        target + k * plane, scratch + k * plane, nx, ny, nx, 0, ny, weights.baseAddress!,
                        taps.y.radius)
                }
            }
        }
        // Across planes: a few lines at a time through all planes.
        Parallel.forRanges(ny, piece: 8, threads: threads) { lines in
            taps.z.weights.withUnsafeBufferPointer { weights in
                convolveLines(
                    scratch + lines.lowerBound * nx, target + lines.lowerBound * nx, lines.count * nx, nz, plane, 0,
                    nz, weights.baseAddress!, taps.z.radius)
            }
        }
    }
}

extension Volume {
    /// Smoothed by an isotropic Gaussian.
    ///
    /// - Parameters:
    ///   - sigma: standard deviation in mm along every axis; 0 leaves the volume as it is.
    ///   - threads: how many threads to use; the result does not depend on it.
    package func smoothed(sigmaMillimetres sigma: Double, threads: Int = 1) -> Volume {
        let spacing = grid.spacingMillimetres
        return smoothed(sigmaVoxels: SIMD3(repeating: sigma) / spacing, threads: threads)
    }

    /// Smoothed by a Gaussian with a standard deviation, in voxels, for each axis.
    package func smoothed(sigmaVoxels sigma: SIMD3<Double>, threads: Int = 1) -> Volume {
        var result = Volume(grid: grid)
        let taps = (
            x: GaussianTaps(sigmaVoxels: sigma.x), y: GaussianTaps(sigmaVoxels: sigma.y),
            z: GaussianTaps(sigmaVoxels: sigma.z)
        )
        let scratch = UnsafeMutablePointer<Float>.allocate(capacity: grid.count)
        defer { scratch.deallocate() }
        values.withUnsafeBufferPointer { source in
            result.values.withUnsafeMutableBufferPointer { target in
                Gaussian.smooth(
                    source.baseAddress!, into: target.baseAddress!, scratch: scratch, nx: grid.nx, ny: grid.ny,
                    nz: grid.nz, taps: taps, threads: threads)
            }
        }
        return result
    }
}
