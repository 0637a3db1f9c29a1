import Synchronization

/// Lets one piece of work through at a time for each key, in order of arrival.
final class SerialGate: Sendable {
    /// Keys at work, with those who wait for them.
    private let queues = Mutex<[String: [CheckedContinuation<Void, Never>]]>([:])

    func run<Value: Sendable>(_ key: String, _ work: () async throws -> Value) async rethrows -> Value {
        await withCheckedContinuation { continuation in
            let isFirst = queues.withLock { queues in
                guard queues[key] != nil else {
                    queues[key] = []
                    return true
                }
                queues[key]?.append(continuation)
                return false
            }
            if isFirst { continuation.resume() }
        }
        defer { leave(key) }
        return try await work()
    }

    private func leave(_ key: String) {
        let next = queues.withLock { queues -> CheckedContinuation<Void, Never>? in
            guard var waiting = queues[key], !waiting.isEmpty else {
                queues[key] = nil
                return nil
            }
            let next = waiting.removeFirst()
            queues[key] = waiting
            return next
        }
        next?.resume()
    }
}
