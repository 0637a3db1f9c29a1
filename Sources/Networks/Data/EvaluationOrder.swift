/// The order of samples a network is judged by: each exactly once, in the order they are given; the last batch may be
/// shorter, so that no sample counts twice.
struct EvaluationOrder: Sendable {
    let samples: Int
    let batch: Int

    var batchesPerEpoch: Int { (samples + batch - 1) / batch }

    /// The samples of batch `number`.
    func range(_ number: Int) -> Range<Int> { number * batch..<min(samples, (number + 1) * batch) }
}

/// In what order samples are gone through.
enum SampleOrder: Sendable {
    case balanced(BalancedOrder)
    case once(EvaluationOrder)

    var batchesPerEpoch: Int {
        switch self {
        case .balanced(let order): order.batchesPerEpoch
        case .once(let order): order.batchesPerEpoch
        }
    }

    func samples(epoch: Int, number: Int) -> [Int] {
        switch self {
        case .balanced(let order): order.samples(epoch: epoch, number: number)
        case .once(let order): Array(order.range(number))
        }
    }
}
