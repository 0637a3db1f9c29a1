import Foundation

/// Shape as PyRadiomics measures it.
enum PyRadiomicsShape {
    static let names = [
        "Elongation", "Flatness", "LeastAxisLength", "MajorAxisLength", "Maximum2DDiameterColumn",
        "Maximum2DDiameterRow", "Maximum2DDiameterSlice", "Maximum3DDiameter", "MeshVolume", "MinorAxisLength",
        "Sphericity", "SurfaceArea", "SurfaceVolumeRatio", "VoxelVolume",
    ]

    /// In the order of `names`; NaN where a feature does not exist.
    static func measure(_ region: RegionImage) -> [Double] {
        let mesh = SurfaceMesh(region, .complement)
        let (volume, area) = (mesh.volumeCubicMillimetres, mesh.areaSquareMillimetres)
        let half = region.spacingMillimetres / 2
        let axes = PrincipalAxes(region, unbiased: false)
        return [
            axes.elongation, axes.flatness, axes.lengths.z, axes.lengths.x,
            flatDiameter(mesh.vertices, half, across: 1),
            flatDiameter(mesh.vertices, half, across: 0), flatDiameter(mesh.vertices, half, across: 2),
            MorphologicalFeatures.largestDistance(ConvexHull(mesh.vertices).corners, half), volume, axes.lengths.y,
            cbrt(36 * Double.pi * volume * volume) / area, area, area / volume,
            Double(region.morphologicalVoxels.count) * region.voxelVolumeCubicMillimetres,
        ]
    }

    /// Largest distance in mm between two vertices of one plane across an axis.
    private static func flatDiameter(_ vertices: [SIMD3<Int>], _ scale: SIMD3<Double>, across axis: Int) -> Double {
        let along = (axis + 1) % 3
        let other = (axis + 2) % 3
        // Of each row of a plane only the two outermost vertices matter.
        var rows: [SIMD2<Int>: (Int, Int)] = [:]
        for vertex in vertices {
            let row = SIMD2(vertex[axis], vertex[other])
            let place = vertex[along]
            let known = rows[row] ?? (place, place)
            rows[row] = (min(known.0, place), max(known.1, place))
        }
        var planes: [Int: [SIMD2<Double>]] = [:]
        for (row, ends) in rows {
            for end in [ends.0, ends.1] {
                planes[row.x, default: []].append(
                    SIMD2(Double(end) * scale[along], Double(row.y) * scale[other]))
            }
        }
        var largest = 0.0
        for points in planes.values {
            for a in points.indices {
                for b in 0..<a {
                    let d = points[a] - points[b]
                    largest = max(largest, (d * d).sum())
                }
            }
        }
        return largest.squareRoot()
    }
}
