// LISTEN on a connection of its own.
//
// PostgreSQL keeps no notification for a listener that is away: whatever came while the connection was down is lost.
// `.listening` is therefore an event too, and its receiver looks at the tables once, as after a notification.

import CLibpq
import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// Listens until its stream is dropped, connecting anew whenever the connection breaks.
package struct Listener: Sendable {
    package enum Event: Sendable {
        /// Listening (again): anything may have happened before.
        case listening
        case notification(channel: String, payload: String)
        /// Not listening until the next `.listening`.
        case interrupted(PostgresError)
    }

    package let target: ConnectionTarget
    package let channels: [String]

    package init(_ target: ConnectionTarget, channels: [String]) {
        self.target = target
        self.channels = channels
    }

    /// Starts listening. A receiver slower than the notifications loses the oldest ones, not memory.
    package func events() -> AsyncStream<Event> {
        let (stream, continuation) = AsyncStream.makeStream(of: Event.self, bufferingPolicy: .bufferingNewest(1024))
        guard let bell = Bell() else {
            continuation.yield(.interrupted(.unexpected("no file descriptor left for a listener")))
            continuation.finish()
            return stream
        }
        continuation.onTermination = { _ in bell.ring() }
        let thread = Thread {
            listen(bell, continuation)
            continuation.finish()
        }
        thread.name = "postgres-listen"
        thread.stackSize = 1 << 20
        thread.start()
        return stream
    }

    private func listen(_ bell: Bell, _ continuation: AsyncStream<Event>.Continuation) {
        var backoff = Backoff(first: .milliseconds(50), largest: .seconds(2))
        while !bell.rung {
            do {
                let session = try Session(target)
                for channel in channels {
                    try session.script("LISTEN \"\(channel.replacing("\"", with: "\"\""))\"")
                }
                backoff = Backoff(first: .milliseconds(50), largest: .seconds(2))
                continuation.yield(.listening)
                try receive(session, bell, continuation)
            } catch {
                let failure = error as? PostgresError ?? .unexpected("\(error)")
                continuation.yield(.interrupted(failure))
                bell.wait(backoff.next())
            }
        }
    }

    private func receive(_ session: Session, _ bell: Bell, _ continuation: AsyncStream<Event>.Continuation) throws {
        while !bell.rung {
            while let pointer = PQnotifies(session.connection) {
                let notification = pointer.pointee
                continuation.yield(
                    .notification(
                        channel: String(cString: notification.relname), payload: String(cString: notification.extra)))
                PQfreemem(pointer)
            }
            bell.wait(nil, orReadable: PQsocket(session.connection))
            if bell.rung { return }
            guard PQconsumeInput(session.connection) == 1, PQstatus(session.connection) == CONNECTION_OK else {
                throw session.lost()
            }
        }
    }

    /// Wakes a thread that waits in poll().
    private final class Bell: Sendable {
        private let readEnd: Int32
        private let writeEnd: Int32
        private let state = Atomic(false)

        init?() {
            var ends: [Int32] = [-1, -1]
            guard pipe(&ends) == 0 else { return nil }
            for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
            readEnd = ends[0]
            writeEnd = ends[1]
        }

        deinit {
            close(readEnd)
            close(writeEnd)
        }

        var rung: Bool { state.load(ordering: .acquiring) }

        func ring() {
            state.store(true, ordering: .releasing)
            // Rings once, so the pipe has room; the byte is never read, and every later wait returns at once.
            _ = write(writeEnd, [1], 1)
        }

        /// Returns when rung, readable, or after the time.
        func wait(_ time: Duration?, orReadable socket: Int32 = -1) {
            var entries = [
                pollfd(fd: readEnd, events: Int16(POLLIN), revents: 0),
                pollfd(fd: socket, events: Int16(POLLIN), revents: 0),
            ]
            // An early return only makes the caller look again.
            _ = poll(&entries, 2, time.map { Int32(clamping: $0.milliseconds) } ?? -1)
        }
    }
}
