import Kernels

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Labels and their surroundings as distributions of intensity with spatial priors, fitted by expectation and
/// maximisation.
///
/// Only voxels that may change take part. They are numbered, and every class holds its numbers in arrays of its own, so
/// that many small labels cost no more than their surroundings.
struct LabelMixture {
    /// Mean and standard deviation of a class, and, of a part of the surroundings, its share.
    private struct Normal {
        var mean: Double
        var deviation: Double
        var weight = 1.0

        /// Without the factor common to all classes.
        @inline(__always)
        func density(_ value: Float) -> Float {
            let z = (value - Float(mean)) / Float(deviation)
            return Float(weight / deviation) * expf(-0.5 * z * z)
        }
    }

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
        /// Share of what is outside these voxels: 1 around the band for the surroundings, else 0.
        var elsewhere: [Float]
    }

    private let options: LabelRefinement.Options
    private let labels: [UInt16]
    private let floor: Double
    /// Place on the grid, and intensity, of each voxel that takes part.
    private var places: [Int32] = []
    private var values: [Float] = []
    /// The label each voxel came with.
    private var given: [UInt16] = []
    /// The surroundings first, then the labels.
    private var fields: [Field] = []
    private var normals: [Normal] = []
    private var surroundings: [Normal] = []

    /// - Parameters:
    ///   - usable: voxels that may take part; those of labels not in `labels` keep theirs.
    ///   - floor: the smallest standard deviation a class may have.
    init(
        _ map: LabelMap, _ image: Volume, where usable: Mask, labels: [UInt16], deviationFloor floor: Double,
        options: LabelRefinement.Options, threads: Int
    ) {
        (self.options, self.labels, self.floor) = (options, labels, floor)
        let grid = map.grid
        var isRefined = [Bool](repeating: false, count: 1 << 16)
        for label in labels { isRefined[Int(label)] = true }
        var number = [Int32](repeating: -1, count: grid.count)
        for place in 0..<grid.count where usable.values[place] != 0 {
            let label = map.values[place]
            guard label == 0 || isRefined[Int(label)] else { continue }
            number[place] = Int32(places.count)
            places.append(Int32(place))
            values.append(image.values[place])
            given.append(label)
        }

        let options = self.options
        fields = Parallel.map(labels.count + 1, threads: threads) { n in
            Self.field(of: n == 0 ? 0 : labels[n - 1], map, number: number, options: options)
        }
        normaliseAtlasPriors()
        start(image, map, usable, labels)
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
            box: box, voxels: [], places: [], atlasPrior: [], prior: [], share: [],
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

    private mutating func normaliseAtlasPriors() {
        var sum = [Float](repeating: 0, count: values.count)
        for field in fields {
            for n in field.voxels.indices { sum[Int(field.voxels[n])] += field.atlasPrior[n] }
        }
        for f in fields.indices {
            for n in fields[f].voxels.indices { fields[f].atlasPrior[n] /= sum[Int(fields[f].voxels[n])] }
            fields[f].prior = fields[f].atlasPrior
            fields[f].share = fields[f].atlasPrior
        }
    }

    /// Labels start at their median and robust deviation, the surroundings as equal slices of what they hold.
    private mutating func start(_ image: Volume, _ map: LabelMap, _ usable: Mask, _ labels: [UInt16]) {
        func own(_ label: UInt16) -> Mask {
            var mask = usable
            for n in mask.values.indices where map.values[n] != label { mask.values[n] = 0 }
            return mask
        }
        normals = labels.map { label in
            let found = Separability.quartiles(of: image, where: own(label)) ?? (0, floor)
            return Normal(mean: found.median, deviation: max(found.deviation, floor))
        }
        let count = options.backgroundComponents
        let outside = own(0)
        let slices = (0..<count).map { 100 * (Double($0) + 0.5) / Double(count) }
        let means = OrderStatistics.percentiles(slices, of: image.values, where: outside.values) ?? []
        let deviation = Separability.quartiles(of: image, where: outside)?.deviation ?? 0
        surroundings = means.map {
            Normal(
                mean: Double($0), deviation: max(deviation / Double(count), floor), weight: 1 / Double(count))
        }
    }

    /// Alternates until no label's mean moves by a hundredth of its deviation.
    mutating func fit(threads: Int) {
        for iteration in 0..<options.maximalIterations {
            expect(threads: threads)
            let moved = maximise(threads: threads)
            if moved < 0.01 { break }
            if iteration > 0 { relax(threads: threads) }
        }
        expect(threads: threads)
    }

    /// Posterior probabilities from priors and densities.
    private mutating func expect(threads: Int) {
        let (values, normals, surroundings) = (values, normals, surroundings)
        let shares = Parallel.map(fields.count, threads: threads) { [fields] f in
            let field = fields[f]
            return [Float](unsafeUninitializedCapacity: field.voxels.count) { buffer, count in
                for n in field.voxels.indices {
                    let value = values[Int(field.voxels[n])]
                    var density: Float = 0
                    if f == 0 {
                        for part in surroundings { density += part.density(value) }
                    } else {
                        density = normals[f - 1].density(value)
                    }
                    buffer[n] = field.prior[n] * density
                }
                count = field.voxels.count
            }
        }
        var sum = [Float](repeating: 0, count: values.count)
        for f in fields.indices {
            for n in shares[f].indices { sum[Int(fields[f].voxels[n])] += shares[f][n] }
        }
        for f in fields.indices {
            for n in shares[f].indices {
                let total = sum[Int(fields[f].voxels[n])]
                // A value that no class can explain leaves the prior as it was.
                fields[f].share[n] = total > 1e-30 ? shares[f][n] / total : fields[f].prior[n]
            }
        }
    }

    /// Distributions from posterior probabilities; how far the means moved, in deviations.
    private mutating func maximise(threads: Int) -> Double {
        let (values, fields, floor) = (values, fields, floor)
        func moments(_ field: Field, _ weight: (Int, Float) -> Float) -> (weight: Double, Normal)? {
            var (mass, sum, squares) = (0.0, 0.0, 0.0)
            // Squares about the first value: a large common offset must not drown them.
            let origin = values.first ?? 0
            for n in field.voxels.indices {
                let value = values[Int(field.voxels[n])]
                let w = Double(weight(n, value))
                let d = Double(value - origin)
                mass += w
                sum += w * d
                squares += w * d * d
            }
            guard mass > 1 else { return nil }
            let mean = sum / mass
            let deviation = max(0, squares / mass - mean * mean).squareRoot()
            return (mass, Normal(mean: Double(origin) + mean, deviation: max(deviation, floor)))
        }
        let fitted = Parallel.map(normals.count, threads: threads) { n in
            moments(fields[n + 1]) { index, _ in fields[n + 1].share[index] }?.1
        }
        var moved = 0.0
        for n in normals.indices {
            guard let new = fitted[n] else { continue }
            moved = max(moved, abs(new.mean - normals[n].mean) / new.deviation)
            normals[n] = new
        }
        let old = surroundings
        let parts = Parallel.map(old.count, threads: threads) { part in
            moments(fields[0]) { index, value in
                var total: Float = 0
                for other in old { total += other.density(value) }
                return total > 1e-30 ? fields[0].share[index] * old[part].density(value) / total : 0
            }
        }
        let mass = parts.reduce(0) { $0 + ($1?.weight ?? 0) }
        for part in parts.indices {
            guard mass > 0, let (weight, normal) = parts[part] else { continue }
            surroundings[part] = normal
            surroundings[part].weight = weight / mass
        }
        return moved
    }

    /// Priors move towards what the neighbourhood is now, but nowhere the atlas does not go.
    private mutating func relax(threads: Int) {
        let (options, ratio) = (options, Float(options.relaxation))
        let relaxed = Parallel.map(fields.count, threads: threads) { [fields] f in
            let field = fields[f]
            var dense = Volume(grid: field.box.grid, values: field.elsewhere)
            for n in field.places.indices { dense.values[Int(field.places[n])] = field.share[n] }
            let smoothed = dense.smoothed(sigmaMillimetres: options.priorSigmaMillimetres)
            return field.places.indices.map { n in
                (1 - ratio) * field.atlasPrior[n] + ratio * smoothed.values[Int(field.places[n])]
            }
        }
        var sum = [Float](repeating: 0, count: values.count)
        for f in fields.indices {
            for n in relaxed[f].indices { sum[Int(fields[f].voxels[n])] += relaxed[f][n] }
        }
        for f in fields.indices {
            for n in relaxed[f].indices { fields[f].prior[n] = relaxed[f][n] / sum[Int(fields[f].voxels[n])] }
        }
    }

    /// Calls `body` with the place of each voxel on the grid and its most probable label: of equals the one it came with,
    /// then the surroundings, then the smallest.
    func forEachVoxel(_ body: (_ place: Int, _ label: UInt16) -> Void) {
        var best = [Float](repeating: -1, count: values.count)
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
