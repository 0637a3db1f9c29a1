import Foundation

/// Shape of a region (IBSI family HCUG), from its morphological mask.
package enum MorphologicalFeatures {
    package static let tags = [
        "morph_volume", "morph_vol_approx", "morph_area_mesh", "morph_av", "morph_comp_1", "morph_comp_2",
        "morph_sph_dispr", "morph_sphericity", "morph_asphericity", "morph_com", "morph_diam", "morph_pca_maj_axis",
        "morph_pca_min_axis", "morph_pca_least_axis", "morph_pca_elongation", "morph_pca_flatness",
        "morph_vol_dens_aabb", "morph_area_dens_aabb", "morph_vol_dens_aee", "morph_area_dens_aee",
        "morph_vol_dens_conv_hull", "morph_area_dens_conv_hull", "morph_integ_int", "morph_moran_i", "morph_geary_c",
    ]

    /// In the order of `tags`; NaN where a feature does not exist.
    package static func measure(_ region: RegionImage) -> [Double] {
        let mesh = SurfaceMesh(region)
        let (volume, area) = (mesh.volumeCubicMillimetres, mesh.areaSquareMillimetres)
        let sphereVolume = 36 * Double.pi * volume * volume
        let half = region.spacingMillimetres / 2
        let hull = ConvexHull(mesh.vertices)
        let hullSize = hull.measure(scale: half)
        let axes = PrincipalAxes(region, unbiased: true)
        let box = boundingBox(mesh.vertices, half)
        let boxArea = 2 * (box.x * box.y + box.y * box.z + box.z * box.x)
        let intensities = region.intensities
        let mean = intensities.isEmpty ? .nan : intensities.reduce(0, +) / Double(intensities.count)
        let (moran, geary) = SpatialAutocorrelation.measure(region)
        return [
            volume, Double(region.morphologicalVoxels.count) * region.voxelVolumeCubicMillimetres, area, area / volume,
            volume / (Double.pi.squareRoot() * pow(area, 1.5)), sphereVolume / pow(area, 3),
            area / cbrt(sphereVolume), cbrt(sphereVolume) / area, area / cbrt(sphereVolume) - 1, centreShift(region),
            ConvexHull.diameter(of: hull.corners, scale: half), axes.lengths.x, axes.lengths.y, axes.lengths.z,
            axes.elongation,
            axes.flatness, volume / (box.x * box.y * box.z), area / boxArea, volume / axes.ellipsoidVolume,
            area / axes.ellipsoidArea, volume / hullSize.volume, area / hullSize.area, mean * volume, moran, geary,
        ]
    }

    private static func boundingBox(_ vertices: [SIMD3<Int>], _ scale: SIMD3<Double>) -> SIMD3<Double> {
        guard let first = vertices.first else { return SIMD3(repeating: .nan) }
        let lower = vertices.reduce(first) { pointwiseMin($0, $1) }
        let upper = vertices.reduce(first) { pointwiseMax($0, $1) }
        return SIMD3<Double>(upper &- lower) * scale
    }

    /// mm between the centre of the voxels and their centre weighted by intensity.
    private static func centreShift(_ region: RegionImage) -> Double {
        func place(_ voxel: Int) -> SIMD3<Double> {
            SIMD3(
                Double(voxel % region.size.x), Double(voxel / region.size.x % region.size.y),
                Double(voxel / region.sliceStride)) * region.spacingMillimetres
        }
        let all = region.morphologicalVoxels
        let centre = all.reduce(SIMD3<Double>.zero) { $0 + place($1) } / Double(all.count)
        var (weight, sum) = (0.0, SIMD3<Double>.zero)
        for voxel in region.voxels {
            weight += region.values[voxel]
            sum += region.values[voxel] * place(voxel)
        }
        let shift = sum / weight - centre
        return (shift * shift).sum().squareRoot()
    }
}
