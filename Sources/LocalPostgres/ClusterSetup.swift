// Making a new cluster: `initdb` into data.new, which becomes data when complete.

import Foundation

#if canImport(Glibc)
    import Glibc
#endif

struct ClusterSetup {
    let folder: ServerFolder
    let installation: Installation
    let isDurable: Bool

    func make() throws(LocalPostgresError) {
        let fresh = folder.base + "/data.new"
        // Left by a start that was interrupted.
        if FileManager.default.fileExists(atPath: fresh) {
            do {
                try FileManager.default.removeItem(atPath: fresh)
            } catch {
                throw .fileSystem(action: "remove", path: fresh, code: posixCode(error))
            }
        }
        try ServerFolder.makeOwned(fresh, folder.user)
        var arguments = [
            "-D", fresh, "--username=\(LocalServer.role)", "--encoding=UTF8", "--locale=C.UTF-8", "--auth-local=trust",
            "--auth-host=reject", "--data-checksums", "--no-instructions",
        ]
        if !isDurable { arguments.append("--no-sync") }
        let initdb = Program(installation.program("initdb"), user: folder.user)
        var ended = try initdb.run(arguments)
        if !ended.succeeded, ended.output.contains("invalid locale name") {
            // A minimal system without C.UTF-8: same order of text, case only known for ASCII.
            arguments[4] = "--locale=C"
            ended = try initdb.run(arguments)
        }
        guard ended.succeeded else { throw failure("initdb", ended.output) }

        // The server's own default database would be called "postgres"; nobody else can be connected in this mode.
        var single = Program(installation.program("postgres"), user: folder.user)
        single.input = "CREATE DATABASE \(LocalServer.database)\n"
        ended = try single.run(["--single", "-D", fresh] + (isDurable ? [] : ["-c", "fsync=off"]) + ["postgres"])
        guard ended.succeeded, !ended.output.contains("ERROR:") else {
            throw failure("postgres --single", ended.output)
        }

        guard rename(fresh, folder.data) == 0 else {
            throw .fileSystem(action: "rename", path: fresh, code: errno)
        }
        let parent = open(folder.base, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if parent >= 0 {
            // The cluster itself is synced; a rename lost to a power cut is only a cluster to make again.
            fsync(parent)
            close(parent)
        }
    }

    private func failure(_ program: String, _ output: String) -> LocalPostgresError {
        let path = folder.base + "/initdb.log"
        // The reason is in the error as well.
        try? output.write(toFile: path, atomically: true, encoding: .utf8)
        return ServerLog.failure(program: program, text: output, folder: folder.base, log: path)
    }
}

/// Reading reasons out of what PostgreSQL's programs print.
enum ServerLog {
    static func failure(program: String, text: String, folder: String, log: String) -> LocalPostgresError {
        let lines = text.split(separator: "\n").map(String.init)
        let telling = lines.last { line in
            ["FATAL:", "PANIC:", "ERROR:", "error:", "could not"].contains { line.contains($0) }
        }
        let line = telling ?? lines.last ?? "it printed nothing"
        let reason = line.replacing(/^.*?(FATAL|PANIC|ERROR|error):\s*/, with: "")
        if text.contains("No space left on device") || text.contains("Disk quota exceeded") {
            return .diskFull(folder: folder, reason: reason)
        }
        return .failed(program: program, reason: reason, log: log)
    }
}
