import Kernels
import Testing

@Suite struct GaussianTests {
    /// Plain triple loop in double precision.
    private func plain(_ volume: Volume, _ sigma: SIMD3<Double>) -> [Float] {
        let g = volume.grid
        var values = volume.values.map(Double.init)
        for axis in 0..<3 {
            let weights = GaussianTaps(sigmaVoxels: sigma[axis]).weights.map(Double.init)
            var next = values
            for k in 0..<g.nz {
                for j in 0..<g.ny {
                    for i in 0..<g.nx {
                        var sum = 0.0
                        for d in -(weights.count - 1)...(weights.count - 1) {
                            var p = SIMD3(i, j, k)
                            let last = [g.nx, g.ny, g.nz][axis] - 1
                            p[axis] = min(max(p[axis] + d, 0), last)
                            sum += weights[abs(d)] * values[g.index(p.x, p.y, p.z)]
                        }
                        next[g.index(i, j, k)] = sum
                    }
                }
            }
            values = next
        }
        return values.map(Float.init)
    }

    @Test(arguments: awkwardSizes, [SIMD3(1, 1, 1), SIMD3(0.6, 2.3, 0)])
    func equalsThePlainSum(size: SIMD3<Int>, sigma: SIMD3<Double>) {
        let volume = randomVolume(makeGrid(size))
        #expect(largestDifference(volume.smoothed(sigmaVoxels: sigma).values, plain(volume, sigma)) < 1e-6)
    }

    @Test func doesNotDependOnThreads() {
        let volume = randomVolume(makeGrid([19, 20, 21]))
        #expect(
            volume.smoothed(sigmaMillimetres: 1.7, threads: 1).values
                == volume.smoothed(sigmaMillimetres: 1.7, threads: 3).values)
    }

    @Test func sigmaIsInMillimetres() {
        let volume = randomVolume(makeGrid([19, 20, 21], spacing: [1, 2, 0.5]))
        #expect(
            volume.smoothed(sigmaMillimetres: 2).values == volume.smoothed(sigmaVoxels: [2, 1, 4]).values)
    }

    @Test func keepsAConstantAndSigmaZeroKeepsEverything() {
        let constant = Volume(grid: makeGrid([16, 17, 18]), filledWith: 3)
        #expect(largestDifference(constant.smoothed(sigmaMillimetres: 2).values, constant.values) < 2e-6)
        let random = randomVolume(makeGrid([16, 17, 18]))
        #expect(random.smoothed(sigmaMillimetres: 0).values == random.values)
    }
}
