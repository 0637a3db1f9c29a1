import Kernels

/// What a random number of the training data is for. Every draw is a function of (seed, epoch, sample, purpose), so
/// that one kind of augmentation switched off leaves the numbers of the others as they were, and a resumed training
/// sees the same data.
enum RandomPurpose: UInt32 {
    // Far from the small numbers that layers and initial weights count with under the same seed.
    case foregroundIndex = 0xDA7A_0001
    case order
    case choice
    case spatial
    case elastic
    case intensity
    case bias
    case noise

    func stream(_ random: Philox, epoch: Int, sample: Int) -> Philox.Stream {
        random.stream(UInt32(truncatingIfNeeded: epoch), UInt32(truncatingIfNeeded: sample), rawValue)
    }
}
