import Dispatch
import Synchronization

/// Fetches the next batch while the present one is learned from. The batches are the same as without.
struct BatchSource {
    private let data: any TrainingData
    private var pending: (epoch: Int, index: Int, batch: Pending)?

    init(_ data: any TrainingData) { self.data = data }

    /// The batch of `epoch` and `index`; then begins with `next`, if wanted.
    mutating func batch(
        epoch: Int, index: Int, next: (epoch: Int, index: Int), prefetches: Bool
    ) throws -> Batch {
        let batch: Batch
        if let pending, pending.epoch == epoch, pending.index == index {
            batch = try pending.batch.wait()
        } else {
            batch = try data.batch(epoch: epoch, index: index)
        }
        pending = nil
        if prefetches { pending = (next.epoch, next.index, Pending(data, next.epoch, next.index)) }
        return batch
    }

    private final class Pending: Sendable {
        private let result = Mutex<Result<Batch, any Error>?>(nil)
        private let isDone = DispatchSemaphore(value: 0)

        init(_ data: any TrainingData, _ epoch: Int, _ index: Int) {
            DispatchQueue.global().async { [self] in
                let batch = Result { try data.batch(epoch: epoch, index: index) }
                result.withLock { $0 = batch }
                isDone.signal()
            }
        }

        func wait() throws -> Batch {
            isDone.wait()
            return try result.withLock { try $0!.get() }
        }
    }
}
