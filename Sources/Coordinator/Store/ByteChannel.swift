// From a thread that produces bytes to a task that reads them, with bounded memory in between.

import Foundation
import Synchronization

/// The sender blocks its thread while the reader is behind; the reader awaits.
final class ByteChannel: @unchecked Sendable {
    // Unchecked: everything is only touched with `condition` locked.
    private let condition = NSCondition()
    private var pieces: [[UInt8]] = []
    private var outcome: Result<Void, any Error>?
    private var isClosed = false
    private var waiting: CheckedContinuation<[UInt8]?, any Error>?
    private static let capacity = 8

    /// Blocks until there is room. Returns false when nobody reads any more.
    func send(_ piece: [UInt8]) -> Bool {
        condition.lock()
        while pieces.count >= Self.capacity, !isClosed { condition.wait() }
        if isClosed {
            condition.unlock()
            return false
        }
        if let reader = waiting {
            waiting = nil
            condition.unlock()
            reader.resume(returning: piece)
        } else {
            pieces.append(piece)
            condition.unlock()
        }
        return true
    }

    /// Nothing more comes; the reader gets what is left, then the error if there is one.
    func finish(_ error: (any Error)?) {
        condition.lock()
        let result: Result<Void, any Error> = error.map { .failure($0) } ?? .success(())
        outcome = result
        let reader = waiting
        waiting = nil
        condition.unlock()
        switch result {
        case .success: reader?.resume(returning: nil)
        case .failure(let error): reader?.resume(throwing: error)
        }
    }

    /// Nobody reads any more.
    func close() {
        condition.lock()
        isClosed = true
        pieces = []
        let reader = waiting
        waiting = nil
        condition.broadcast()
        condition.unlock()
        reader?.resume(returning: nil)
    }

    /// The next piece; nil after the last.
    func receive() async throws -> [UInt8]? {
        try await withCheckedThrowingContinuation { continuation in take(continuation) }
    }

    private func take(_ continuation: CheckedContinuation<[UInt8]?, any Error>) {
        condition.lock()
        if !pieces.isEmpty {
            let piece = pieces.removeFirst()
            condition.signal()
            condition.unlock()
            continuation.resume(returning: piece)
        } else if let outcome {
            condition.unlock()
            continuation.resume(with: outcome.map { nil })
        } else if isClosed {
            condition.unlock()
            continuation.resume(returning: nil)
        } else {
            waiting = continuation
            condition.unlock()
        }
    }

    /// The reading end: closes the channel when it is dropped or its task is cancelled.
    final class Reader: Sendable {
        private let channel: ByteChannel
        private let onClose: @Sendable () -> Void

        init(channel: ByteChannel, onClose: @escaping @Sendable () -> Void) {
            self.channel = channel
            self.onClose = onClose
        }

        deinit {
            channel.close()
            onClose()
        }

        func next() async throws -> [UInt8]? {
            try await withTaskCancellationHandler {
                try await channel.receive()
            } onCancel: {
                channel.close()
            }
        }
    }
}
