import Kernels
import Synchronization

/// The head model sampled once on a fine grid, from which subjects are looked up quickly.
struct TemplateAnatomy: Sendable {
    let grid: VoxelGrid
    /// One `Tissue` code per voxel.
    let codes: [UInt8]
    /// Millimetres of the first voxel's centre and voxels per millimetre: the grid is straight and isotropic.
    private let origin: SIMD3<Double>
    private let perMillimetre: Double

    /// Variation within tissues that all heads share (tracts, laminae, subnuclei), mean 0 and standard deviation 1:
    /// of brightness and of susceptibility.
    let brightnessPattern: Pattern
    let susceptibilityPattern: Pattern

    /// A smooth function of template position on a 2.5 mm lattice.
    struct Pattern: Sendable {
        private static let spacing = 2.5
        private let counts: (Int, Int, Int)
        private let values: [Float]

        init(_ name: String) {
            let size = TemplateAnatomy.high - TemplateAnatomy.low
            counts = (
                Int(size.x / Self.spacing) + 2, Int(size.y / Self.spacing) + 2, Int(size.z / Self.spacing) + 2
            )
            // A fixed seed: this is anatomy, not a subject.
            var random = RandomStream(seed: 2718, name)
            values = SmoothNoise.field(counts, spacingVoxels: 5 / Self.spacing, &random)
        }

        @inline(__always)
        func value(at p: SIMD3<Double>) -> Float {
            let limit = SIMD3(Double(counts.0 - 1), Double(counts.1 - 1), Double(counts.2 - 1)) - 1e-6
            let v = pointwiseMin(
                pointwiseMax((p - TemplateAnatomy.low) / Self.spacing, SIMD3(repeating: 0)), limit)
            let (i, j, k) = (Int(v.x), Int(v.y), Int(v.z))
            let f = SIMD3<Float>(v - SIMD3(Double(i), Double(j), Double(k)))
            let (row, plane) = (counts.0, counts.0 * counts.1)
            let base = i + row * j + plane * k
            return values.withUnsafeBufferPointer { d in
                let a = d[base] + f.x * (d[base + 1] - d[base])
                let b = d[base + row] + f.x * (d[base + row + 1] - d[base + row])
                let c = d[base + plane] + f.x * (d[base + plane + 1] - d[base + plane])
                let e = d[base + row + plane] + f.x * (d[base + row + plane + 1] - d[base + row + plane])
                let lower = a + f.y * (b - a)
                let upper = c + f.y * (e - c)
                return lower + f.z * (upper - lower)
            }
        }
    }

    /// The template that cohorts are made from; rendered at first use and kept, as it takes seconds.
    static func standard(threads: Int) -> TemplateAnatomy {
        kept.withLock { kept in
            if let kept { return kept }
            let template = TemplateAnatomy(spacingMillimetres: 0.8, threads: threads)
            kept = template
            return template
        }
    }

    private static let kept = Mutex<TemplateAnatomy?>(nil)

    static let low = SIMD3<Double>(-94, -128, -110)
    static let high = SIMD3<Double>(94, 106, 100)

    /// - Parameters:
    ///   - spacing: mm.
    ///   - threads: the result does not depend on it.
    init(spacingMillimetres spacing: Double, threads: Int) {
        let size = Self.high - Self.low
        let n = (Int(size.x / spacing) + 1, Int(size.y / spacing) + 1, Int(size.z / spacing) + 1)
        grid = VoxelGrid(
            nx: n.0, ny: n.1, nz: n.2,
            affine: .translation(Self.low) * .scaling(SIMD3(repeating: spacing)))
        origin = Self.low
        perMillimetre = 1 / spacing
        brightnessPattern = Pattern("brightness")
        susceptibilityPattern = Pattern("susceptibility")
        let model = HeadModel()
        // Every second voxel first. Where the eight around a voxel agree on a tissue that nothing thin runs through, the
        // voxel is of that tissue too; this saves two thirds of the work and changes nothing that matters.
        func position(_ i: Int, _ j: Int, _ k: Int) -> SIMD3<Double> {
            Self.low + spacing * SIMD3(Double(i), Double(j), Double(k))
        }
        let c = (n.0 / 2 + 1, n.1 / 2 + 1, n.2 / 2 + 1)
        let coarse = Parallel.map(c.2, threads: threads) { k -> [UInt8] in
            var slice = [UInt8](repeating: Tissue.air, count: c.0 * c.1)
            for j in 0..<c.1 {
                for i in 0..<c.0 { slice[i + c.0 * j] = model.tissue(at: position(2 * i, 2 * j, 2 * k)) }
            }
            return slice
        }
        let slices = Parallel.map(n.2, threads: threads) { k -> [UInt8] in
            var slice = [UInt8](repeating: Tissue.air, count: n.0 * n.1)
            let (below, above) = (coarse[k / 2], coarse[min((k + 1) / 2, c.2 - 1)])
            for j in 0..<n.1 {
                let (front, back) = (c.0 * (j / 2), c.0 * min((j + 1) / 2, c.1 - 1))
                for i in 0..<n.0 {
                    let (left, right) = (i / 2, min((i + 1) / 2, c.0 - 1))
                    let code = below[left + front]
                    if Tissue.isSolid(code), below[right + front] == code, below[left + back] == code,
                        below[right + back] == code, above[left + front] == code, above[right + front] == code,
                        above[left + back] == code, above[right + back] == code
                    {
                        slice[i + n.0 * j] = code
                    } else {
                        slice[i + n.0 * j] = model.tissue(at: position(i, j, k))
                    }
                }
            }
            return slice
        }
        codes = slices.flatMap { $0 }
    }

    /// The tissue nearest to a position; air outside the grid.
    @inline(__always)
    func code(at p: SIMD3<Double>) -> UInt8 {
        let v = (p - origin) * perMillimetre + 0.5
        guard v.x >= 0, v.y >= 0, v.z >= 0 else { return Tissue.air }
        let (i, j, k) = (Int(v.x), Int(v.y), Int(v.z))
        guard i < grid.nx, j < grid.ny, k < grid.nz else { return Tissue.air }
        return codes[i + grid.nx * (j + grid.ny * k)]
    }
}
