import CoordinatorClient
import Foundation
import Wire
import Workflow

/// Sends completions: what arrives while one request is under way goes together in the next.
///
/// One transaction of the coordinator then settles many short tasks, and a long task never waits for company.
actor CompletionBatcher {
    typealias Send = @Sendable ([CompletionItem]) async throws -> [CompletionResponse.Item]

    private struct Waiting {
        var item: CompletionItem
        var continuation: CheckedContinuation<CompletionVerdict, any Error>
    }

    private let send: Send
    private var waiting: [Waiting] = []
    private var sending: Task<Void, Never>?
    private var isClosed = false
    /// Largest request; a completion with a thousand measurements is some 200 kB.
    private static let limit = 64

    init(send: @escaping Send) { self.send = send }

    /// The coordinator's verdict on one completion.
    func complete(_ item: CompletionItem) async throws -> CompletionVerdict {
        try await withCheckedThrowingContinuation { continuation in
            guard !isClosed else { return continuation.resume(throwing: CancellationError()) }
            waiting.append(Waiting(item: item, continuation: continuation))
            // Owned by this actor, ended by `close` or by an empty list: a caller's cancellation must not take the
            // completions of others with it.
            if sending == nil { sending = Task { await sendAll() } }
        }
    }

    /// Gives up what has not been answered.
    func close() {
        isClosed = true
        sending?.cancel()
    }

    private func sendAll() async {
        while !waiting.isEmpty {
            let batch = Array(waiting.prefix(Self.limit))
            waiting.removeFirst(batch.count)
            await send(batch)
        }
        sending = nil
    }

    private func send(_ batch: [Waiting]) async {
        do {
            let answers = try await send(batch.map(\.item))
            for waiting in batch {
                if let answer = answers.first(where: { $0.task == waiting.item.lease.task }) {
                    waiting.continuation.resume(returning: answer.verdict)
                } else {
                    waiting.continuation.resume(
                        throwing: ClientError.undecodable(
                            url: "complete", reason: "it says nothing about task \(waiting.item.lease.task)"))
                }
            }
        } catch let error as APIError where batch.count > 1 && !error.endsSession && !error.isPassing {
            // One item that the coordinator refuses must not take the others with it.
            for waiting in batch { await send([waiting]) }
        } catch {
            for waiting in batch { waiting.continuation.resume(throwing: error) }
        }
    }
}
