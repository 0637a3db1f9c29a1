import Kernels

/// Local intensity (IBSI family 9ST6): the mean within 1 cm³ around a voxel. Voxels outside the region count too.
package enum LocalIntensity {
    package static let tags = ["loc_peak_loc", "loc_peak_glob"]

    /// Radius in mm of a sphere of 1 cm³.
    package static let radiusMillimetres = 6.203504908994

    /// In the order of `tags`: around the voxel with the highest value (the highest mean where several share it), and the
    /// highest mean around any voxel of the region; NaN for an empty region.
    ///
    /// - Parameters:
    ///   - region: its intensity mask is looked at.
    ///   - image: the image that the region was cut from.
    ///   - scale: factor on the values of the image, as in the region.
    package static func measure(_ region: RegionImage, in image: Volume, scale: Double = 1) -> [Double] {
        let grid = image.grid
        let voxels = region.voxels
        guard let highest = voxels.map({ region.values[$0] }).max() else { return [.nan, .nan] }
        let rows = sphereRows(region.spacingMillimetres)
        var (local, global) = (-Double.infinity, -Double.infinity)
        for voxel in voxels {
            let centre =
                SIMD3(
                    voxel % region.size.x, voxel / region.size.x % region.size.y, voxel / region.sliceStride)
                &+ region.lower
            var (count, sum) = (0, 0.0)
            for row in rows {
                let (j, k) = (centre.y + row.dj, centre.z + row.dk)
                guard j >= 0, j < grid.ny, k >= 0, k < grid.nz else { continue }
                let start = grid.index(0, j, k)
                let (from, to) = (max(0, centre.x - row.reach), min(grid.nx - 1, centre.x + row.reach))
                for i in from...to {
                    let value = Double(image.values[start + i])
                    guard value.isFinite else { continue }
                    sum += value
                    count += 1
                }
            }
            let mean = sum / Double(count) * scale
            global = max(global, mean)
            if region.values[voxel] == highest { local = max(local, mean) }
        }
        return [local, global]
    }

    /// Rows of the voxels whose centres lie within the sphere.
    private static func sphereRows(_ spacing: SIMD3<Double>) -> [(dj: Int, dk: Int, reach: Int)] {
        let (ry, rz) = (Int(radiusMillimetres / spacing.y), Int(radiusMillimetres / spacing.z))
        var rows: [(dj: Int, dk: Int, reach: Int)] = []
        for dk in -rz...rz {
            for dj in -ry...ry {
                let y = Double(dj) * spacing.y
                let z = Double(dk) * spacing.z
                let left = radiusMillimetres * radiusMillimetres - y * y - z * z
                if left >= 0 { rows.append((dj, dk, Int(left.squareRoot() / spacing.x))) }
            }
        }
        return rows
    }
}
