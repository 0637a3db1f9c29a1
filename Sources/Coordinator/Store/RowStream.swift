import Dispatch
import Synchronization

/// Carries pieces from a thread that may block to a task that may not, holding a few in between.
///
/// The producer waits while the buffer is full, so a slow reader costs a bounded amount of memory; it gives up when
/// nobody takes anything for a long time, so a reader that hangs does not keep a snapshot of the database open.
final class RowStream: Sendable {
    private struct State {
        var pieces: [[UInt8]] = []
        var end: Result<Void, any Error>?
        var reader: CheckedContinuation<[UInt8]?, any Error>?
        var isAbandoned = false
    }

    private let state = Mutex(State())
    /// One signal per free place.
    private let places = DispatchSemaphore(value: 0)
    private let patienceSeconds: Int

    init(places count: Int = 16, patienceSeconds: Int = 300) {
        self.patienceSeconds = patienceSeconds
        for _ in 0..<count { places.signal() }
    }

    /// Hands a piece over; blocks while the buffer is full. For a thread of its own, not for a task.
    func put(_ piece: [UInt8]) throws {
        guard places.wait(timeout: .now() + .seconds(patienceSeconds)) == .success else {
            throw ResultError.abandoned(seconds: patienceSeconds)
        }
        let reader = try state.withLock { state -> CheckedContinuation<[UInt8]?, any Error>? in
            if state.isAbandoned { throw CancellationError() }
            if let reader = state.reader {
                state.reader = nil
                return reader
            }
            state.pieces.append(piece)
            return nil
        }
        if let reader {
            places.signal()
            reader.resume(returning: piece)
        }
    }

    func finish(_ end: Result<Void, any Error>) {
        let reader = state.withLock { state in
            state.end = end
            defer { state.reader = nil }
            return state.reader
        }
        guard let reader else { return }
        reader.resume(with: end.map { nil })
    }

    /// The next piece; nil after the last.
    func next() async throws -> [UInt8]? {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                enum Step { case piece([UInt8]), end(Result<Void, any Error>), cancelled, wait }
                let step = state.withLock { state -> Step in
                    if state.isAbandoned { return .cancelled }
                    if !state.pieces.isEmpty { return .piece(state.pieces.removeFirst()) }
                    if let end = state.end { return .end(end) }
                    state.reader = continuation
                    return .wait
                }
                switch step {
                case .piece(let piece):
                    places.signal()
                    continuation.resume(returning: piece)
                case .end(let end): continuation.resume(with: end.map { nil })
                case .cancelled: continuation.resume(throwing: CancellationError())
                case .wait: break
                }
            }
        } onCancel: {
            abandon()
        }
    }

    /// Nobody reads any more: the producer fails at its next piece.
    func abandon() {
        let reader = state.withLock { state in
            state.isAbandoned = true
            state.pieces = []
            defer { state.reader = nil }
            return state.reader
        }
        places.signal()
        reader?.resume(throwing: CancellationError())
    }
}
