/// Batch, instance and group normalisation, conventions of PyTorch: (x − mean)/√(variance + ε)·scale + shift, the
/// variance biased, scale and shift per channel.
package struct Normalisation: Hashable, Sendable, Codable {
    package enum Kind: Hashable, Sendable, Codable {
        /// Statistics of each channel over the batch.
        case batch
        /// Statistics of each channel of each image.
        case instance
        /// Statistics of each group of channels of each image.
        case group(Int)
    }

    package var kind: Kind
    package var epsilon: Float

    package init(_ kind: Kind, epsilon: Float = 1e-5) { (self.kind, self.epsilon) = (kind, epsilon) }

    /// Statistics of batches, averaged while training; read at inference. One value per channel.
    package struct Running {
        package let mean, variance: UnsafeMutablePointer<Float>
        /// Share of the newest batch.
        package let momentum: Float

        package init(
            mean: UnsafeMutablePointer<Float>, variance: UnsafeMutablePointer<Float>, momentum: Float = 0.1
        ) {
            (self.mean, self.variance, self.momentum) = (mean, variance, momentum)
        }
    }

    /// Values that `trainForward` leaves for `backward`: for each image (batch normalisation: once) and each channel,
    /// padding channels included, all means, then all 1/√(variance + ε), then what rounding took from the means.
    package func savedCount(for shape: FeatureShape) -> Int { 3 * sets(shape) * shape.blocks * 16 }

    private func sets(_ shape: FeatureShape) -> Int { kind == .batch ? 1 : shape.batch }

    /// Normalises with the statistics of x itself.
    ///
    /// - Parameters:
    ///   - scale, shift: one value per channel; nil: 1 and 0.
    ///   - y: shape of x; may be x where no gradient is wanted.
    ///   - saved: `savedCount` values for `backward`, overwritten.
    ///   - running: updated; batch normalisation takes the unbiased variance, as PyTorch does. Instance normalisation
    ///     averages over images.
    package func trainForward(
        _ x: FeatureMap, scale: UnsafePointer<Float>?, shift: UnsafePointer<Float>?, to y: FeatureMap,
        saved: UnsafeMutablePointer<Float>, running: Running? = nil, activation: Epilogue = .none, threads: Int
    ) {
        check(y, x.shape, "The output of normalisation")
        let statistics = statistics(x, threads: threads)
        save(statistics, to: saved)
        if let running { update(running, statistics, x.shape) }
        apply(x, saved, scale, shift, to: y, activation, threads)
    }

    private func save(_ statistics: Statistics, to saved: UnsafeMutablePointer<Float>) {
        let count = statistics.mean.count
        for (index, mean) in statistics.mean.enumerated() {
            saved[index] = Float(mean)
            saved[count + index] = Float(statistics.inverseDeviation(index, epsilon))
            saved[2 * count + index] = Float(mean - Double(Float(mean)))
        }
    }

    /// Normalises with running statistics, or with those of x itself where there are none (as instance and group
    /// normalisation mostly do).
    ///
    /// - Parameters: as above; y may be x. Group normalisation has no running statistics.
    package func inferForward(
        _ x: FeatureMap, running: Running?, scale: UnsafePointer<Float>?, shift: UnsafePointer<Float>?,
        to y: FeatureMap, activation: Epilogue = .none, threads: Int
    ) {
        check(y, x.shape, "The output of normalisation")
        let (lanes, sets) = (x.shape.blocks * 16, sets(x.shape))
        var saved = [Float](repeating: 0, count: savedCount(for: x.shape))
        if let running {
            checkHasRunningStatistics()
            for index in 0..<sets * lanes where index % lanes < x.shape.channels {
                saved[index] = running.mean[index % lanes]
                let variance = Double(running.variance[index % lanes])
                saved[sets * lanes + index] = Float(1 / (variance + Double(epsilon)).squareRoot())
            }
        } else {
            save(statistics(x, threads: threads), to: &saved)
        }
        saved.withUnsafeBufferPointer { apply(x, $0.baseAddress!, scale, shift, to: y, activation, threads) }
    }

    /// Gradients of `trainForward`. Which values the activation cut off is computed again from x.
    ///
    /// - Parameters:
    ///   - x, saved, scale, shift, activation: those of `trainForward`.
    ///   - dx: may be dy.
    ///   - scaleGradient, shiftGradient: one value per channel, overwritten; nil: not wanted.
    package func backward(
        x: FeatureMap, saved: UnsafePointer<Float>, scale: UnsafePointer<Float>?, shift: UnsafePointer<Float>?,
        gradient dy: FeatureMap, activation: Epilogue = .none, to dx: FeatureMap,
        scaleGradient: UnsafeMutablePointer<Float>?, shiftGradient: UnsafeMutablePointer<Float>?, threads: Int
    ) {
        check(dy, x.shape, "The gradient behind normalisation")
        check(dx, x.shape, "The gradient of normalisation")
        let shape = x.shape
        let (lanes, sets, channels) = (shape.blocks * 16, sets(shape), shape.channels)
        let table = LaneTable(shape: shape, sets: sets, saved: saved, scale: scale, shift: shift)
        let pieces = Pieces(shape)
        let sums = ChannelSums(pieces, kinds: 2)
        pieces.forEach(threads: threads) { run in
            let at = table.place(image: run.image, block: run.block)
            normaliseBackwardSums(
                x.start(run), dy.start(run), run.count, table.mean + at, table.factor + at, table.shift + at,
                activation.code, activation.slope, sums.part(run.index, 0), sums.part(run.index, 1))
        }
        // Per set of statistics and channel: sums of the gradient and of gradient · (x − mean).
        var gradientSums = [Double](repeating: 0, count: sets * lanes)
        var productSums = gradientSums
        for image in 0..<shape.batch {
            for channel in 0..<channels {
                let index = (sets == 1 ? 0 : image) * lanes + channel
                gradientSums[index] += sums.total(0, image: image, channel: channel)
                productSums[index] += sums.total(1, image: image, channel: channel)
            }
        }
        let residues = saved + 2 * sets * lanes
        for index in 0..<sets * lanes { productSums[index] -= Double(residues[index]) * gradientSums[index] }
        for channel in 0..<channels {
            var (ofScale, ofShift) = (0.0, 0.0)
            for set in 0..<sets {
                let index = set * lanes + channel
                ofScale += productSums[index] * Double(saved[sets * lanes + index])
                ofShift += gradientSums[index]
            }
            scaleGradient?[channel] = Float(ofScale)
            shiftGradient?[channel] = Float(ofShift)
        }
        // dx = factor·g − inverse·mean(scale·g) − (x − mean)·inverse³·mean(scale·g·(x − mean))
        let members = groupSize(channels)
        let values = Double(shape.positions * members * (sets == 1 ? shape.batch : 1))
        for set in 0..<sets {
            for first in stride(from: 0, to: channels, by: members) {
                let range = set * lanes + first..<set * lanes + first + members
                var (ofGradient, ofProduct) = (0.0, 0.0)
                for index in range {
                    let weight = Double(scale?[index - set * lanes] ?? 1)
                    ofGradient += gradientSums[index] * weight
                    ofProduct += productSums[index] * weight
                }
                for index in range {
                    let inverse = Double(saved[sets * lanes + index])
                    let tilt = inverse * inverse * inverse * ofProduct / values
                    table.offset[index] = Float(inverse * ofGradient / values - Double(residues[index]) * tilt)
                    table.tilt[index] = Float(tilt)
                }
            }
        }
        pieces.forEach(threads: threads) { run in
            let at = table.place(image: run.image, block: run.block)
            normaliseBackward(
                x.start(run), dy.start(run), dx.start(run), run.count, table.mean + at, table.factor + at,
                table.shift + at, table.offset + at, table.tilt + at, activation.code, activation.slope)
        }
    }

    private func groupSize(_ channels: Int) -> Int {
        guard case .group(let groups) = kind else { return 1 }
        precondition(
            groups > 0 && channels % groups == 0, "\(channels) channels cannot be cut into \(groups) equal groups")
        return channels / groups
    }

    private func apply(
        _ x: FeatureMap, _ saved: UnsafePointer<Float>, _ scale: UnsafePointer<Float>?,
        _ shift: UnsafePointer<Float>?, to y: FeatureMap, _ activation: Epilogue, _ threads: Int
    ) {
        let table = LaneTable(shape: x.shape, sets: sets(x.shape), saved: saved, scale: scale, shift: shift)
        Pieces(x.shape).forEach(threads: threads) { run in
            let at = table.place(image: run.image, block: run.block)
            normalise(
                x.start(run), y.start(run), run.count, table.mean + at, table.factor + at, table.shift + at,
                activation.code, activation.slope)
        }
    }

    /// Mean and variance of each set of statistics, per channel.
    private struct Statistics {
        var mean, variance: [Double]
        /// Values that each is made of.
        var count: Int
        /// Padding channels have none.
        var isChannel: [Bool]

        func inverseDeviation(_ index: Int, _ epsilon: Float) -> Double {
            isChannel[index] ? 1 / (variance[index] + Double(epsilon)).squareRoot() : 0
        }
    }

    private func statistics(_ x: FeatureMap, threads: Int) -> Statistics {
        let shape = x.shape
        let pieces = Pieces(shape)
        let moments = ChannelSums(pieces, kinds: 2)
        pieces.forEach(threads: threads) { run in
            channelMoments(x.start(run), run.count, moments.part(run.index, 0), moments.part(run.index, 1))
        }
        let (lanes, sets, members) = (shape.blocks * 16, sets(shape), groupSize(shape.channels))
        var result = Statistics(
            mean: [Double](repeating: 0, count: sets * lanes), variance: [Double](repeating: 0, count: sets * lanes),
            count: shape.positions * members * (sets == 1 ? shape.batch : 1),
            isChannel: (0..<sets * lanes).map { $0 % lanes < shape.channels })
        for set in 0..<sets {
            for first in stride(from: 0, to: shape.channels, by: members) {
                var merged = Moments()
                for image in sets == 1 ? 0..<shape.batch : set..<set + 1 {
                    for channel in first..<first + members {
                        let (run, lane) = moments.place(image: image, channel: channel)
                        for part in 0..<pieces.runsPerBlock {
                            merged.add(
                                mean: moments.part(run + part, 0)[lane], squares: moments.part(run + part, 1)[lane],
                                count: min(Pieces.vectors, shape.positions - part * Pieces.vectors))
                        }
                    }
                }
                for channel in first..<first + members {
                    result.mean[set * lanes + channel] = merged.mean
                    result.variance[set * lanes + channel] = merged.squares / Double(max(1, merged.count))
                }
            }
        }
        return result
    }

    private func checkHasRunningStatistics() {
        if case .group = kind { preconditionFailure("Group normalisation has no running statistics") }
    }

    private func update(_ running: Running, _ statistics: Statistics, _ shape: FeatureShape) {
        checkHasRunningStatistics()
        let (lanes, sets) = (shape.blocks * 16, sets(shape))
        let count = Double(statistics.count)
        let momentum = Double(running.momentum)
        for channel in 0..<shape.channels {
            var (mean, variance) = (0.0, 0.0)
            for set in 0..<sets {
                mean += statistics.mean[set * lanes + channel] / Double(sets)
                variance += statistics.variance[set * lanes + channel] / Double(sets)
            }
            // A single value has no unbiased variance.
            if count > 1 { variance *= count / (count - 1) }
            running.mean[channel] = Float((1 - momentum) * Double(running.mean[channel]) + momentum * mean)
            running.variance[channel] = Float(
                (1 - momentum) * Double(running.variance[channel]) + momentum * variance)
        }
    }
}

/// Mean and sum of squared deviations of values that come in portions (Chan, Golub and LeVeque 1983).
private struct Moments {
    var mean = 0.0, squares = 0.0
    var count = 0

    mutating func add(mean other: Double, squares otherSquares: Double, count added: Int) {
        let total = Double(count + added)
        let difference = other - mean
        mean += difference * (Double(added) / total)
        squares += otherSquares + difference * difference * (Double(count) * Double(added) / total)
        count += added
    }
}

/// What the hot loops read of each channel: mean, factor = scale/deviation and shift; offset and tilt of the gradient.
/// The shift makes up for what rounding took from the mean. Zero in padding channels.
private final class LaneTable {
    let mean, factor, shift, offset, tilt: UnsafeMutablePointer<Float>
    private let storage: FeatureStorage
    private let lanes, sets: Int

    init(
        shape: FeatureShape, sets: Int, saved: UnsafePointer<Float>, scale: UnsafePointer<Float>?,
        shift shifts: UnsafePointer<Float>?
    ) {
        lanes = shape.blocks * 16
        self.sets = sets
        let count = sets * lanes
        storage = FeatureStorage(count: 5 * count)
        mean = storage.base
        factor = mean + count
        shift = mean + 2 * count
        offset = mean + 3 * count
        tilt = mean + 4 * count
        for index in 0..<count where index % lanes < shape.channels {
            let channel = index % lanes
            mean[index] = saved[index]
            factor[index] = saved[count + index] * (scale?[channel] ?? 1)
            shift[index] = Float(
                Double(shifts?[channel] ?? 0) - Double(saved[2 * count + index]) * Double(factor[index]))
        }
    }

    /// Where the sixteen channels of a block of an image begin.
    func place(image: Int, block: Int) -> Int { (sets == 1 ? 0 : image) * lanes + block * 16 }
}
