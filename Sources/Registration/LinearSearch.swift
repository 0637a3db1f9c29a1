import Kernels

/// Rigid and affine registration by mutual information, coarse to fine.
struct LinearSearch {
    let fixed: RegistrationImage
    let moving: RegistrationImage
    let options: RegistrationOptions
    let threads: Int
    let progress: (RegistrationProgress) throws -> Void

    struct Outcome {
        var affine: Affine
        var before: Double
        var after: Double
        var overlap: Double
    }

    func run() throws -> Outcome {
        var fixedPyramid = Pyramid(fixed.volume, threads: threads)
        var movingPyramid = Pyramid(moving.volume, threads: threads)
        let centre = fixed.centreOfMass
        let rigid = LinearMap(kind: .rigid, centre: centre)
        var parameters = [Double](repeating: 0, count: 6)
        var outcome = Outcome(affine: .identity, before: 0, after: 0, overlap: 0)
        var candidates: [[Double]] = []
        for (n, level) in options.rigidLevels.enumerated() {
            let metric = try self.metric(level, &fixedPyramid, &movingPyramid, centre)
            if n == 0 {
                candidates = try starts(metric, rigid, level)
                // With one level alone it has to decide.
                if options.rigidLevels.count == 1 { candidates = [best(metric, rigid, candidates, level)] }
                if candidates.count == 1 { parameters = candidates[0] }
            } else if candidates.count > 1 {
                // The coarsest level takes a face for a neck at times; the second one decides.
                parameters = best(metric, rigid, candidates, level)
                candidates = [parameters]
            } else {
                parameters = optimise(metric, rigid, parameters, level).parameters
            }
            let known = candidates.count == 1 ? parameters : candidates[0]
            try report(metric, rigid, known, .rigid, level, &outcome)
        }
        guard options.model != .rigid else { return outcome }
        let affine = LinearMap(kind: .affine, centre: centre)
        parameters += [Double](repeating: 0, count: 6)
        for level in options.affineLevels {
            let metric = try self.metric(level, &fixedPyramid, &movingPyramid, centre)
            parameters = optimise(metric, affine, parameters, level).parameters
            try report(metric, affine, parameters, .affine, level, &outcome)
        }
        return outcome
    }

    // MARK: - One level

    private struct Metric {
        let information: MutualInformation
        let worldToVoxel: Affine

        func evaluate(_ map: LinearMap, _ p: [Double], _ wantsGradient: Bool, _ threads: Int)
            -> (value: Double, gradient: [Double], overlap: Double)
        {
            let found = information.evaluate(worldToVoxel * map.affine(p), wantsSlope: wantsGradient, threads: threads)
            let overlap = Double(found.inside) / Double(max(1, information.count))
            return (
                found.value, wantsGradient ? map.gradient(p, slope: found.slope, worldToVoxel: worldToVoxel) : [],
                overlap
            )
        }
    }

    private func metric(
        _ level: RegistrationOptions.LinearLevel, _ fixedPyramid: inout Pyramid, _ movingPyramid: inout Pyramid,
        _ centre: SIMD3<Double>
    ) throws -> Metric {
        let target = try fixedPyramid.coarse(level.spacingMillimetres)
        let source = try movingPyramid.coarse(level.spacingMillimetres)
        let region = try fixed.region.resampled(to: target.grid, threads: threads)
        let total = region.voxels
        let share = total > level.samples ? Double(level.samples) / Double(total) : 1
        let limit = UInt64(share * Double(UInt64(1) << 53))
        var positions: [SIMD3<Float>] = []
        var values: [Float] = []
        positions.reserveCapacity(min(total, level.samples))
        values.reserveCapacity(min(total, level.samples))
        var hash = SampleHash()
        for k in 0..<target.grid.nz {
            for j in 0..<target.grid.ny {
                for i in 0..<target.grid.nx where region.values[target.grid.index(i, j, k)] != 0 {
                    guard hash.next() >> 11 < limit || share == 1 else { continue }
                    let world = target.grid.affine(SIMD3(Double(i), Double(j), Double(k))) - centre
                    positions.append(SIMD3(Float(world.x), Float(world.y), Float(world.z)))
                    values.append(target.values[target.grid.index(i, j, k)])
                }
            }
        }
        let information = MutualInformation(
            positions: positions, fixedValues: values, fixedRange: fixed.range, moving: source,
            movingRange: moving.range, bins: options.histogramBins)
        guard let worldToVoxel = source.grid.affine.inverse else { throw GridError.singularAffine(moving.name) }
        return Metric(information: information, worldToVoxel: worldToVoxel)
    }

    private func optimise(
        _ metric: Metric, _ map: LinearMap, _ start: [Double], _ level: RegistrationOptions.LinearLevel,
        iterations: Int? = nil
    ) -> (parameters: [Double], value: Double) {
        let search = QuasiNewton(
            longestStep: 2 * level.spacingMillimetres, shortestStep: 0.002 * level.spacingMillimetres)
        return search.maximise(from: start, iterations: iterations ?? level.iterations) { p, wantsGradient in
            let found = metric.evaluate(map, p, wantsGradient, threads)
            return (found.value, found.gradient)
        }
    }

    private func report(
        _ metric: Metric, _ map: LinearMap, _ p: [Double], _ stage: RegistrationProgress.Stage,
        _ level: RegistrationOptions.LinearLevel, _ outcome: inout Outcome
    ) throws {
        let found = metric.evaluate(map, p, false, threads)
        // Levels differ in resolution, so the value as the headers say is taken at the same one.
        outcome.before = metric.evaluate(map, p.map { _ in 0 }, false, threads).value
        outcome.affine = map.worldMap(p)
        outcome.after = found.value
        outcome.overlap = found.overlap
        try progress(
            RegistrationProgress(stage: stage, spacingMillimetres: level.spacingMillimetres, score: found.value))
    }

    // MARK: - Where to start

    /// The more promising of several starting points, best first, each improved a little: as the headers say, middles of
    /// the grids, centres of mass; each also turned by 25° to either side about every axis.
    private func starts(
        _ metric: Metric, _ map: LinearMap, _ level: RegistrationOptions.LinearLevel
    ) throws -> [[Double]] {
        let turn = 25 * Double.pi / 180 * LinearMap.radiusMillimetres
        var shifts = [SIMD3<Double>(), moving.volume.grid.centre - fixed.volume.grid.centre]
        shifts.append(moving.centreOfMass - fixed.centreOfMass)
        var found: [(parameters: [Double], score: Double, isStraight: Bool)] = []
        var widest = 0.0
        for shift in shifts {
            for axis in 0..<3 {
                for angle in axis == 0 ? [0, turn, -turn] : [turn, -turn] {
                    var p = [shift.x, shift.y, shift.z, 0, 0, 0]
                    p[3 + axis] = angle
                    p = optimise(metric, map, p, level, iterations: 8).parameters
                    let (score, overlap) = plausibility(metric, map, p)
                    widest = max(widest, overlap)
                    if overlap > 0.25 { found.append((p, score, angle == 0)) }
                }
            }
        }
        guard !found.isEmpty else { throw RegistrationError.noOverlap(fraction: widest) }
        let ranked = found.enumerated().sorted { ($1.element.score, $0.offset) < ($0.element.score, $1.offset) }
        // Those that set out without a turn stay in: headers are more often right than not.
        return ranked.enumerated().filter { $0.offset < 5 || $0.element.element.isStraight }
            .map(\.element.element.parameters)
    }

    /// The candidate that ends best after a full search at this level.
    private func best(
        _ metric: Metric, _ map: LinearMap, _ candidates: [[Double]], _ level: RegistrationOptions.LinearLevel
    ) -> [Double] {
        var best: (parameters: [Double], score: Double)?
        for candidate in candidates {
            let p = optimise(metric, map, candidate, level).parameters
            let score = plausibility(metric, map, p).score
            if score > (best?.score ?? -.infinity) { best = (p, score) }
        }
        guard let best else { preconditionFailure("at least one candidate is handed in") }
        return best.parameters
    }

    /// How good a position is, to choose between starting points only: mutual information, less where few samples
    /// overlap (a small overlap can look good by chance) and where the head is turned far (a tenth at 45°).
    private func plausibility(
        _ metric: Metric, _ map: LinearMap, _ p: [Double]
    ) -> (score: Double, overlap: Double) {
        let found = metric.evaluate(map, p, false, threads)
        let angle = (p[3] * p[3] + p[4] * p[4] + p[5] * p[5]).squareRoot() / LinearMap.radiusMillimetres
        let turned = angle / (Double.pi / 4)
        return (found.value * min(1, found.overlap / 0.9) / (1 + 0.1 * turned * turned), found.overlap)
    }
}

/// A fixed stream of pseudo-random numbers (SplitMix64) that decides which voxels are sampled.
struct SampleHash {
    private var state: UInt64 = 0x5eed

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
