import Dispatch

/// Runs blocking file work on threads of its own, so that a slow disk never holds the threads that answer requests.
package enum BlockingWork {
    private static let queue = DispatchQueue(label: "artifacts", qos: .userInitiated, attributes: .concurrent)

    package static func run<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Result { try work() }) }
        }
    }
}
