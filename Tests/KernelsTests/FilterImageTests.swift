import Kernels
import Testing

@Suite struct FilterImageTests {
    private func noise(_ size: SIMD3<Int>, _ generator: inout SeededGenerator) -> FilterImage {
        FilterImage(
            size: size, values: (0..<size.x * size.y * size.z).map { _ in Double.random(in: -1...1, using: &generator) }
        )
    }

    /// Each axis against the sum that defines it: kernels of even and odd length, spread, off the middle, longer than the
    /// axis; every edge.
    @Test func convolutionsFollowTheirDefinition() {
        var generator = SeededGenerator(seed: 41)
        let kernels = [
            AxisKernel([1], first: 0), AxisKernel(centred: [0.5, -2, 3]), AxisKernel([1, 2, 3, 4], first: 2),
            AxisKernel([0.25, -1, 2], first: 4, spacing: 2), AxisKernel([1, -1], first: -3),
            AxisKernel(centred: (0..<41).map { Double($0) / 7 - 2 }),
        ]
        for size in [SIMD3(1, 1, 1), SIMD3(5, 3, 2), SIMD3(33, 4, 5), SIMD3(70, 2, 9), SIMD3(16, 37, 3)] {
            let image = noise(size, &generator)
            for kernel in kernels {
                for axis in 0..<3 {
                    for edge in EdgeRule.allCases {
                        let found = image.convolved(kernel, axis: axis, edge: edge)
                        var worst = 0.0
                        for n in image.values.indices {
                            var place = SIMD3(n % size.x, n / size.x % size.y, n / (size.x * size.y))
                            let own = place[axis]
                            var sum = 0.0
                            for (tap, weight) in kernel.weights.enumerated() {
                                let offset = own + kernel.first - tap * kernel.spacing
                                guard let source = edge.place(offset, count: size[axis]) else { continue }
                                place[axis] = source
                                sum += weight * image.values[place.x + size.x * (place.y + size.y * place.z)]
                            }
                            worst = max(worst, abs(found.values[n] - sum))
                        }
                        #expect(worst == 0, "\(size) \(kernel) axis \(axis) \(edge)")
                    }
                }
            }
        }
    }

    @Test func edgesAreExtendedAsNamed() {
        func extended(_ edge: EdgeRule, _ count: Int) -> [Int] {
            (-5..<count + 5).map { edge.place($0, count: count) ?? -1 }
        }
        #expect(extended(.zero, 3) == [-1, -1, -1, -1, -1, 0, 1, 2, -1, -1, -1, -1, -1])
        #expect(extended(.nearest, 3) == [0, 0, 0, 0, 0, 0, 1, 2, 2, 2, 2, 2, 2])
        #expect(extended(.periodic, 3) == [1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1])
        #expect(extended(.mirror, 3) == [1, 2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0, 1])
        #expect(extended(.periodicEven, 3) == [0, 0, 1, 2, 0, 0, 1, 2, 0, 0, 1, 2, 0])
        #expect(extended(.periodicEven, 4) == extended(.periodic, 4))
    }

    @Test func sumsOfConvolutionsAreSums() {
        var generator = SeededGenerator(seed: 42)
        let size = SIMD3(39, 11, 7)
        let (a, b) = (noise(size, &generator), noise(size, &generator))
        let kernel = AxisKernel(centred: [1, 2, -4, 0.5, 3])
        for axis in 0..<3 {
            var sum = a.convolved(kernel, axis: axis, edge: .mirror, threads: 3)
            sum.addConvolution(of: b, kernel.mirrored, axis: axis, edge: .zero, threads: 3)
            let (x, y) = (
                a.convolved(kernel, axis: axis, edge: .mirror),
                b.convolved(kernel.mirrored, axis: axis, edge: .zero)
            )
            for n in sum.values.indices { #expect(abs(sum.values[n] - x.values[n] - y.values[n]) < 1e-12) }
        }
    }

    /// Mirroring image and kernel mirrors the response.
    @Test func mirroredKernelsAreMirrored() {
        var generator = SeededGenerator(seed: 43)
        let image = noise(SIMD3(23, 1, 1), &generator)
        let mirrored = FilterImage(size: image.size, values: image.values.reversed())
        let kernel = AxisKernel([1, -2, 5, 7], first: 5, spacing: 3)
        #expect(kernel.mirrored.mirrored == kernel)
        let found = image.convolved(kernel, axis: 0, edge: .mirror).values
        let other = mirrored.convolved(kernel.mirrored, axis: 0, edge: .mirror).values
        for n in found.indices { #expect(abs(found[n] - other[22 - n]) < 1e-12) }
    }
}
