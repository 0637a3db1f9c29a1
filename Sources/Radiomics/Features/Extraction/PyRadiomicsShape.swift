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
            ConvexHull.diameter(of: mesh.vertices, scale: half), volume, axes.lengths.y,
            cbrt(36 * Double.pi * volume * volume) / area, area, area / volume,
            Double(region.morphologicalVoxels.count) * region.voxelVolumeCubicMillimetres,
        ]
    }

    /// Largest distance in mm between two vertices of one plane across an axis.
    private static func flatDiameter(_ vertices: [SIMD3<Int>], _ scale: SIMD3<Double>, across axis: Int) -> Double {
        let along = (axis + 1) % 3
        let other = (axis + 2) % 3
        guard let upper = vertices.max(by: { $0[axis] < $1[axis] })?[axis],
            let width = vertices.max(by: { $0[other] < $1[other] })?[other]
        else { return 0 }
        // Of each row of a plane only the two outermost vertices matter.
        var ends = [(first: Int, last: Int)](repeating: (Int.max, Int.min), count: (upper + 1) * (width + 1))
        for vertex in vertices {
            let row = vertex[axis] * (width + 1) + vertex[other]
            ends[row] = (min(ends[row].first, vertex[along]), max(ends[row].last, vertex[along]))
        }
        var largest = 0.0
        var points: [SIMD2<Double>] = []
        for plane in 0...upper {
            points.removeAll(keepingCapacity: true)
            for row in 0...width {
                let (first, last) = ends[plane * (width + 1) + row]
                if first > last { continue }
                points.append(SIMD2(Double(first) * scale[along], Double(row) * scale[other]))
                points.append(SIMD2(Double(last) * scale[along], Double(row) * scale[other]))
            }
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
