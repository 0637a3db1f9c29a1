// A bounded number of connections, lent one closure at a time.
//
// A server that restarts breaks every connection. A broken idle one is noticed before it is lent and replaced; the next
// callers connect anew, waiting with growing pauses while the server starts (`patience`). A connection that breaks in
// use fails its caller, as only the caller knows whether the work may be repeated; `transaction` repeats it when nothing
// can have been stored.

import Foundation
import Synchronization

package final class Pool: Sendable {
    package let target: ConnectionTarget
    /// Longest wait for a free connection.
    package let waitTimeout: Duration
    /// How long an unreachable server is tried again before a caller is told.
    package let patience: Duration

    private let state: Mutex<PoolState<Connection, Waiter>>
    private let lastWaiter = Atomic<UInt64>(0)

    /// - Parameters:
    ///   - limit: most connections open at once.
    package init(
        _ target: ConnectionTarget, limit: Int, waitTimeout: Duration = .seconds(30), patience: Duration = .zero
    ) {
        self.target = target
        self.waitTimeout = waitTimeout
        self.patience = patience
        state = Mutex(PoolState(limit: limit))
    }

    deinit {
        close()
    }

    /// Runs `body` with a connection of its own, on that connection's thread.
    ///
    /// - Throws: what `body` throws, or `PostgresError`.
    @discardableResult
    package func run<Value: Sendable>(_ body: @escaping @Sendable (Session) throws -> Value) async throws -> Value {
        var grant = try await acquire()
        while true {
            let connection: Connection
            switch grant {
            case .use(let idle): connection = idle
            case .connect:
                do {
                    connection = try await connectPatiently()
                } catch {
                    release(nil)
                    throw error
                }
            }
            let outcome: Connection.Outcome<Value>
            do {
                outcome = try await connection.attempt(body)
            } catch {
                release(nil)
                throw error
            }
            switch outcome {
            case .unusable:
                // It died while idle; the slot stays ours.
                connection.close()
                grant = .connect
            case .finished(let result, let usable):
                if usable {
                    release(connection)
                } else {
                    connection.close()
                    release(nil)
                }
                return try result.get()
            }
        }
    }

    /// Runs `body` in a transaction, and again from its beginning when the server asks for it (deadlock, serialization
    /// failure) or the connection was lost before COMMIT was sent.
    ///
    /// - Parameters:
    ///   - retries: most repetitions.
    ///   - repeatable: true when `body` does no harm by running after a transaction of it that was in fact stored; it is
    ///     then also repeated after a connection lost during COMMIT.
    @discardableResult
    package func transaction<Value: Sendable>(
        isolation: Isolation = .readCommitted, readOnly: Bool = false, retries: Int = 5, repeatable: Bool = false,
        _ body: @escaping @Sendable (Session) throws -> Value
    ) async throws -> Value {
        var remaining = retries
        while true {
            do {
                return try await run { session in
                    try session.transaction(isolation: isolation, readOnly: readOnly, retries: retries, body)
                }
            } catch let error as PostgresError where remaining > 0 && Self.mayRepeat(error, repeatable) {
                remaining -= 1
            }
        }
    }

    private static func mayRepeat(_ error: PostgresError, _ repeatable: Bool) -> Bool {
        switch error {
        case .connectionLost: true
        case .commitUnknown: repeatable
        default: false
        }
    }

    /// Closes the idle connections, turns waiting callers away; those in use close when their work ends.
    package func close() {
        let (idle, waiters) = state.withLock { $0.close() }
        for connection in idle { connection.close() }
        for waiter in waiters { waiter.continuation.resume(throwing: PostgresError.poolClosed) }
    }

    /// Connections in use, idle, and callers waiting.
    package var occupancy: (held: Int, idle: Int, waiting: Int) {
        state.withLock { ($0.held, $0.idle.count, $0.waiting) }
    }

    // MARK: Slots

    private struct Waiter: Sendable {
        var continuation: CheckedContinuation<PoolState<Connection, Waiter>.Grant, any Error>
    }

    private func acquire() async throws -> PoolState<Connection, Waiter>.Grant {
        let id = lastWaiter.wrappingAdd(1, ordering: .relaxed).newValue
        // Most callers find a connection and need neither continuation nor timer.
        if let grant = state.withLock({ $0.takeAtOnce() }) { return grant }
        if Task.isCancelled { throw PostgresError.cancelled }
        // Not a child task: it must not delay the caller, and ends by itself or is cancelled below.
        let timer = Task { [waitTimeout] in
            try await Task.sleep(for: waitTimeout)
            self.turnAway(id, PostgresError.poolExhausted(limit: self.limit, waited: waitTimeout))
        }
        defer { timer.cancel() }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let answer = state.withLock { $0.request(id: id, waiter: Waiter(continuation: continuation)) }
                switch answer {
                case .granted(let grant): continuation.resume(returning: grant)
                case .closed: continuation.resume(throwing: PostgresError.poolClosed)
                case .queued:
                    // The handler below may have run before there was anything to cancel.
                    if Task.isCancelled { turnAway(id, PostgresError.cancelled) }
                }
            }
        } onCancel: {
            turnAway(id, PostgresError.cancelled)
        }
    }

    private var limit: Int { state.withLock { $0.limit } }

    private func turnAway(_ id: UInt64, _ error: PostgresError) {
        state.withLock { $0.remove(id: id) }?.continuation.resume(throwing: error)
    }

    private func release(_ connection: Connection?) {
        switch state.withLock({ $0.release(connection) }) {
        case .resume(let waiter, let grant): waiter.continuation.resume(returning: grant)
        case .discard(let connection): connection.close()
        case .nothing: break
        }
    }

    private func connectPatiently() async throws -> Connection {
        let deadline = ContinuousClock.now + patience
        var backoff = Backoff(first: .milliseconds(20), largest: .milliseconds(500))
        while true {
            do {
                return try await Connection.open(target)
            } catch let error as PostgresError {
                guard case .unreachable = error, ContinuousClock.now < deadline else { throw error }
                if state.withLock({ $0.isClosed }) { throw PostgresError.poolClosed }
                try await Task.sleep(for: backoff.next())
            }
        }
    }
}

/// Pauses between attempts: doubling up to a largest, each shortened by a random part so that callers spread out.
struct Backoff {
    private var current: Duration
    private let largest: Duration

    init(first: Duration, largest: Duration) {
        current = first
        self.largest = largest
    }

    mutating func next() -> Duration {
        defer { current = min(current * 2, largest) }
        return current * Double.random(in: 0.5...1)
    }
}
