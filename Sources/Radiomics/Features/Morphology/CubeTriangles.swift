/// The surface between the corners of a cube that are inside a mask and those that are outside: marching cubes (Lorensen
/// & Cline, Computer Graphics 21 (1987) 163–169), with the surface half-way along an edge, as the masks are binary.
///
/// The triangles of the 256 cases are made here rather than listed. On each face of the cube a segment cuts off every run
/// of inside corners, from the edge where the boundary enters the run to the edge where it leaves it; the segments of all
/// faces join to closed loops; each loop becomes a fan of triangles. Two inside corners across a face are cut off one by
/// one, so that the neighbouring cube agrees and the surface has no holes.
package struct CubeTriangles: Sendable {
    package enum Convention: Sendable {
        /// Cases as they are: closed surfaces.
        case watertight
        /// As PyRadiomics: a case with corner 7 inside takes the triangles of its complement, turned round. Where inside
        /// corners meet across a face this leaves small holes, whose effect on the volume is part of its definition.
        case complement
    }

    /// For each case (bit c set: corner c is inside) the edges of its triangles, three by three, seen from inside in
    /// clockwise order.
    package let edges: [[Int]]

    /// Corners as steps along i, j, k.
    package static let corners: [SIMD3<Int>] = [
        SIMD3(0, 0, 0), SIMD3(1, 0, 0), SIMD3(1, 1, 0), SIMD3(0, 1, 0),
        SIMD3(0, 0, 1), SIMD3(1, 0, 1), SIMD3(1, 1, 1), SIMD3(0, 1, 1),
    ]

    /// The two corners of each edge.
    package static let edgeCorners: [(Int, Int)] = [
        (0, 1), (1, 2), (2, 3), (3, 0), (4, 5), (5, 6), (6, 7), (7, 4), (0, 4), (1, 5), (2, 6), (3, 7),
    ]

    /// Middles of the edges, in half voxels from corner 0.
    package static let edgeMiddles: [SIMD3<Int>] = edgeCorners.map { corners[$0.0] &+ corners[$0.1] }

    /// Corners of the faces, all in the same sense of rotation seen from outside.
    private static let faces = [
        [0, 1, 2, 3], [4, 7, 6, 5], [0, 4, 5, 1], [1, 5, 6, 2], [2, 6, 7, 3], [3, 7, 4, 0],
    ]

    /// Where the fan of a loop of five or more edges starts, counted from its lowest edge, for the cases 0 to 127; no case
    /// has two such loops. The area of a loop that is not flat depends on it; these starts give the areas of PyRadiomics.
    private static let fanStarts = Array(
        ("00000001000101200000000001000222000100100002011102100222011000000000000200011001000000030100130200011100000026"
            + "002000010024003000").utf8
    ).map { Int($0) - 48 }

    package static let watertight = CubeTriangles(.watertight)
    package static let complement = CubeTriangles(.complement)

    private init(_ convention: Convention) {
        var edges: [[Int]] = []
        for index in 0..<256 {
            if convention == .complement, index & 128 != 0 {
                let reversed: [[Int]] = Self.loops(of: 255 - index).map { $0.reversed() }
                edges.append(Self.fans(reversed, Self.start(of: 255 - index)))
            } else {
                edges.append(Self.fans(Self.loops(of: index), Self.start(of: min(index, 255 - index))))
            }
        }
        self.edges = edges
    }

    /// The edge at which the fan of a long loop starts, for the cases 0 to 127 and their complements; nil without one.
    private static func start(of index: Int) -> Int? {
        loops(of: index).first { $0.count >= 5 }.map { $0[fanStarts[index]] }
    }

    private static func fans(_ loops: [[Int]], _ start: Int?) -> [Int] {
        var result: [Int] = []
        for loop in loops {
            let count = loop.count
            let first = count >= 5 ? start.flatMap { loop.firstIndex(of: $0) } ?? 0 : 0
            for step in 1..<count - 1 {
                result += [loop[first], loop[(first + step) % count], loop[(first + step + 1) % count]]
            }
        }
        return result
    }

    /// Closed loops of edges around the inside corners, each starting with its lowest edge.
    private static func loops(of index: Int) -> [[Int]] {
        func isInside(_ corner: Int) -> Bool { index >> corner & 1 != 0 }
        func edge(_ a: Int, _ b: Int) -> Int {
            guard let found = edgeCorners.firstIndex(where: { $0 == (a, b) || $0 == (b, a) }) else {
                preconditionFailure("corners \(a) and \(b) share no edge")
            }
            return found
        }
        var next: [Int: Int] = [:]
        for face in faces {
            for n in 0..<4 where isInside(face[n]) && !isInside(face[(n + 3) % 4]) {
                var last = n
                while isInside(face[(last + 1) % 4]) { last += 1 }
                next[edge(face[(n + 3) % 4], face[n])] = edge(face[last % 4], face[(last + 1) % 4])
            }
        }
        var result: [[Int]] = []
        while var current = next.keys.min() {
            var loop: [Int] = []
            while let following = next.removeValue(forKey: current) {
                loop.append(current)
                current = following
            }
            result.append(loop)
        }
        return result
    }
}
