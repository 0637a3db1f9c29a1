import Kernels

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A sphere inside the head that grows until it meets the dark rim of the brain: the deformable surface of BET.
///
/// Every vertex is moved by three forces: along the surface, to keep the vertices evenly spaced; along the normal, to keep
/// the surface smooth (more where it is sharply bent); and along the normal by the image: outwards where the darkest value
/// within some millimetres inside is bright compared with the brightest, inwards where it is dark.
///
/// - Source: Smith, Human Brain Mapping 17 (2002) 143–155.
struct BrainSurface {
    /// Numbers of the evolution; names and values as in the paper unless said otherwise.
    struct Parameters: Sendable {
        /// Fractional threshold between the local dark and bright ends (b_t): larger gives a smaller brain.
        var fraction = 0.5
        var iterations = 1000
        /// How far inside the darkest and the brightest value are looked for, mm (d₁, d₂).
        var darkReach = 20.0
        var brightReach = 10.0
        /// Radii of curvature between which smoothing sets in, mm.
        var smallestRadius = 3.33
        var largestRadius = 10.0
        /// Step of the image force as a share of the mean edge length.
        var imageStep = 0.05
    }

    /// Robust intensities of the head.
    struct Levels: Sendable {
        /// 2nd and 98th percentile, the head threshold a tenth of the way between, and the median of the brain.
        var low: Double
        var high: Double
        var head: Double
        var brain: Double
    }

    private let sphere: Icosphere
    /// World mm.
    private(set) var vertices: [SIMD3<Double>]

    init(centre: SIMD3<Double>, radius: Double, subdivisions: Int = 4) {
        sphere = Icosphere(subdivisions: subdivisions)
        vertices = sphere.vertices.map { centre + radius * $0 }
    }

    /// Lets the surface grow in an image whose axes run along the world axes.
    mutating func evolve(in image: SurfaceImage, levels: Levels, _ p: Parameters) {
        let e = (1 / p.smallestRadius + 1 / p.largestRadius) / 2
        let f = 6 / (1 / p.smallestRadius - 1 / p.largestRadius)
        var normals = [SIMD3<Double>](repeating: .zero, count: vertices.count)
        var moved = vertices
        for _ in 0..<p.iterations {
            let edge = meanEdge()
            updateNormals(&normals)
            for v in vertices.indices {
                let (x, n) = (vertices[v], normals[v])
                var mean = SIMD3<Double>.zero
                for m in sphere.starts[v]..<sphere.starts[v + 1] { mean += vertices[Int(sphere.neighbours[m])] }
                let s = mean / Double(sphere.starts[v + 1] - sphere.starts[v]) - x
                let along = (s * n).sum()
                let normalPart = along * n
                let curvature = 2 * abs(along) / (edge * edge)
                let smoothing = (1 + tanh(f * (curvature - e))) / 2
                let push = p.imageStep * edge * imageForce(at: x, n, image, levels, p)
                moved[v] = x + (s - normalPart) / 2 + smoothing * normalPart + push * n
            }
            swap(&vertices, &moved)
        }
    }

    /// −2…2: how bright the darkest value inside is, between the local ends.
    private func imageForce(
        at x: SIMD3<Double>, _ normal: SIMD3<Double>, _ image: SurfaceImage, _ levels: Levels, _ p: Parameters
    ) -> Double {
        let step = 1.0
        var (darkest, brightest) = (levels.brain, levels.head)
        var depth = step
        while depth <= p.darkReach {
            let value = image.value(at: x - depth * normal)
            darkest = min(darkest, value)
            if depth <= p.brightReach { brightest = max(brightest, value) }
            depth += step
        }
        darkest = max(darkest, levels.low)
        brightest = min(brightest, levels.brain)
        let threshold = (brightest - levels.low) * p.fraction + levels.low
        let span = brightest - levels.low
        return span > 0 ? 2 * (darkest - threshold) / span : 0
    }

    /// Share of vertices with something dark within 8 mm outside: fluid or bone around a brain. A surface that has run out
    /// into neck or face ends in the midst of bright tissue, and one that was held back has brain outside.
    func darkRimShare(in image: SurfaceImage, levels: Levels) -> Double {
        let dark = levels.low + 0.4 * (levels.brain - levels.low)
        var normals = [SIMD3<Double>](repeating: .zero, count: vertices.count)
        updateNormals(&normals)
        var count = 0
        for v in vertices.indices {
            let hasRim = stride(from: 1.0, through: 8, by: 1).contains {
                image.value(at: vertices[v] + $0 * normals[v]) < dark
            }
            if hasRim { count += 1 }
        }
        return Double(count) / Double(vertices.count)
    }

    private func meanEdge() -> Double {
        var (sum, count) = (0.0, 0)
        for v in vertices.indices {
            for m in sphere.starts[v]..<sphere.starts[v + 1] where Int(sphere.neighbours[m]) > v {
                let d = vertices[Int(sphere.neighbours[m])] - vertices[v]
                sum += (d * d).sum().squareRoot()
                count += 1
            }
        }
        return sum / Double(count)
    }

    private func updateNormals(_ normals: inout [SIMD3<Double>]) {
        for v in normals.indices { normals[v] = .zero }
        for t in sphere.triangles {
            let (a, b, c) = (vertices[Int(t.x)], vertices[Int(t.y)], vertices[Int(t.z)])
            let (p, q) = (b - a, c - a)
            let n = SIMD3(p.y * q.z - p.z * q.y, p.z * q.x - p.x * q.z, p.x * q.y - p.y * q.x)
            normals[Int(t.x)] += n
            normals[Int(t.y)] += n
            normals[Int(t.z)] += n
        }
        for v in normals.indices {
            let length = (normals[v] * normals[v]).sum().squareRoot()
            normals[v] = length > 0 ? normals[v] / length : sphere.vertices[v]
        }
    }

    /// What the surface encloses, on any grid: its triangles are drawn as a closed wall and all that no path from the edge
    /// of the grid reaches is inside.
    func mask(on grid: VoxelGrid) throws -> Mask {
        guard let toVoxel = grid.affine.inverse else { throw GridError.singularAffine("the image") }
        let points = vertices.map { toVoxel($0) }
        // A box around the whole surface, which may leave the grid where the image cuts through the brain.
        var (first, last) = (points[0], points[0])
        for p in points {
            for a in 0..<3 { (first[a], last[a]) = (min(first[a], p[a]), max(last[a], p[a])) }
        }
        func whole(_ x: SIMD3<Double>) -> SIMD3<Int> { SIMD3(Int(x.x), Int(x.y), Int(x.z)) }
        let box = grid.box(from: whole(first.rounded(.down)) &- 2, to: whole(last.rounded(.up)) &+ 3)
        var wall = Mask(grid: box.grid)
        for t in sphere.triangles {
            let (a, b, c) = (points[Int(t.x)], points[Int(t.y)], points[Int(t.z)])
            let (p, q) = (b - a, c - a)
            func length(_ d: SIMD3<Double>) -> Double { max(abs(d.x), abs(d.y), abs(d.z)) }
            // At most half a voxel between samples, so that the wall has no holes.
            let steps = max(1, Int((2 * max(length(p), length(q), length(b - c))).rounded(.up)))
            for i in 0...steps {
                for j in 0...(steps - i) {
                    let x = a + Double(i) / Double(steps) * p + Double(j) / Double(steps) * q
                    let v = whole(x.rounded(.toNearestOrAwayFromZero)) &- box.lower
                    wall.values[box.grid.index(v.x, v.y, v.z)] = 1
                }
            }
        }
        let inGrid = box.grid.box(
            from: SIMD3(repeating: 0) &- box.lower, to: SIMD3(grid.nx, grid.ny, grid.nz) &- box.lower)
        return Mask(grid: grid, values: wall.holesFilled().copied(to: inGrid).values)
    }
}

/// An image along the world axes, for quick look-ups at world positions.
struct SurfaceImage {
    private let volume: Volume
    private let origin: SIMD3<Double>
    private let perMillimetre: SIMD3<Double>

    /// - Parameter volume: with a diagonal, positive affine.
    init(_ volume: Volume) {
        let spacing = volume.grid.spacingMillimetres
        precondition(volume.grid.affine.column(0).x > 0 && volume.grid.affine.shear < 1e-9)
        (self.volume, origin, perMillimetre) = (volume, volume.grid.affine.translation, 1 / spacing)
    }

    /// The nearest voxel's value; 0 outside.
    func value(at p: SIMD3<Double>) -> Double {
        let q = (p - origin) * perMillimetre + 0.5
        let grid = volume.grid
        guard q.x >= 0, q.y >= 0, q.z >= 0, q.x < Double(grid.nx), q.y < Double(grid.ny), q.z < Double(grid.nz)
        else { return 0 }
        return Double(volume.values[grid.index(Int(q.x), Int(q.y), Int(q.z))])
    }
}
