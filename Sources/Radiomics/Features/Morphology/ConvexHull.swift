/// The convex hull of points with whole coordinates, by adding one point after the other. All decisions are on whole
/// numbers and therefore exact, also where many points lie in one plane.
package struct ConvexHull: Sendable {
    /// Corner points, three per triangle, counter-clockwise seen from outside.
    package private(set) var triangles: [(SIMD3<Int>, SIMD3<Int>, SIMD3<Int>)] = []
    /// Points that are corners of a triangle; for points of one plane or line all points.
    package private(set) var corners: [SIMD3<Int>] = []

    package init(_ points: [SIMD3<Int>]) {
        let points = Self.extremes(points)
        corners = points
        guard let first = Self.tetrahedron(points) else { return }
        var hull = Faces(points, first)
        for n in points.indices where !first.contains(n) { hull.add(n) }
        let faces = hull.faces
        triangles = faces.map { (points[$0.a], points[$0.b], points[$0.c]) }
        corners = Set(faces.flatMap { [$0.a, $0.b, $0.c] }).sorted().map { points[$0] }
    }

    /// Up to this many points all pairs are looked at sooner than a hull is made.
    private static let largestPairwiseCount = 2000

    /// Largest distance between two of the points, in the unit of `scale`.
    package static func diameter(of points: [SIMD3<Int>], scale: SIMD3<Double>) -> Double {
        let candidates = extremes(points)
        let ends = candidates.count <= largestPairwiseCount ? candidates : ConvexHull(candidates).corners
        let places = ends.map { SIMD3<Double>($0) * scale }
        var largest = 0.0
        for a in places.indices {
            for b in 0..<a {
                let d = places[a] - places[b]
                largest = max(largest, (d * d).sum())
            }
        }
        return largest.squareRoot()
    }

    /// Volume and area with voxel sizes, in the unit of `scale`.
    package func measure(scale: SIMD3<Double>) -> (volume: Double, area: Double) {
        var (volume, area) = (0.0, 0.0)
        for (a, b, c) in triangles {
            let (p, q, r) = (SIMD3<Double>(a) * scale, SIMD3<Double>(b) * scale, SIMD3<Double>(c) * scale)
            volume += (cross(p, q) * r).sum() / 6
            let normal = cross(q - p, r - p)
            area += 0.5 * (normal * normal).sum().squareRoot()
        }
        return (abs(volume), area)
    }

    /// Leaves out points between two others of the same row along an axis, which are never corners. Sorted, so that the
    /// order in which points came does not matter.
    private static func extremes(_ points: [SIMD3<Int>]) -> [SIMD3<Int>] {
        var result = points
        for axis in 0..<3 {
            let (second, third) = ((axis + 1) % 3, (axis + 2) % 3)
            let sorted = result.sorted {
                ($0[third], $0[second], $0[axis]) < ($1[third], $1[second], $1[axis])
            }
            func isSameRow(_ a: Int, _ b: Int) -> Bool {
                sorted[a][second] == sorted[b][second] && sorted[a][third] == sorted[b][third]
            }
            result = sorted.indices.compactMap { n in
                let isBetween = n > 0 && n + 1 < sorted.count && isSameRow(n - 1, n) && isSameRow(n, n + 1)
                return isBetween ? nil : sorted[n]
            }
        }
        return result
    }

    /// Four points that are not in one plane; nil where there are none.
    private static func tetrahedron(_ points: [SIMD3<Int>]) -> [Int]? {
        guard points.count >= 4 else { return nil }
        guard let b = points.indices.max(by: { square(points[$0] &- points[0]) < square(points[$1] &- points[0]) }),
            let c = points.indices.max(by: {
                square(normal(points[0], points[b], points[$0])) < square(normal(points[0], points[b], points[$1]))
            })
        else { return nil }
        let plane = normal(points[0], points[b], points[c])
        func height(_ n: Int) -> Int { abs(dot(plane, points[n] &- points[0])) }
        guard square(plane) > 0, let d = points.indices.max(by: { height($0) < height($1) }), height(d) > 0 else {
            return nil
        }
        return [0, b, c, d]
    }

    fileprivate static func dot(_ a: SIMD3<Int>, _ b: SIMD3<Int>) -> Int { a.x * b.x + a.y * b.y + a.z * b.z }
    private static func square(_ a: SIMD3<Int>) -> Int { dot(a, a) }
    fileprivate static func normal(_ a: SIMD3<Int>, _ b: SIMD3<Int>, _ c: SIMD3<Int>) -> SIMD3<Int> {
        let (u, v) = (b &- a, c &- a)
        return SIMD3(u.y * v.z - u.z * v.y, u.z * v.x - u.x * v.z, u.x * v.y - u.y * v.x)
    }
}

/// The triangles of a hull that grows.
private struct Faces {
    struct Face {
        var a, b, c: Int
        /// Outward, not of unit length.
        var normal: SIMD3<Int>
        var offset: Int
    }

    let points: [SIMD3<Int>]
    private(set) var faces: [Face] = []

    init(_ points: [SIMD3<Int>], _ first: [Int]) {
        self.points = points
        for skipped in 0..<4 {
            let corners = (0..<4).filter { $0 != skipped }.map { first[$0] }
            var face = face(corners[0], corners[1], corners[2])
            if isVisible(face, from: first[skipped]) { face = self.face(corners[0], corners[2], corners[1]) }
            faces.append(face)
        }
    }

    private func face(_ a: Int, _ b: Int, _ c: Int) -> Face {
        let normal = ConvexHull.normal(points[a], points[b], points[c])
        return Face(a: a, b: b, c: c, normal: normal, offset: ConvexHull.dot(normal, points[a]))
    }

    private func isVisible(_ face: Face, from point: Int) -> Bool {
        ConvexHull.dot(face.normal, points[point]) > face.offset
    }

    /// Replaces the faces that a point outside sees by a cone over their border; points inside or on the hull change
    /// nothing.
    mutating func add(_ point: Int) {
        guard faces.contains(where: { isVisible($0, from: point) }) else { return }
        var seen: [Face] = []
        var kept: [Face] = []
        for face in faces {
            if isVisible(face, from: point) { seen.append(face) } else { kept.append(face) }
        }
        // An edge of the border is seen in one direction only.
        var edges = Set<SIMD2<Int>>()
        for face in seen {
            for edge in [SIMD2(face.a, face.b), SIMD2(face.b, face.c), SIMD2(face.c, face.a)] { edges.insert(edge) }
        }
        for face in seen {
            for edge in [SIMD2(face.a, face.b), SIMD2(face.b, face.c), SIMD2(face.c, face.a)]
            where !edges.contains(SIMD2(edge.y, edge.x)) {
                kept.append(self.face(edge.x, edge.y, point))
            }
        }
        faces = kept
    }
}
