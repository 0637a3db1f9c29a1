// Joining a running server, clearing away what a killed one left, and starting a new one.
// Everything here runs with `start.lock` held: one process at a time decides about the folder.

import CSpawn
import Foundation

#if canImport(Glibc)
    import Glibc
#endif

struct Launcher {
    let configuration: LocalServerConfiguration
    let folder: ServerFolder
    let installation: Installation

    typealias Started = (process: Int32, isChild: Bool)

    /// Joins the server if it runs, waiting until it is ready; nil when there is none (any more).
    func join() throws(LocalPostgresError) -> Started? {
        guard let found = Postmaster(pidFile: folder.pidFile) else {
            try clearLeftovers()
            return nil
        }
        guard Postmaster.isServer(found.process, of: folder.data) else {
            if let host = ServerHost(file: folder.hostFile),
                host.mayRun(seenFrom: .here(), isShared: ServerHost.isShared(folder.data))
            {
                throw .otherHost(folder: folder.data, host: host.name, pidFile: folder.pidFile)
            }
            if found.process > 1, kill(found.process, 0) != 0, errno == EPERM, ownsData(found.process) {
                throw .foreignServer(folder: folder.data, process: found.process)
            }
            try clearLeftovers()
            return nil
        }
        if found.isStopping {
            try awaitEnd(found.process)
            try clearLeftovers()
            return nil
        }
        guard try awaitReady(found.process, isChild: false, logStart: nil) else {
            try clearLeftovers()
            return nil
        }
        return (found.process, false)
    }

    /// The process is of the user who owns the data: most likely its server, which we may not look at.
    private func ownsData(_ process: Int32) -> Bool {
        var data = stat()
        var owner = stat()
        return stat(folder.data, &data) == 0 && stat("/proc/\(process)", &owner) == 0 && data.st_uid == owner.st_uid
    }

    private func awaitEnd(_ process: Int32) throws(LocalPostgresError) {
        guard qsm_await_process(process, -1, Int32(configuration.stopTimeoutSeconds) * 1000) == 1 else {
            throw .didNotStop(process: process, seconds: configuration.stopTimeoutSeconds)
        }
    }

    /// After a violent end: waits for orphaned children of the server, which notice its death by themselves, and removes
    /// the pid files, whose numbers may by now belong to other programs.
    private func clearLeftovers() throws(LocalPostgresError) {
        let orphans = Postmaster.processes(of: folder.data)
        let patience = ContinuousClock.now + .seconds(10)
        for (process, start) in orphans {
            let remaining = patience - .now
            let milliseconds = max(0, remaining.components.seconds * 1000)
            if qsm_await_process(process, -1, Int32(milliseconds)) != 1 {
                // Meanwhile the number may have passed to somebody else.
                guard Postmaster.isServer(process, of: folder.data), Postmaster.startTime(of: process) == start else {
                    continue
                }
                // Its server is dead and nobody can talk to it; with it alive a new server would refuse to start.
                kill(process, SIGKILL)
                _ = qsm_await_process(process, -1, 5000)
            }
        }
        for file in [folder.pidFile, folder.socketLock] where unlink(file) != 0 && errno != ENOENT {
            throw .fileSystem(action: "remove", path: file, code: errno)
        }
    }

    /// Starts the server and waits until it is ready.
    func launch() throws(LocalPostgresError) -> Started {
        try ServerHost.here().write(to: folder.hostFile)
        let log = open(folder.log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard log >= 0 else { throw .fileSystem(action: "open", path: folder.log, code: errno) }
        defer { close(log) }
        var size = lseek(log, 0, SEEK_END)
        if size > 16 << 20, ftruncate(log, 0) == 0 { size = 0 }

        let program = Program(installation.program("postgres"), user: folder.user)
        let process = try program.spawn(arguments) { options in
            options.stdout_fd = log
            options.stderr_fd = log
            if configuration.endsWithStarter { options.parent_death_signal = SIGQUIT }
        }
        guard try awaitReady(process, isChild: true, logStart: Int(size)) else {
            var status = qsm_exit_status()
            qsm_wait4(process, &status)
            throw ServerLog.failure(
                program: "postgres", text: logText(from: Int(size)), folder: folder.base, log: folder.log)
        }
        return (process, true)
    }

    private var arguments: [String] {
        var settings = [
            "listen_addresses": "",
            "unix_socket_directories": "\"\(folder.socket)\"",
            "unix_socket_permissions": "0700",
            "max_connections": String(configuration.maxConnections),
            "superuser_reserved_connections": "3",
            "shared_buffers": "\(configuration.sharedBuffersMebibytes)MB",
            "work_mem": "16MB",
            "maintenance_work_mem": "64MB",
            "effective_cache_size": "1GB",
            "random_page_cost": "1.1",
            "max_wal_size": "1GB",
            "min_wal_size": "80MB",
            "wal_level": "replica",
            "wal_compression": "on",
            "checkpoint_timeout": "10min",
            "jit": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "lc_messages": "C",
            "log_destination": "stderr",
            "logging_collector": "off",
            "log_min_messages": "warning",
            "log_checkpoints": "off",
            "log_line_prefix": "%m [%p] ",
            "cluster_name": "qsmflow",
        ]
        if !configuration.isDurable {
            settings["fsync"] = "off"
            settings["synchronous_commit"] = "off"
            settings["full_page_writes"] = "off"
        }
        return ["-D", folder.data, "-p", String(ServerFolder.port)]
            + settings.sorted { $0.key < $1.key }.flatMap { ["-c", "\($0.key)=\($0.value)"] }
    }

    /// Waits until the server accepts connections; false when it ended instead.
    private func awaitReady(_ process: Int32, isChild: Bool, logStart: Int?) throws(LocalPostgresError) -> Bool {
        let deadline = ContinuousClock.now + .seconds(configuration.readyTimeoutSeconds)
        while ContinuousClock.now < deadline {
            if let found = Postmaster(pidFile: folder.pidFile), found.process == process, found.isReady {
                return true
            }
            // The wait for its end paces the loop.
            if qsm_await_process(process, -1, 10) == 1 { return false }
        }
        throw .notReady(folder: folder.data, seconds: configuration.readyTimeoutSeconds, log: folder.log)
    }

    private func logText(from offset: Int) -> String {
        // An unreadable log leaves the reason "it printed nothing".
        guard let data = FileManager.default.contents(atPath: folder.log) else { return "" }
        return String(decoding: data.dropFirst(offset), as: UTF8.self)
    }
}
