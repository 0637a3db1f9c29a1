import CCurl
import Foundation
import Synchronization

/// Carries exchanges with libcurl's multi interface on one thread of its own: connections are kept and reused, nothing
/// blocks the cooperative pool, and a cancelled exchange ends at once.
final class CurlLoop: Sendable {
    private let inbox: CurlInbox

    init(settings: CurlSettings, name: String) {
        inbox = CurlInbox(settings: settings)
        let inbox = inbox
        let thread = Thread { inbox.serve() }
        thread.name = name
        thread.stackSize = 1 << 20
        thread.start()
    }

    deinit { inbox.close() }

    /// - Throws: `TransportFailure`, `CancellationError`, or what the request's own callbacks threw.
    func perform(_ request: HTTPRequest) async throws -> HTTPAnswer {
        let id = inbox.newID()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                inbox.submit(id, request, continuation)
            }
        } onCancel: {
            inbox.cancel(id)
        }
    }
}

/// What callers leave for the loop's thread, and that thread.
///
/// `@unchecked Sendable`: `multi` is used by the loop's thread alone, except for `curl_multi_wakeup`, which libcurl
/// documents as callable from any thread; `isOpen` under the lock keeps that from happening after its end. Everything
/// else that is shared is inside the lock.
private final class CurlInbox: @unchecked Sendable {
    private struct Shared {
        var isOpen = true
        var lastID: UInt64 = 0
        var arrived: [Submission] = []
        /// Begun and not ended.
        var live: Set<UInt64> = []
        /// The live ones that nobody wants any more.
        var cancelled: Set<UInt64> = []
    }

    private struct Submission {
        var id: UInt64
        var request: HTTPRequest
        var continuation: CheckedContinuation<HTTPAnswer, any Error>
    }

    private let shared = Mutex(Shared())
    private let settings: CurlSettings
    private let multi: UnsafeMutableRawPointer

    /// libcurl wants one global start before any thread uses it.
    private static let started: Void = { _ = curl_global_init(Int(CURL_GLOBAL_ALL)) }()

    init(settings: CurlSettings) {
        _ = Self.started
        self.settings = settings
        guard let multi = curl_multi_init() else { preconditionFailure("libcurl has no memory for its first handle") }
        self.multi = multi
    }

    // MARK: Any thread

    func newID() -> UInt64 {
        shared.withLock {
            $0.lastID += 1
            $0.live.insert($0.lastID)
            return $0.lastID
        }
    }

    func submit(_ id: UInt64, _ request: HTTPRequest, _ continuation: CheckedContinuation<HTTPAnswer, any Error>) {
        shared.withLock { shared in
            shared.arrived.append(Submission(id: id, request: request, continuation: continuation))
            curl_multi_wakeup(multi)
        }
    }

    func cancel(_ id: UInt64) {
        shared.withLock { shared in
            // It may have ended while the cancellation was on its way.
            guard shared.live.contains(id) else { return }
            shared.cancelled.insert(id)
            curl_multi_wakeup(multi)
        }
    }

    func close() {
        shared.withLock { shared in
            shared.isOpen = false
            curl_multi_wakeup(multi)
        }
    }

    // MARK: The loop's thread

    func serve() {
        // OpenSSL writes to sockets without MSG_NOSIGNAL; signals belong to the threads that expect them.
        var all = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_BLOCK, &all, nil)

        var transfers: [UnsafeMutableRawPointer: CurlTransfer] = [:]
        while takeIn(&transfers) {
            var running: Int32 = 0
            curl_multi_perform(multi, &running)
            var code = CURLE_OK
            while let handle = qsm_curl_multi_next_ended(multi, &code) {
                curl_multi_remove_handle(multi, handle)
                if let transfer = transfers.removeValue(forKey: handle) {
                    settle(transfer.id)
                    transfer.finish(code)
                }
            }
            curl_multi_poll(multi, nil, 0, 60_000, nil)
        }
        curl_multi_cleanup(multi)
    }

    /// Adds what arrived and drops what was cancelled. False when the owner is gone: a waiting caller holds the owner,
    /// so nothing can be in flight then.
    private func takeIn(_ transfers: inout [UnsafeMutableRawPointer: CurlTransfer]) -> Bool {
        let (isOpen, arrived, cancelled) = shared.withLock { shared in
            let taken = (shared.isOpen, shared.arrived, shared.cancelled)
            shared.arrived = []
            return taken
        }
        for (handle, transfer) in transfers where cancelled.contains(transfer.id) {
            curl_multi_remove_handle(multi, handle)
            transfers[handle] = nil
            settle(transfer.id)
            transfer.fail(CancellationError())
        }
        for submission in arrived {
            let transfer = CurlTransfer(
                id: submission.id, request: submission.request, settings: settings,
                continuation: submission.continuation)
            guard !cancelled.contains(submission.id) else {
                settle(submission.id)
                transfer.fail(CancellationError())
                continue
            }
            do {
                let handle = try transfer.prepare()
                let code = curl_multi_add_handle(multi, handle)
                guard code == CURLM_OK else {
                    throw TransportFailure(
                        cause: .unusable, reason: String(cString: curl_multi_strerror(code)), receivedBytes: 0)
                }
                transfers[handle] = transfer
            } catch {
                settle(submission.id)
                transfer.fail(error)
            }
        }
        return isOpen
    }

    private func settle(_ id: UInt64) {
        shared.withLock { shared in
            shared.live.remove(id)
            shared.cancelled.remove(id)
        }
    }
}
