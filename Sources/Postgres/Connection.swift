// A session and the thread it lives on.

import CLibpq
import Foundation
import Synchronization

/// A connection to the server, safe to use from any task: work is queued to its thread and runs one piece at a time.
package final class Connection: Sendable {
    private let thread: ConnectionThread
    private let session: Confined
    private let jobs = Mutex(JobState())

    private struct JobState {
        var lastJob: UInt64 = 0
        /// Jobs that have not ended.
        var pending: Set<UInt64> = []
        /// The job on the thread now.
        var current: UInt64?
        /// Handle for stopping the current statement; freed at close.
        var cancelHandle: CancelHandle?
    }

    /// Owner of a PGcancel. Unchecked: PQcancel is documented as thread-safe, and the mutex above guards its lifetime.
    private final class CancelHandle: @unchecked Sendable {
        let pointer: OpaquePointer

        init?(_ connection: OpaquePointer) {
            guard let pointer = PQgetCancel(connection) else { return nil }
            self.pointer = pointer
        }

        deinit {
            PQfreeCancel(pointer)
        }
    }

    /// Unchecked: the session is touched on the connection's thread only.
    private final class Confined: @unchecked Sendable {
        var value: Session?
    }

    /// All cancel requests are sent from here: PQcancel opens a connection of its own and may block.
    private static let cancelThread = ConnectionThread(name: "postgres-cancel")

    private init(thread: ConnectionThread, session: Confined) {
        self.thread = thread
        self.session = session
    }

    deinit {
        close()
    }

    /// Connects, trying once.
    package static func open(_ target: ConnectionTarget) async throws -> Connection {
        let thread = ConnectionThread(name: "postgres")
        let confined = Confined()
        let connection = Connection(thread: thread, session: confined)
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            let accepted = thread.submit {
                do {
                    let session = try Session(target)
                    confined.value = session
                    connection.jobs.withLock { $0.cancelHandle = CancelHandle(session.connection) }
                    continuation.resume()
                } catch {
                    continuation.resume(throwing: error)
                }
            }
            precondition(accepted, "a new thread refused work")
        }
        return connection
    }

    /// What `run` found before or after the closure.
    enum Outcome<Value: Sendable>: Sendable {
        /// The connection had died while idle; the closure did not run.
        case unusable
        case finished(Result<Value, any Error>, usableAfter: Bool)
    }

    /// Runs `body` on the connection's thread. When the calling task is cancelled, the statement in progress is stopped
    /// on the server.
    @discardableResult
    package func run<Value: Sendable>(_ body: @escaping @Sendable (Session) throws -> Value) async throws -> Value {
        switch try await attempt(body) {
        case .unusable: throw PostgresError.connectionLost(server: "the server", reason: "it closed the connection")
        case .finished(let result, _): return try result.get()
        }
    }

    func attempt<Value: Sendable>(
        _ body: @escaping @Sendable (Session) throws -> Value
    ) async throws -> Outcome<Value> {
        let job = jobs.withLock { state in
            state.lastJob += 1
            state.pending.insert(state.lastJob)
            return state.lastJob
        }
        defer { jobs.withLock { _ = $0.pending.remove(job) } }
        let flag = Flag()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let accepted = thread.submit { [self] in
                    continuation.resume(returning: perform(job, flag, body))
                }
                if !accepted { continuation.resume(throwing: PostgresError.poolClosed) }
            }
        } onCancel: {
            flag.set()
            // Not waited for: it only shortens the wait for the statement, and ends with it.
            Task { [self] in
                var pause = Duration.milliseconds(20)
                while isPending(job) {
                    _ = Self.cancelThread.submit { self.stopStatement(of: job) }
                    // A request that arrives before the server has read the statement is lost, so it is repeated.
                    try await Task.sleep(for: pause)
                    pause = min(pause * 2, .seconds(1))
                }
            }
        }
    }

    private func isPending(_ job: UInt64) -> Bool { jobs.withLock { $0.pending.contains(job) } }

    /// A flag shared by the caller, its cancellation handler and the thread.
    private final class Flag: Sendable {
        private let value = Atomic(false)
        func set() { value.store(true, ordering: .releasing) }
        var isSet: Bool { value.load(ordering: .acquiring) }
    }

    /// On the connection's thread.
    private func perform<Value: Sendable>(
        _ job: UInt64, _ cancelled: Flag, _ body: (Session) throws -> Value
    ) -> Outcome<Value> {
        guard let session = session.value, session.isUsable else { return .unusable }
        if cancelled.isSet { return .finished(.failure(PostgresError.cancelled), usableAfter: true) }
        jobs.withLock { $0.current = job }
        var result = Result { try body(session) }
        // Waits for a cancel request in progress, so that it cannot hit the next job's statement.
        jobs.withLock { $0.current = nil }
        if cancelled.isSet, case .failure(let error as PostgresError) = result, error.state == .queryCanceled {
            result = .failure(PostgresError.cancelled)
        }
        return .finished(result, usableAfter: session.isUsable)
    }

    private func stopStatement(of job: UInt64) {
        jobs.withLock { state in
            guard state.current == job, let handle = state.cancelHandle else { return }
            var message = [CChar](repeating: 0, count: 256)
            // A failure means the server is gone or has finished, and the statement then ends by itself.
            _ = PQcancel(handle.pointer, &message, Int32(message.count))
        }
    }

    /// Ends the connection after the work already queued.
    package func close() {
        let session = session
        _ = thread.submit { session.value = nil }
        thread.stop()
    }
}
