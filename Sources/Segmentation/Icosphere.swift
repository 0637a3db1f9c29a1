/// A closed triangle mesh of equal-sized facets: an icosahedron whose edges are halved again and again.
struct Icosphere {
    /// Unit vectors.
    var vertices: [SIMD3<Double>]
    /// Corners of each triangle, counter-clockwise from outside.
    var triangles: [SIMD3<Int32>]
    /// Neighbours of vertex v: `neighbours[starts[v]..<starts[v + 1]]`.
    var neighbours: [Int32] = []
    var starts: [Int] = []

    /// - Parameter subdivisions: 4 gives 2562 vertices and 5120 triangles.
    init(subdivisions: Int) {
        let g = (1 + 5.0.squareRoot()) / 2
        vertices = [
            [-1, g, 0], [1, g, 0], [-1, -g, 0], [1, -g, 0], [0, -1, g], [0, 1, g], [0, -1, -g], [0, 1, -g],
            [g, 0, -1], [g, 0, 1], [-g, 0, -1], [-g, 0, 1],
        ].map { (v: SIMD3<Double>) in v / (v * v).sum().squareRoot() }
        triangles = [
            [0, 11, 5], [0, 5, 1], [0, 1, 7], [0, 7, 10], [0, 10, 11], [1, 5, 9], [5, 11, 4], [11, 10, 2], [10, 7, 6],
            [7, 1, 8], [3, 9, 4], [3, 4, 2], [3, 2, 6], [3, 6, 8], [3, 8, 9], [4, 9, 5], [2, 4, 11], [6, 2, 10],
            [8, 6, 7], [9, 8, 1],
        ]
        for _ in 0..<subdivisions { subdivide() }
        connect()
    }

    private mutating func subdivide() {
        var middles: [UInt64: Int32] = [:]
        var finer: [SIMD3<Int32>] = []
        finer.reserveCapacity(4 * triangles.count)
        for t in triangles {
            let a = middle(t.x, t.y, &middles)
            let b = middle(t.y, t.z, &middles)
            let c = middle(t.z, t.x, &middles)
            finer += [[t.x, a, c], [t.y, b, a], [t.z, c, b], [a, b, c]]
        }
        triangles = finer
    }

    private mutating func middle(_ p: Int32, _ q: Int32, _ known: inout [UInt64: Int32]) -> Int32 {
        let key = UInt64(UInt32(min(p, q))) << 32 | UInt64(UInt32(max(p, q)))
        if let vertex = known[key] { return vertex }
        let sum = vertices[Int(p)] + vertices[Int(q)]
        vertices.append(sum / (sum * sum).sum().squareRoot())
        known[key] = Int32(vertices.count - 1)
        return Int32(vertices.count - 1)
    }

    private mutating func connect() {
        var lists = [[Int32]](repeating: [], count: vertices.count)
        for t in triangles {
            for (a, b) in [(t.x, t.y), (t.y, t.z), (t.z, t.x)] {
                if !lists[Int(a)].contains(b) { lists[Int(a)].append(b) }
                if !lists[Int(b)].contains(a) { lists[Int(b)].append(a) }
            }
        }
        starts = [0]
        for list in lists {
            neighbours += list
            starts.append(neighbours.count)
        }
    }
}
