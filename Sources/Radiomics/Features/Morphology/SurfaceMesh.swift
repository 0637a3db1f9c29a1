/// The surface of a mask as triangles: its area, the volume it encloses, and its vertices.
package struct SurfaceMesh: Sendable {
    package var volumeCubicMillimetres = 0.0
    package var areaSquareMillimetres = 0.0
    /// Different vertices, in half voxels of the box of the region: whole numbers, so that geometry on them is exact.
    package var vertices: [SIMD3<Int>] = []

    /// The surface around the morphological mask.
    package init(_ region: RegionImage, _ convention: CubeTriangles.Convention = .watertight) {
        let table = convention == .watertight ? CubeTriangles.watertight : CubeTriangles.complement
        let size = region.size
        let mask = region.morphologicalMask
        let cornerSteps = CubeTriangles.corners.map { $0.x + size.x * ($0.y + size.y * $0.z) }
        let half = region.spacingMillimetres / 2
        // Each vertex is the middle of one edge: of the voxel it starts at and the axis it runs along.
        var isTaken = [Bool](repeating: false, count: 3 * region.count)
        for k in 0..<size.z - 1 {
            for j in 0..<size.y - 1 {
                for i in 0..<size.x - 1 {
                    let voxel = i + size.x * (j + size.y * k)
                    var index = 0
                    for corner in 0..<8 where mask[voxel + cornerSteps[corner]] != 0 { index |= 1 << corner }
                    guard index != 0, index != 255 else { continue }
                    let edges = table.edges[index]
                    let origin = SIMD3(2 * i, 2 * j, 2 * k)
                    for n in stride(from: 0, to: edges.count, by: 3) {
                        let a = origin &+ CubeTriangles.edgeMiddles[edges[n]]
                        let b = origin &+ CubeTriangles.edgeMiddles[edges[n + 1]]
                        let c = origin &+ CubeTriangles.edgeMiddles[edges[n + 2]]
                        let (p, q, r) = (SIMD3<Double>(a) * half, SIMD3<Double>(b) * half, SIMD3<Double>(c) * half)
                        volumeCubicMillimetres += (cross(p, q) * r).sum() / 6
                        let normal = cross(p - r, q - r)
                        areaSquareMillimetres += 0.5 * (normal * normal).sum().squareRoot()
                        for vertex in [a, b, c] {
                            let axis = vertex.x & 1 != 0 ? 0 : vertex.y & 1 != 0 ? 1 : 2
                            let place = 3 * (vertex.x / 2 + size.x * (vertex.y / 2 + size.y * (vertex.z / 2))) + axis
                            if !isTaken[place] {
                                isTaken[place] = true
                                vertices.append(vertex)
                            }
                        }
                    }
                }
            }
        }
        volumeCubicMillimetres = abs(volumeCubicMillimetres)
    }
}

func cross(_ a: SIMD3<Double>, _ b: SIMD3<Double>) -> SIMD3<Double> {
    SIMD3(a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x)
}
