import Kernels

/// The order of samples of an epoch in which every batch has at least so many positives.
///
/// Positives are few: they are gone through in random order as often as needed. Every negative comes at least once an
/// epoch, and every positive too. All batches are full; the last is filled up with samples of the next round.
package struct BalancedOrder: Sendable {
    package let batchesPerEpoch: Int
    private let positives: [Int]
    private let negatives: [Int]
    private let batch: Int
    private let minimumPositives: Int
    private let random: Philox

    /// - Parameter isPositive: for every sample.
    /// - Throws: `TrainingDataError` when the batch has no room, or there are no positives though some are wanted.
    package init(isPositive: [Bool], batch: Int, minimumPositives: Int, seed: UInt64) throws {
        positives = isPositive.indices.filter { isPositive[$0] }
        negatives = isPositive.indices.filter { !isPositive[$0] }
        guard !isPositive.isEmpty else { throw TrainingDataError.empty("there is no sample") }
        guard batch > 0, minimumPositives >= 0, minimumPositives <= batch else {
            throw TrainingDataError.settings("a batch of \(batch) cannot hold \(minimumPositives) positives")
        }
        guard minimumPositives == 0 || !positives.isEmpty else {
            throw TrainingDataError.empty("no sample is positive, and every batch needs \(minimumPositives)")
        }
        guard minimumPositives < batch || negatives.isEmpty else {
            throw TrainingDataError.settings(
                "a batch of \(batch) with \(minimumPositives) positives has no room for others")
        }
        // As many batches as it takes for the rest to come by once: negatives, and positives beyond the minimum.
        var batches = max(1, (isPositive.count + batch - 1) / batch)
        while minimumPositives < batch,
            batches * (batch - minimumPositives) < negatives.count
                + max(0, positives.count - batches * minimumPositives)
        { batches += 1 }
        batchesPerEpoch = batches
        (self.batch, self.minimumPositives, random) = (batch, minimumPositives, Philox(seed: seed))
    }

    /// The samples of one batch, positives among the others in random order.
    package func samples(epoch: Int, number: Int) -> [Int] {
        let rare = minimumPositives
        var chosen = (0..<rare).map { n in pick(positives, number * rare + n, kind: 0, epoch: epoch) }
        // Positives that the minimum does not reach this epoch lie among the rest.
        let reached = batchesPerEpoch * rare
        let beyond = max(0, positives.count - reached)
        let rest = negatives.count + beyond
        for n in 0..<(batch - rare) {
            if rest == 0 {
                chosen.append(
                    pick(positives, batchesPerEpoch * rare + number * (batch - rare) + n, kind: 0, epoch: epoch))
                continue
            }
            let place = position(number * (batch - rare) + n, of: rest, kind: 1, epoch: epoch)
            chosen.append(
                place < negatives.count
                    ? negatives[place] : pick(positives, reached + place - negatives.count, kind: 0, epoch: epoch))
        }
        var stream = RandomPurpose.order.stream(random, epoch: epoch, sample: number << 2 | 3)
        let order = stream.permutation(chosen.count)
        return order.map { chosen[$0] }
    }

    private func pick(_ samples: [Int], _ number: Int, kind: Int, epoch: Int) -> Int {
        samples[position(number, of: samples.count, kind: kind, epoch: epoch)]
    }

    /// Number `number` of an endless sequence of random orders of 0 ..< count.
    private func position(_ number: Int, of count: Int, kind: Int, epoch: Int) -> Int {
        var stream = RandomPurpose.order.stream(random, epoch: epoch, sample: (number / count) << 2 | kind)
        return stream.permutation(count)[number % count]
    }
}
