import Foundation
import Kernels
import Registration

/// The whole registration of an ellipsoidal head with inner structure to a deformed copy of itself.
struct RegistrationBenchmark: Benchmark {
    let name = "register_diffeomorphic"

    func prepare(edge: Int, threads: Int) throws -> () throws -> Double {
        let grid = VoxelGrid(
            nx: edge, ny: edge, nz: edge, affine: .scaling(SIMD3(repeating: 200 / Double(edge))))
        let fixed = head(grid, bend: 0)
        let moving = head(grid, bend: 6)
        return {
            let result = try register(fixed: fixed, moving: moving, threads: threads)
            return result.quality.localCorrelationAfter ?? 0
        }
    }

    private func head(_ grid: VoxelGrid, bend: Double) -> Volume {
        var volume = Volume(grid: grid)
        for k in 0..<grid.nz {
            for j in 0..<grid.ny {
                for i in 0..<grid.nx {
                    let world = grid.affine(SIMD3(Double(i), Double(j), Double(k))) - SIMD3(repeating: 100)
                    let x = world.x + bend * sin(world.y / 30)
                    let y = world.y + bend * cos(world.z / 25)
                    let z = world.z
                    let radius = (x * x / 4900 + y * y / 6400 + z * z / 4900).squareRoot()
                    let folds = sin(x / 6) * sin(y / 7) * sin(z / 8)
                    let inside = max(0, min(1, (1 - radius) * 12))
                    volume[i, j, k] = Float(inside * (100 + 40 * folds + 30 * cos(radius * 9)))
                }
            }
        }
        return volume
    }
}
