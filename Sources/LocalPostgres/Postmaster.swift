// The running server process of a cluster, as its `postmaster.pid` and /proc tell it.

import CSpawn
import Foundation

#if canImport(Glibc)
    import Glibc
#endif

struct Postmaster: Sendable {
    var process: Int32
    var isReady: Bool
    var isStopping: Bool

    /// Reads the pid file; nil when there is none or it is still being written.
    ///
    /// Lines: process, data folder, start time, port, socket folder, listen address, shared memory, status.
    init?(pidFile: String) {
        // No server, usually.
        guard let text = try? String(contentsOfFile: pidFile, encoding: .utf8) else { return nil }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        // A negative number is a single-user server.
        guard let process = lines.first.flatMap({ Int32($0) }), process > 0 else { return nil }
        let status = lines.count > 7 ? lines[7].trimmingCharacters(in: .whitespaces) : "starting"
        self.process = process
        isReady = status == "ready"
        isStopping = status == "stopping"
    }

    /// Processes that work in the data folder: the server, and after its violent end perhaps some of its children.
    ///
    /// A process id in a pid file proves nothing: after a restart of the machine or container it may belong to anybody.
    /// Every process of PostgreSQL has its data folder as working folder, and the name of the server's program; a shell that
    /// somebody has in the folder has not.
    ///
    /// - Returns: each with the time it was started, which tells it from a later process of the same number.
    static func processes(of data: String) -> [(process: Int32, start: Int64?)] {
        var wanted = stat()
        guard stat(data, &wanted) == 0 else { return [] }
        // Without /proc nothing is found, and PostgreSQL's own check of the pid file decides.
        let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return entries.compactMap { Int32($0) }.filter { worksIn($0, wanted) }.map { ($0, startTime(of: $0)) }
    }

    static func isServer(_ process: Int32, of data: String) -> Bool {
        var wanted = stat()
        guard stat(data, &wanted) == 0 else { return false }
        return worksIn(process, wanted)
    }

    private static func worksIn(_ process: Int32, _ folder: stat) -> Bool {
        var found = stat()
        // Fails for processes of other users and for those that just ended.
        guard stat("/proc/\(process)/cwd/.", &found) == 0 else { return false }
        return found.st_dev == folder.st_dev && found.st_ino == folder.st_ino && isPostgres(process)
    }

    private static func isPostgres(_ process: Int32) -> Bool {
        // Gone meanwhile: nobody's.
        let name = (try? String(contentsOfFile: "/proc/\(process)/comm", encoding: .utf8)) ?? ""
        return ["postgres", "postmaster"].contains(name.trimmingCharacters(in: .whitespacesAndNewlines))
    }

    /// When a process began, in clock ticks since the machine did; nil when it has gone.
    static func startTime(of process: Int32) -> Int64? {
        guard let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8) else { return nil }
        // The second field is a name in brackets, which may hold anything; field 22 is the twentieth after it.
        let rest = text.suffix(from: text.lastIndex(of: ")") ?? text.startIndex).split(separator: " ")
        return rest.count > 20 ? Int64(rest[20]) : nil
    }
}
