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
