// A private PostgreSQL server in a folder, on a Unix socket only.
//
// The first qsmflow that needs the folder starts the server; others that come while it runs join it; the last to leave
// stops it. The server does not die with its starter: after `kill -9` of everything it is joined if it still runs, and
// started again otherwise, when PostgreSQL recovers from its log. While in use it is watched and restarted if it dies.

import CSpawn
import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

package struct LocalServerConfiguration: Sendable {
    /// Folder of the state; the server lives in its subfolder "postgres".
    package var stateFolder: String
    package var maxConnections = 50
    package var sharedBuffersMebibytes = 128
    /// False gives up safety against power loss for speed: for tests.
    package var isDurable = true
    /// The server stops at once when the process that started it ends, however it ends: for tests.
    package var endsWithStarter = false
    /// Recovery after a crash may take long; the wait is cut short when the server ends.
    package var readyTimeoutSeconds = 180
    package var stopTimeoutSeconds = 60

    package init(stateFolder: String) {
        self.stateFolder = stateFolder
    }
}

/// A change an operator may want to know of.
package enum LocalServerEvent: Sendable {
    /// The server ended while in use, and runs again.
    case restarted
    /// The server ended while in use, and did not start; it is tried again.
    case restartFailed(LocalPostgresError)
}

package final class LocalServer: Sendable {
    /// For libpq; user, database and socket are all named.
    package let connectionString: String
    private let launcher: Launcher
    private let usersLock: FileLock
    private let onEvent: @Sendable (LocalServerEvent) -> Void
    private let state: Mutex<State>
    private let wake: WakePipe
    /// Signalled when the watching thread has ended, and with it reaped the server.
    private let watchEnded = DispatchSemaphore(value: 0)

    private struct State {
        var process: Int32
        /// Started by this process, which therefore must reap it.
        var isChild: Bool
        var isStopping = false
    }

    /// Role and database that `initdb` makes.
    package static let role = "qsmflow"
    package static let database = "qsmflow"

    /// Starts the server of a state folder, or joins it.
    ///
    /// - Parameter onEvent: called from the thread that watches the server.
    /// - Throws: `LocalPostgresError`.
    package static func start(
        _ configuration: LocalServerConfiguration, onEvent: @escaping @Sendable (LocalServerEvent) -> Void = { _ in }
    ) async throws -> LocalServer {
        try await onThread { try startBlocking(configuration, onEvent) }
    }

    /// Lets go of the server, and stops it when nobody else uses it.
    package func stop() async throws {
        try await Self.onThread { try self.stopBlocking() }
    }

    package var installation: Installation { launcher.installation }

    /// What the server has to say.
    package var logFile: String { launcher.folder.log }

    package var dataFolder: String { launcher.folder.data }

    /// Process id of the server now.
    package var process: Int32 { state.withLock { $0.process } }

    // MARK: Start

    private static func startBlocking(
        _ configuration: LocalServerConfiguration, _ onEvent: @escaping @Sendable (LocalServerEvent) -> Void
    ) throws -> LocalServer {
        let stateFolder = try ServerFolder.makeState(in: configuration.stateFolder)
        let user = try ServerUser.toDropTo()
        let usersLock = try FileLock(ServerFolder.usersLock(stateFolder))
        return try FileLock.holding(ServerFolder.startLock(stateFolder)) {
            let folder = try ServerFolder(state: stateFolder, user: user)
            let installation = try chooseInstallation(for: folder, isDurable: configuration.isDurable)
            let launcher = Launcher(configuration: configuration, folder: folder, installation: installation)
            let started = try launcher.join() ?? launcher.launch()
            try usersLock.lock(.shared)
            return try LocalServer(launcher: launcher, started: started, usersLock: usersLock, onEvent: onEvent)
        }
    }

    /// The newest installation for a new cluster, which is made now; for an old one, that of its version.
    private static func chooseInstallation(for folder: ServerFolder, isDurable: Bool) throws -> Installation {
        let (installed, searched) = try Installation.all()
        guard let newest = installed.first else { throw LocalPostgresError.notInstalled(searched: searched) }
        guard let major = try folder.dataVersion() else {
            try ClusterSetup(folder: folder, installation: newest, isDurable: isDurable).make()
            return newest
        }
        guard let matching = installed.first(where: { $0.major == major }) else {
            throw LocalPostgresError.otherVersion(folder: folder.data, wanted: major, installed: installed.map(\.major))
        }
        return matching
    }

    private init(
        launcher: Launcher, started: Launcher.Started, usersLock: FileLock,
        onEvent: @escaping @Sendable (LocalServerEvent) -> Void
    ) throws {
        self.launcher = launcher
        self.usersLock = usersLock
        self.onEvent = onEvent
        let folder = launcher.folder
        connectionString =
            "host=\(Self.quote(folder.socket)) port=\(ServerFolder.port) user=\(Self.role) dbname=\(Self.database)"
        state = Mutex(State(process: started.process, isChild: started.isChild))
        wake = try WakePipe()
        watch()
    }

    private static func quote(_ value: String) -> String {
        "'" + value.replacing("\\", with: "\\\\").replacing("'", with: "\\'") + "'"
    }

    // MARK: Watch

    /// Waits for the end of the server on a thread of its own, and starts it again unless it was meant to end.
    private func watch() {
        let thread = Thread { [weak self, wake, watchEnded] in
            defer { watchEnded.signal() }
            while true {
                // Not held while waiting, so that a server nobody refers to any more is let go of.
                guard let (process, isChild) = self?.state.withLock({ ($0.process, $0.isChild) }) else { return }
                guard qsm_await_process(process, wake.readEnd, -1) == 1 else { return }
                if isChild {
                    var status = qsm_exit_status()
                    // Reaped elsewhere at worst.
                    _ = qsm_wait4(process, &status)
                }
                guard let self, self.restart() else { return }
            }
        }
        thread.name = "postgres-watch"
        thread.start()
    }

    /// Returns false when the server was meant to end.
    private func restart() -> Bool {
        var pauseMilliseconds: Int32 = 100
        while true {
            if state.withLock({ $0.isStopping }) { return false }
            do {
                let runs = try FileLock.holding(ServerFolder.startLock(launcher.folder.state)) {
                    // Stopped while we waited for the lock.
                    if state.withLock({ $0.isStopping }) { return false }
                    let (process, isChild) = try launcher.join() ?? launcher.launch()
                    state.withLock {
                        $0.process = process
                        $0.isChild = isChild
                    }
                    return true
                }
                if runs { onEvent(.restarted) }
                return runs
            } catch {
                onEvent(
                    .restartFailed(
                        error as? LocalPostgresError
                            ?? .failed(
                                program: "postgres", reason: "\(error)", log: launcher.folder.log)))
                wake.wait(pauseMilliseconds)
                pauseMilliseconds = min(pauseMilliseconds * 2, 5000)
            }
        }
    }

    // MARK: Stop

    deinit {
        wake.ring()
    }

    /// As `stop`, blocking the calling thread.
    package func stopBlocking() throws {
        let first = state.withLock { state in
            defer { state.isStopping = true }
            return !state.isStopping
        }
        guard first else { return }
        defer {
            wake.ring()
            watchEnded.wait()
            usersLock.unlock()
        }
        try FileLock.holding(ServerFolder.startLock(launcher.folder.state)) {
            // Fails while another qsmflow uses the server: it will stop it.
            guard usersLock.tryExclusive() else { return }
            try end(state.withLock { $0.process })
        }
    }

    private func end(_ process: Int32) throws(LocalPostgresError) {
        guard Postmaster.isServer(process, of: launcher.folder.data) else { return }
        // Fast shutdown: open transactions are rolled back, everything stored is written.
        kill(process, SIGINT)
        let seconds = launcher.configuration.stopTimeoutSeconds
        if qsm_await_process(process, -1, Int32(seconds) * 1000) != 1 {
            // Immediate shutdown: the next start recovers from the log.
            kill(process, SIGQUIT)
            throw .didNotStop(process: process, seconds: seconds)
        }
        if launcher.folder.socketIsElsewhere {
            // The next start makes it again; one that is not empty is of use to somebody.
            rmdir(launcher.folder.socket)
        }
    }

    /// Runs blocking work on a thread of its own, off Swift's cooperative pool.
    private static func onThread<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value
    {
        try await withCheckedThrowingContinuation { continuation in
            let thread = Thread { continuation.resume(with: Result { try work() }) }
            thread.name = "postgres-start"
            thread.start()
        }
    }
}

/// Wakes a thread that waits for a process.
final class WakePipe: Sendable {
    let readEnd: Int32
    private let writeEnd: Int32

    init() throws(LocalPostgresError) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw .fileSystem(action: "make", path: "a pipe", code: errno) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        readEnd = ends[0]
        writeEnd = ends[1]
    }

    deinit {
        close(readEnd)
        close(writeEnd)
    }

    /// Every later wait returns at once; rung a few times at most, so the pipe never fills.
    func ring() { _ = write(writeEnd, [1], 1) }

    func wait(_ milliseconds: Int32) {
        var entry = pollfd(fd: readEnd, events: Int16(POLLIN), revents: 0)
        // An early return only makes the caller try sooner.
        _ = poll(&entry, 1, milliseconds)
    }
}
