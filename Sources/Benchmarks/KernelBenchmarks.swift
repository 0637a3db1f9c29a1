import Foundation
import Kernels

/// Gaussian smoothing, σ = 2 voxels, cut at 4 σ as SciPy's default.
struct GaussianBenchmark: Benchmark {
    let name = "gaussian_sigma2"
    func prepare(edge: Int, threads: Int) throws -> () throws -> Double {
        let input = Input.noise(edge)
        return { Input.checksum(input.smoothed(sigmaVoxels: SIMD3(2, 2, 2), threads: threads).values) }
    }
}

/// Trilinear resampling through a small rotation and shift.
struct AffineResampleBenchmark: Benchmark {
    let name = "resample_affine"
    func prepare(edge: Int, threads: Int) throws -> () throws -> Double {
        let input = Input.noise(edge)
        let map = SpatialMap.affine(
            Affine([0.99, -0.1, 0.05, 3], [0.1, 0.98, -0.05, -2], [-0.04, 0.06, 0.99, 1.5]))
        return { Input.checksum(try input.resampled(to: input.grid, through: map, threads: threads).values) }
    }
}

/// Trilinear resampling through a dense displacement.
struct DisplacementResampleBenchmark: Benchmark {
    let name = "resample_displacement"
    func prepare(edge: Int, threads: Int) throws -> () throws -> Double {
        let input = Input.noise(edge)
        var field = DisplacementField(grid: input.grid)
        for n in 0..<input.grid.count {
            let phase = Float(n % edge) / Float(edge) * 2 * .pi
            field.x[n] = 3 * sin(phase)
            field.y[n] = 2 * cos(phase)
            field.z[n] = sin(2 * phase)
        }
        let map = SpatialMap([.displacement(field)])
        return { Input.checksum(try input.resampled(to: input.grid, through: map, threads: threads).values) }
    }
}

/// Exact Euclidean distance transform of a mask that is half inside.
struct DistanceBenchmark: Benchmark {
    let name = "distance_transform"
    func prepare(edge: Int, threads: Int) throws -> () throws -> Double {
        let smooth = Input.noise(edge).smoothed(sigmaVoxels: SIMD3(3, 3, 3), threads: threads)
        let mask = Mask(grid: smooth.grid, values: smooth.values.map { $0 > 0.5 ? 1 : 0 })
        return { Input.checksum(mask.distanceMillimetres(threads: threads).values) }
    }
}

/// Connected components (26 neighbours) of the same mask.
struct ComponentsBenchmark: Benchmark {
    let name = "connected_components_26"
    func prepare(edge: Int, threads: Int) throws -> () throws -> Double {
        let smooth = Input.noise(edge).smoothed(sigmaVoxels: SIMD3(3, 3, 3), threads: threads)
        let mask = Mask(grid: smooth.grid, values: smooth.values.map { $0 > 0.5 ? 1 : 0 })
        return { Double(mask.components().sizes.count) }
    }
}
