import Kernels

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Labels and their surroundings competing for the voxels at their borders, by expectation and maximisation.
///
/// Every class has a mean of its own around each place, and all share one variance there. With equal variances the
/// border comes to lie halfway between the means of the two sides, so that voxels which hold a bit of both are divided
/// fairly: with a variance per class the wider one takes them all, and small nuclei grow by a third.
///
/// Only voxels that may change take part. They are numbered, and every class holds its numbers in arrays of its own, so
/// that many small labels cost no more than their surroundings.
struct RegionCompetition {
    /// What one class holds of the voxels it may take.
    private struct Field {
        /// The part of the grid that the class is smoothed in.
        var box: VoxelBox
        /// Number of each voxel, and its place in the box.
        var voxels: [Int32]
        var places: [Int32]
        var atlasPrior: [Float]
        var prior: [Float]
        /// Posterior probability.
        var share: [Float]
        /// Local mean of the class; nan where it has no voxel around.
        var mean: [Float]
        /// Share of what is outside these voxels: 1 around the band for the surroundings, else 0.
        var elsewhere: [Float]
    }

    private let options: LabelRefinement.Options
    private let grid: VoxelGrid
    private let labels: [UInt16]
    private let smallestVariance: Float
    /// Place on the grid, and intensity against the middle of all, of each voxel that takes part.
    private var places: [Int32] = []
    private var values: [Float] = []
    /// The label each voxel came with.
    private var given: [UInt16] = []
    /// 1 where a label competes: the variance is that of these voxels.
    private var contested: [Float]
    /// The surroundings first, then the labels.
    private var fields: [Field] = []

    /// - Parameters:
    ///   - usable: voxels that may take part; those of labels not in `labels` keep theirs.
    ///   - middle: taken from every intensity, so that a large common offset costs no digits.
    ///   - floor: the smallest standard deviation around a place.
    init(
        _ map: LabelMap, _ image: Volume, where usable: Mask, labels: [UInt16], middle: Float,
        deviationFloor floor: Float,
        options: LabelRefinement.Options, threads: Int
    ) {
        (self.options, grid, self.labels, smallestVariance) = (options, map.grid, labels, floor * floor)
        var isRefined = [Bool](repeating: false, count: 1 << 16)
        for label in labels { isRefined[Int(label)] = true }
        var number = [Int32](repeating: -1, count: grid.count)
        for place in 0..<grid.count where usable.values[place] != 0 {
            let label = map.values[place]
            guard label == 0 || isRefined[Int(label)] else { continue }
            number[place] = Int32(places.count)
            places.append(Int32(place))
            values.append(image.values[place] - middle)
            given.append(label)
        }
        contested = [Float](repeating: 0, count: values.count)
        fields = Parallel.map(labels.count + 1, threads: threads) { n in
            Self.field(of: n == 0 ? 0 : labels[n - 1], map, number: number, options: options)
        }
        for f in fields.indices {
            // At first every voxel is of the label it came with.
            fields[f].share = fields[f].voxels.map { given[Int($0)] == (f == 0 ? 0 : labels[f - 1]) ? 1 : 0 }
            if f > 0 { for voxel in fields[f].voxels { contested[Int(voxel)] = 1 } }
        }
        normalise(\.atlasPrior)
        for f in fields.indices { fields[f].prior = fields[f].atlasPrior }
    }

    /// The voxels a class may take: those within the reach of it.
    private static func field(
        of label: UInt16, _ map: LabelMap, number: [Int32], options: LabelRefinement.Options
    ) -> Field {
        let grid = map.grid
        let all = Mask(grid: grid, values: map.values.map { $0 == label ? 1 : 0 })
        let margin = options.reachMillimetres + 4 * options.priorSigmaMillimetres
        let box = all.boundingBox(marginMillimetres: margin) ?? grid.box(from: SIMD3(0, 0, 0), to: SIMD3(0, 0, 0))
        let region = all.copied(to: box)
        let numbers = grid.copy(number, to: box, fill: -1)
        let distance = region.squaredDistanceMillimetres()
        let smoothed = Volume(grid: box.grid, values: region.values.map(Float.init))
            .smoothed(sigmaMillimetres: options.priorSigmaMillimetres)
        let limit = Float(options.reachMillimetres * options.reachMillimetres) * (1 + 1e-5)
        var field = Field(
            box: box, voxels: [], places: [], atlasPrior: [], prior: [], share: [], mean: [],
            elsewhere: [Float](repeating: 0, count: box.grid.count))
        for place in 0..<box.grid.count {
            let voxel = numbers[place]
            // Around the voxels that take part there are only surroundings.
            if voxel < 0, label == 0, region.values[place] != 0 { field.elsewhere[place] = 1 }
            guard voxel >= 0, distance.values[place] <= limit, smoothed.values[place] > 0 else { continue }
            field.voxels.append(voxel)
            field.places.append(Int32(place))
            field.atlasPrior.append(smoothed.values[place])
        }
        return field
    }

    /// Makes the values that the classes have for a voxel sum to one; all zero stays zero.
    private mutating func normalise(_ path: WritableKeyPath<Field, [Float]>) {
        var sum = [Float](repeating: 0, count: values.count)
        for field in fields {
            let part = field[keyPath: path]
            for n in part.indices { sum[Int(field.voxels[n])] += part[n] }
        }
        for f in fields.indices {
            var part = fields[f][keyPath: path]
            for n in part.indices { part[n] /= max(sum[Int(fields[f].voxels[n])], .leastNormalMagnitude) }
            fields[f][keyPath: path] = part
        }
    }

    mutating func run(threads: Int) {
        for iteration in 0..<options.iterations {
            findMeans(threads: threads)
            findShares(variance(threads: threads), threads: threads)
            if iteration + 1 < options.iterations { relaxPriors(threads: threads) }
        }
    }

    /// A class's values on its box.
    private static func dense(_ values: [Float], _ field: Field, elsewhere: [Float]? = nil) -> Volume {
        var volume = Volume(grid: field.box.grid)
        if let elsewhere { volume.values = elsewhere }
        for n in values.indices { volume.values[Int(field.places[n])] = values[n] }
        return volume
    }

    private mutating func findMeans(threads: Int) {
        let (values, sigma) = (values, options.localSigmaMillimetres)
        let means = Parallel.map(fields.count, threads: threads) { [fields] f in
            let field = fields[f]
            let weights = Self.dense(field.share, field).smoothed(sigmaMillimetres: sigma)
            let sums = Self.dense(field.share.indices.map { field.share[$0] * values[Int(field.voxels[$0])] }, field)
                .smoothed(sigmaMillimetres: sigma)
            return field.places.map { place in
                let weight = weights.values[Int(place)]
                return weight > 1e-4 ? sums.values[Int(place)] / weight : .nan
            }
        }
        for f in fields.indices { fields[f].mean = means[f] }
    }

    /// Local variance about the means, over the contested voxels around each voxel.
    private func variance(threads: Int) -> [Float] {
        var squares = [Float](repeating: 0, count: values.count)
        for field in fields {
            for n in field.voxels.indices where !field.mean[n].isNaN {
                let voxel = Int(field.voxels[n])
                let rest = values[voxel] - field.mean[n]
                squares[voxel] += field.share[n] * rest * rest
            }
        }
        var (sums, weights) = (Volume(grid: grid), Volume(grid: grid))
        for voxel in values.indices {
            sums.values[Int(places[voxel])] = contested[voxel] * squares[voxel]
            weights.values[Int(places[voxel])] = contested[voxel]
        }
        sums = sums.smoothed(sigmaMillimetres: options.localSigmaMillimetres, threads: threads)
        weights = weights.smoothed(sigmaMillimetres: options.localSigmaMillimetres, threads: threads)
        return places.map { place in
            max(smallestVariance, sums.values[Int(place)] / max(weights.values[Int(place)], 1e-4))
        }
    }

    /// Posterior probabilities from priors and densities.
    private mutating func findShares(_ variance: [Float], threads: Int) {
        let values = values
        let shares = Parallel.map(fields.count, threads: threads) { [fields] f in
            let field = fields[f]
            return field.voxels.indices.map { n -> Float in
                guard !field.mean[n].isNaN else { return 0 }
                let voxel = Int(field.voxels[n])
                let rest = values[voxel] - field.mean[n]
                // Bounded, so that a value far from all means still goes to the nearest.
                return field.prior[n] * expf(-0.5 * min(rest * rest / variance[voxel], 120))
            }
        }
        for f in fields.indices { fields[f].share = shares[f] }
        normalise(\.share)
    }

    /// Priors move towards what the neighbourhood is now, but nowhere the atlas does not go.
    private mutating func relaxPriors(threads: Int) {
        let (ratio, sigma) = (Float(options.relaxation), options.priorSigmaMillimetres)
        let priors = Parallel.map(fields.count, threads: threads) { [fields] f in
            let field = fields[f]
            let around = Self.dense(field.share, field, elsewhere: field.elsewhere).smoothed(sigmaMillimetres: sigma)
            return field.places.indices.map { n in
                (1 - ratio) * field.atlasPrior[n] + ratio * around.values[Int(field.places[n])]
            }
        }
        for f in fields.indices { fields[f].prior = priors[f] }
        normalise(\.prior)
    }

    /// Calls `body` with the place of each voxel on the grid and its most probable label: of equals the one it came with,
    /// then the surroundings, then the smallest.
    func forEachVoxel(_ body: (_ place: Int, _ label: UInt16) -> Void) {
        var best = [Float](repeating: 0, count: values.count)
        var winner = given
        for f in fields.indices {
            let label = f == 0 ? 0 : labels[f - 1]
            for n in fields[f].voxels.indices {
                let voxel = Int(fields[f].voxels[n])
                let share = fields[f].share[n]
                if share > best[voxel] || (share == best[voxel] && label == given[voxel]) {
                    best[voxel] = share
                    winner[voxel] = label
                }
            }
        }
        for voxel in values.indices { body(Int(places[voxel]), winner[voxel]) }
    }
}
