import Dispatch

/// Runs blocking calls on threads of their own, so that no disk or process holds the cooperative pool.
func offPool<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        blockingQueue.async { continuation.resume(with: Result { try work() }) }
    }
}

private let blockingQueue = DispatchQueue(label: "worker", qos: .userInitiated, attributes: .concurrent)
