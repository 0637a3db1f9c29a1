import Foundation
import Kernels
import Segmentation

/// `LabelRefinement` written as its definition reads, for a map whose labels are all refined: dense volumes, double
/// precision, every sum spelled out. Slow, and plain enough to check by eye.
struct PlainLabelRefinement {
    private let grid: VoxelGrid
    private let given: [UInt16]
    private let image: [Double]
    private let options: LabelRefinement.Options
    private let spacing: SIMD3<Double>
    /// 0 for the surroundings, then the labels.
    private let classes: [UInt16]

    init(_ labels: LabelMap, _ image: Volume, options: LabelRefinement.Options) {
        grid = labels.grid
        given = labels.values
        self.image = image.values.map(Double.init)
        self.options = options
        spacing = labels.grid.spacingMillimetres
        classes = Set(labels.values).union([0]).sorted()
    }

    func labels() -> [UInt16] {
        let nearest = classes.map { squaredDistances(to: $0) }
        let around = options.reachMillimetres + 3
        // What lies near any label, and the box of it.
        let band = given.indices.map { voxel in
            nearest.dropFirst().contains { $0[voxel] <= around * around }
        }
        let bandValues = given.indices.filter { band[$0] }.map { image[$0] }
        let floor = 0.15 * Self.deviation(bandValues)

        var atlas = classes.indices.map { c in
            let smooth = smoothed(given.map { $0 == classes[c] ? 1 : 0 }, options.priorSigmaMillimetres)
            return given.indices.map { voxel in
                band[voxel] && nearest[c][voxel] <= pow(options.reachMillimetres, 2) + 1e-4 ? smooth[voxel] : 0
            }
        }
        normalise(&atlas, band)

        let contested = given.indices.map { voxel in
            atlas.dropFirst().contains { $0[voxel] > 0 } ? 1.0 : 0
        }
        let middle = Self.percentile(bandValues, 50)
        let x = image.map { $0 - middle }
        var prior = atlas
        var share = classes.map { label in given.indices.map { band[$0] && given[$0] == label ? 1.0 : 0 } }
        for iteration in 0..<options.iterations {
            let means = share.map { part in
                let weights = smoothed(part, options.localSigmaMillimetres)
                let sums = smoothed(part.indices.map { part[$0] * x[$0] }, options.localSigmaMillimetres)
                return part.indices.map { weights[$0] > 1e-4 ? sums[$0] / weights[$0] : nil }
            }
            let squares = given.indices.map { voxel in
                classes.indices.reduce(0.0) { sum, c in
                    sum + (means[c][voxel].map { share[c][voxel] * pow(x[voxel] - $0, 2) } ?? 0)
                }
            }
            let sums = smoothed(given.indices.map { contested[$0] * squares[$0] }, options.localSigmaMillimetres)
            let weights = smoothed(contested, options.localSigmaMillimetres)
            let variance = given.indices.map { max(floor * floor, sums[$0] / max(weights[$0], 1e-4)) }
            share = classes.indices.map { c in
                given.indices.map { voxel in
                    guard let mean = means[c][voxel] else { return 0 }
                    return prior[c][voxel] * exp(-0.5 * min(pow(x[voxel] - mean, 2) / variance[voxel], 120))
                }
            }
            normalise(&share, band)
            if iteration + 1 == options.iterations { break }
            for c in classes.indices {
                let around = smoothed(
                    given.indices.map { band[$0] ? share[c][$0] : (c == 0 ? 1 : 0) }, options.priorSigmaMillimetres)
                for voxel in given.indices where atlas[c][voxel] > 0 {
                    prior[c][voxel] = (1 - options.relaxation) * atlas[c][voxel] + options.relaxation * around[voxel]
                }
            }
            normalise(&prior, band)
        }
        return given.indices.map { voxel in
            guard band[voxel] else { return given[voxel] }
            return classes[classes.indices.max { share[$0][voxel] < share[$1][voxel] }!]
        }
    }

    private func normalise(_ fields: inout [[Double]], _ band: [Bool]) {
        for voxel in given.indices where band[voxel] {
            let sum = fields.reduce(0) { $0 + $1[voxel] }
            for c in fields.indices { fields[c][voxel] /= sum }
        }
    }

    private func position(_ voxel: Int) -> SIMD3<Int> {
        SIMD3(voxel % grid.nx, voxel / grid.nx % grid.ny, voxel / (grid.nx * grid.ny))
    }

    /// To the nearest voxel of a label, looked for within seven millimetres.
    private func squaredDistances(to label: UInt16) -> [Double] {
        let reach = SIMD3(7, 7, 6)
        return given.indices.map { voxel in
            let p = position(voxel)
            var best = Double.infinity
            for k in max(0, p.z - reach.z)...min(grid.nz - 1, p.z + reach.z) {
                for j in max(0, p.y - reach.y)...min(grid.ny - 1, p.y + reach.y) {
                    for i in max(0, p.x - reach.x)...min(grid.nx - 1, p.x + reach.x)
                    where given[grid.index(i, j, k)] == label {
                        let d = SIMD3(Double(i - p.x), Double(j - p.y), Double(k - p.z)) * spacing
                        best = min(best, d.x * d.x + d.y * d.y + d.z * d.z)
                    }
                }
            }
            return best
        }
    }

    /// Gaussian smoothing, axis by axis, the outermost value repeated.
    private func smoothed(_ source: [Double], _ sigmaMillimetres: Double) -> [Double] {
        var values = source
        for axis in 0..<3 {
            let sigma = sigmaMillimetres / spacing[axis]
            let radius = Int((3 * sigma).rounded(.up))
            let bell = (-radius...radius).map { exp(-0.5 * pow(Double($0) / sigma, 2)) }
            let weights = bell.map { $0 / bell.reduce(0, +) }
            let size = SIMD3(grid.nx, grid.ny, grid.nz)
            values = values.indices.map { voxel in
                var sum = 0.0
                for (n, weight) in weights.enumerated() {
                    var p = position(voxel)
                    p[axis] = min(size[axis] - 1, max(0, p[axis] + n - radius))
                    sum += weight * values[grid.index(p.x, p.y, p.z)]
                }
                return sum
            }
        }
        return values
    }

    private static func percentile(_ values: [Double], _ percentile: Double) -> Double {
        let sorted = values.sorted()
        let place = percentile / 100 * Double(sorted.count - 1)
        let low = Int(place)
        let high = min(low + 1, sorted.count - 1)
        return sorted[low] + (place - Double(low)) * (sorted[high] - sorted[low])
    }

    private static func deviation(_ values: [Double]) -> Double {
        (percentile(values, 75) - percentile(values, 25)) / 1.3489795
    }
}
