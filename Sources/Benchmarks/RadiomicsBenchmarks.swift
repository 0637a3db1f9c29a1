import Foundation
import Kernels
import Radiomics

/// The features of QSMRim-Net for one lesion in the middle of a map: a ball with a quarter of the edge as its diameter.
struct RadiomicsBenchmark: Benchmark {
    let name = "radiomics_qsmrim"

    /// Noise smoothed along each axis by (1, 2, 1) / 4 as often as `passes`, in ppm, the same in every language; and the
    /// ball.
    static func lesion(edge: Int, passes: Int = 3) -> (map: Volume, mask: Mask) {
        let grid = Input.grid(edge)
        var values = Input.noise(edge).values.map { (Double($0) - 0.5) * 2 }
        for _ in 0..<passes {
            for stride in [1, edge, edge * edge] {
                let old = values
                for n in values.indices {
                    let place = n / stride % edge
                    let (before, after) = (
                        place > 0 ? old[n - stride] : old[n], place < edge - 1 ? old[n + stride] : old[n]
                    )
                    values[n] = (before + 2 * old[n] + after) / 4
                }
            }
        }
        var mask = Mask(grid: grid)
        let (centre, radius) = (Double(edge) / 2, Double(edge) / 8)
        for n in mask.values.indices {
            let (i, j, k) = (Double(n % edge), Double(n / edge % edge), Double(n / (edge * edge)))
            let square = (i - centre) * (i - centre) + (j - centre) * (j - centre) + (k - centre) * (k - centre)
            mask.values[n] = square <= radius * radius ? 1 : 0
        }
        return (Volume(grid: grid, values: values.map { Float($0) }), mask)
    }

    func prepare(edge: Int, threads: Int) throws -> () throws -> Double {
        let (map, mask) = Self.lesion(edge: edge)
        return {
            let found = try QSMRimFeatures.measure(map, mask: mask) ?? []
            return found.reduce(0) { $0 + ($1.value ?? 0) }
        }
    }

    /// Prints the features as one line of JSON, for the comparison with a peer.
    static func printFeatures(edge: Int) throws {
        let (map, mask) = lesion(edge: edge)
        let found = try QSMRimFeatures.measure(map, mask: mask) ?? []
        let values = Dictionary(uniqueKeysWithValues: found.map { ($0.name, $0.value as Any) })
        let data = try JSONSerialization.data(withJSONObject: values, options: [.sortedKeys])
        print(String(decoding: data, as: UTF8.self))
    }
}
