import Dispatch
import Synchronization

/// Runs blocking file work on threads of its own, so that a slow disk never holds the threads that answer requests.
package enum BlockingWork {
    private static let queue = DispatchQueue(label: "artifacts", qos: .userInitiated, attributes: .concurrent)

    /// Whatever `work` holds is let go before the caller goes on: a lock or a pinned file that ends with its last
    /// reference must not outlive the call on a thread that is slow to return.
    package static func run<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        let job = Job(work)
        return try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: job.run()) }
        }
    }

    private final class Job<Value: Sendable>: Sendable {
        private let work: Mutex<(@Sendable () throws -> Value)?>

        init(_ work: @escaping @Sendable () throws -> Value) {
            self.work = Mutex(work)
        }

        func run() -> Result<Value, any Error> {
            guard let work = work.withLock({ $0.take() }) else { preconditionFailure("a job runs once") }
            return Result { try work() }
        }
    }
}
