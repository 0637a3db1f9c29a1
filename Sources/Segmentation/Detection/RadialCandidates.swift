import Kernels

/// Places that may be small round lesions: extremes of the radial symmetry of an image.
package struct RadialCandidates: Sendable {
    package enum Polarity: String, CaseIterable, Sendable {
        case bright, dark, both
    }

    package struct Candidate: Sendable, Equatable {
        /// Voxel indices.
        package let voxel: SIMD3<Int>
        package let worldMillimetres: SIMD3<Double>
        /// Radial symmetry there, in units of the image per mm: positive for bright balls.
        package let symmetry: Float
        /// Distance that answered most.
        package let radiusMillimetres: Double
    }

    package var symmetry: RadialSymmetry
    package var polarity = Polarity.both
    /// Symmetry of either sign below this is none.
    package var threshold = 0.0
    /// As many as this, the strongest.
    package var limit = 1000

    package init(symmetry: RadialSymmetry) { self.symmetry = symmetry }

    /// The strongest first; of two that lie within the larger radius of each other the stronger one.
    ///
    /// - Parameters:
    ///   - image: smooth it before where its noise is as fine as the smallest radius.
    ///   - mask: where candidates may be, on the grid of the image; nil: anywhere.
    ///   - threads: the result does not depend on it.
    /// - Throws: `GridError.mismatch` when `mask` lies on another grid.
    package func find(in image: Volume, mask: Mask?, threads: Int = 1) throws -> [Candidate] {
        let grid = image.grid
        if let mask, !mask.grid.matches(grid) {
            throw GridError.mismatch(first: "the image", firstGrid: grid, second: "the mask", secondGrid: mask.grid)
        }
        let response = symmetry.transform(image, threads: threads)
        let slices = Parallel.map(grid.nz, threads: threads) { k in extremes(response.mean, mask, slice: k) }
        let ordered = slices.flatMap { $0 }.sorted {
            let (a, b) = (abs(response.mean.values[$0]), abs(response.mean.values[$1]))
            return a == b ? $0 < $1 : a > b
        }
        var kept: [Candidate] = []
        for place in ordered {
            guard kept.count < limit else { break }
            let (i, j, k) = (place % grid.nx, place / grid.nx % grid.ny, place / (grid.nx * grid.ny))
            let world = grid.affine(SIMD3(Double(i), Double(j), Double(k)))
            let radius = symmetry.radiiMillimetres[Int(response.radius[place])]
            let isApart = kept.allSatisfy { other in
                let d = world - other.worldMillimetres
                let least = max(radius, other.radiusMillimetres)
                return (d * d).sum() > least * least
            }
            if isApart {
                kept.append(
                    Candidate(
                        voxel: SIMD3(i, j, k), worldMillimetres: world, symmetry: response.mean.values[place],
                        radiusMillimetres: radius))
            }
        }
        return kept
    }

    /// Voxels of a slice that no neighbour surpasses (in plane, where slices stand by themselves); of equals the first.
    private func extremes(_ mean: Volume, _ mask: Mask?, slice k: Int) -> [Int] {
        let grid = mean.grid
        let smallest = Float(max(threshold, Double(Float.leastNormalMagnitude)))
        var found: [Int] = []
        let depths = symmetry.isPlanar ? k...k : max(0, k - 1)...min(grid.nz - 1, k + 1)
        for j in 0..<grid.ny {
            for i in 0..<grid.nx {
                let place = grid.index(i, j, k)
                let value = mean.values[place]
                let isWanted = polarity == .both || (value > 0) == (polarity == .bright)
                guard isWanted, abs(value) >= smallest, mask?.values[place] != 0 else { continue }
                let sign: Float = value < 0 ? -1 : 1
                var isExtreme = true
                for c in depths where isExtreme {
                    for b in max(0, j - 1)...min(grid.ny - 1, j + 1) {
                        for a in max(0, i - 1)...min(grid.nx - 1, i + 1) {
                            let other = grid.index(a, b, c)
                            let difference = sign * (mean.values[other] - value)
                            if other != place, difference > 0 || (difference == 0 && other < place) {
                                isExtreme = false
                            }
                        }
                    }
                }
                if isExtreme { found.append(place) }
            }
        }
        return found
    }

    /// A ball of its radius for every candidate, by number from 1; where two reach, the one nearer to its middle.
    package static func balls(_ candidates: [Candidate], on grid: VoxelGrid, within mask: Mask?) -> LabelMap {
        var labels = LabelMap(grid: grid)
        var nearest = [Float](repeating: .infinity, count: grid.count)
        let spacing = grid.spacingMillimetres
        for (n, candidate) in candidates.enumerated() {
            let reach = (SIMD3<Double>(repeating: candidate.radiusMillimetres) / spacing).rounded(.down)
            let low = candidate.voxel &- SIMD3(Int(reach.x), Int(reach.y), Int(reach.z))
            let high = candidate.voxel &+ SIMD3(Int(reach.x), Int(reach.y), Int(reach.z))
            for k in max(0, low.z)...min(grid.nz - 1, high.z) {
                for j in max(0, low.y)...min(grid.ny - 1, high.y) {
                    for i in max(0, low.x)...min(grid.nx - 1, high.x) {
                        let place = grid.index(i, j, k)
                        let d = SIMD3(
                            Double(i - candidate.voxel.x), Double(j - candidate.voxel.y), Double(k - candidate.voxel.z))
                        let distance = ((d * spacing) * (d * spacing)).sum().squareRoot() / candidate.radiusMillimetres
                        guard distance <= 1, mask?.values[place] != 0, Float(distance) < nearest[place] else {
                            continue
                        }
                        nearest[place] = Float(distance)
                        labels.values[place] = UInt16(n + 1)
                    }
                }
            }
        }
        return labels
    }
}
