import Kernels
import TestSupport
import Testing

@testable import Networks

private func randomValues(_ count: Int, seed: UInt64) -> [Float] {
    var random = SeededGenerator(seed: seed)
    return (0..<count).map { _ in Float(random.gaussian()) }
}

private func sample(
    _ values: [Float], _ volume: Extent3, _ map: PatchMap, cubic: Bool = false, beyond: PatchMap.Beyond = .value(0),
    threads: Int = 1
) -> [Float] {
    var result = [Float](repeating: .nan, count: map.size.product)
    map.sample(values, volume: volume, isCubic: cubic, beyond: beyond, to: &result, threads: threads)
    return result
}

@Suite("Patches by one resampling")
struct PatchMapTests {
    static let volumes = [Extent3(7, 9, 11), Extent3(1, 9, 20), Extent3(1, 1, 5), Extent3(3, 1, 2), Extent3(1, 1, 1)]

    @Test("a shift by whole voxels copies, zero beyond the volume", arguments: volumes, [false, true])
    func copies(_ volume: Extent3, _ cubic: Bool) {
        let values = randomValues(volume.product, seed: 1)
        let map = PatchMap(size: Extent3(4, 5, 19), affine: .translation(SIMD3(-2, 1, -1)))
        let result = sample(values, volume, map, cubic: cubic)
        for z in 0..<4 {
            for y in 0..<5 {
                for x in 0..<19 {
                    let (i, j, k) = (x - 2, y + 1, z - 1)
                    let inside = (0..<volume.width ~= i) && (0..<volume.height ~= j) && (0..<volume.depth ~= k)
                    let expected = inside ? values[(k * volume.height + j) * volume.width + i] : 0
                    #expect(result[(z * 5 + y) * 19 + x] == expected)
                }
            }
        }
    }

    @Test("cubic convolution gives quadratics back exactly and what Keys' kernel gives elsewhere")
    func cubic() {
        let volume = Extent3(8, 9, 10)
        func quadratic(_ x: Double, _ y: Double, _ z: Double) -> Double {
            1 + 0.5 * x - y + 0.25 * z + 0.1 * x * x - 0.05 * x * y + 0.2 * y * z - 0.07 * z * z
        }
        var values: [Float] = []
        for k in 0..<8 {
            for j in 0..<9 { for i in 0..<10 { values.append(Float(quadratic(Double(i), Double(j), Double(k)))) } }
        }
        let affine = Affine([0.31, 0.1, 0, 2.2], [-0.1, 0.27, 0.05, 3.1], [0.02, -0.05, 0.33, 2.4])
        let map = PatchMap(size: Extent3(5, 6, 17), affine: affine)
        let smooth = sample(values, volume, map, cubic: true)
        let noise = randomValues(volume.product, seed: 2)
        let rough = sample(noise, volume, map, cubic: true)
        func kernel(_ t: Double) -> Double {
            let t = abs(t)
            if t < 1 { return 1.5 * t * t * t - 2.5 * t * t + 1 }
            return t < 2 ? -0.5 * t * t * t + 2.5 * t * t - 4 * t + 2 : 0
        }
        var compared = 0
        for z in 0..<5 {
            for y in 0..<6 {
                for x in 0..<17 {
                    let p = affine(SIMD3(Double(x), Double(y), Double(z)))
                    let n = (z * 6 + y) * 17 + x
                    guard p.x >= 1, p.y >= 1, p.z >= 1, p.x < 8, p.y < 7, p.z < 6 else { continue }
                    compared += 1
                    #expect(abs(Double(smooth[n]) - quadratic(p.x, p.y, p.z)) < 2e-5)
                    var sum = 0.0
                    for k in 0..<8 {
                        for j in 0..<9 {
                            for i in 0..<10 {
                                let weight = kernel(p.x - Double(i)) * kernel(p.y - Double(j)) * kernel(p.z - Double(k))
                                sum += weight * Double(noise[(k * 9 + j) * 10 + i])
                            }
                        }
                    }
                    #expect(abs(Double(rough[n]) - sum) < 2e-5)
                }
            }
        }
        #expect(compared > 100)
    }

    @Test("beyond the volume the border's value repeats where that is asked for", arguments: [false, true])
    func edge(_ cubic: Bool) {
        let values: [Float] = [1, 2, 3, 4]
        let map = PatchMap(size: Extent3(1, 1, 10), affine: .translation(SIMD3(-3, 0, 0)))
        let result = sample(values, Extent3(1, 1, 4), map, cubic: cubic, beyond: .edge)
        #expect(result == [1, 1, 1, 1, 2, 3, 4, 4, 4, 4])
        #expect(sample(values, Extent3(1, 1, 4), map, beyond: .value(7)) == [7, 7, 7, 1, 2, 3, 4, 7, 7, 7])
    }

    @Test("labels take the nearest voxel")
    func nearest() {
        let labels: [UInt8] = [1, 2, 3]
        let map = PatchMap(
            size: Extent3(1, 1, 9), affine: Affine([0.5, 0, 0, -1], [0, 1, 0, 0], [0, 0, 1, 0]))
        var result = [UInt8](repeating: 99, count: 9)
        // Positions −1, −0.5, 0, 0.5, 1, 1.5, 2, 2.5, 3.
        map.sampleNearest(labels, volume: Extent3(1, 1, 3), outside: 9, to: &result)
        #expect(result == [9, 1, 1, 2, 2, 3, 3, 9, 9])
        map.sampleNearest(labels, volume: Extent3(1, 1, 3), outside: nil, to: &result)
        #expect(result == [1, 1, 1, 2, 2, 3, 3, 3, 3])
    }

    @Test("a spline lattice of a linear function is that function")
    func lattice() {
        let size = Extent3(9, 14, 23)
        let spacing = 4.5
        let nodes = SplineLattice.nodes(size: size, spacingVoxels: spacing)
        var values: [Float] = []
        for c in 0..<nodes.depth {
            for b in 0..<nodes.height {
                for a in 0..<nodes.width {
                    // Lattice point n lies at (n − 1) · spacing.
                    values.append(Float(a - 1) * 2 - Float(b - 1) + 0.5 * Float(c - 1) + 3)
                }
            }
        }
        let lattice = SplineLattice(size: size, spacingVoxels: spacing, values: values)
        var row = [Float](repeating: 0, count: 23)
        for z in 0..<9 {
            for y in 0..<14 {
                lattice.row(y: y, z: z, to: &row)
                for x in 0..<23 {
                    let expected = (2 * Double(x) - Double(y) + 0.5 * Double(z)) / spacing + 3
                    #expect(abs(Double(row[x]) - expected) < 1e-4)
                }
            }
        }
        let flat = SplineLattice(size: Extent3(1, 1, 6), spacingVoxels: 2, values: [0, 0, 6, 0, 0, 0])
        flat.row(y: 0, z: 0, to: &row)
        #expect(abs(row[2] - 4) < 1e-5, "a lattice point counts two thirds at its own place")
        #expect(abs(row[0] - 1) < 1e-5)
    }

    @Test("displacements are added before the affine map")
    func displacement() {
        let (volume, size) = (Extent3(6, 7, 8), Extent3(4, 4, 4))
        var values: [Float] = []
        for k in 0..<6 { for j in 0..<7 { for i in 0..<8 { values.append(Float(i + 10 * j + 100 * k)) } } }
        let nodes = SplineLattice.nodes(size: size, spacingVoxels: 2)
        func constant(_ value: Float) -> SplineLattice {
            SplineLattice(size: size, spacingVoxels: 2, values: [Float](repeating: value, count: nodes.product))
        }
        let map = PatchMap(
            size: size, affine: .scaling(SIMD3(0.5, 1, 1)),
            displacement: (constant(1), constant(0.5), constant(0.25)))
        let result = sample(values, volume, map)
        for z in 0..<4 {
            for y in 0..<4 {
                for x in 0..<4 {
                    let expected = (Float(x) + 1) / 2 + 10 * (Float(y) + 0.5) + 100 * (Float(z) + 0.25)
                    #expect(abs(result[(z * 4 + y) * 4 + x] - expected) < 1e-3)
                }
            }
        }
    }

    @Test("the number of threads does not change a bit")
    func threads() {
        let volume = Extent3(20, 30, 40)
        let values = randomValues(volume.product, seed: 3)
        var spatial = SpatialAugmentation.standard(isFlat: false)
        spatial.rotationProbability = 1
        spatial.elastic = .init(probability: 1, latticeMillimetres: 8, displacementMillimetres: 1...2)
        let draw = spatial.draw(
            size: Extent3(24, 24, 24), centre: SIMD3(20, 15, 10), spacingMillimetres: SIMD3(1, 1, 2),
            random: Philox(seed: 4), epoch: 1, sample: 2)
        for cubic in [false, true] {
            #expect(
                sample(values, volume, draw.map, cubic: cubic, threads: 1)
                    == sample(values, volume, draw.map, cubic: cubic, threads: 3))
        }
    }
}
