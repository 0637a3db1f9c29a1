// Finding the server programs of PostgreSQL.

import Foundation

/// A folder with `initdb` and `postgres`.
package struct Installation: Sendable, Hashable {
    package let folder: String
    /// Major version, such as 15.
    package let major: Int

    func program(_ name: String) -> String { folder + "/" + name }

    /// Every installation on this machine, the newest first.
    ///
    /// Looks where Debian keeps them, where `pg_config` points, in PATH, and where other systems keep them.
    package static func all() throws -> (found: [Installation], searched: [String]) {
        var folders: [String] = []
        let manager = FileManager.default
        for root in ["/usr/lib/postgresql", "/usr/local/lib/postgresql"] {
            // A folder that is not there holds no installation.
            let versions = (try? manager.contentsOfDirectory(atPath: root)) ?? []
            folders += versions.sorted().map { "\(root)/\($0)/bin" }
        }
        // RHEL keeps /usr/pgsql-15/bin.
        let others = (try? manager.contentsOfDirectory(atPath: "/usr")) ?? []
        folders += others.filter { $0.hasPrefix("pgsql-") }.sorted().map { "/usr/\($0)/bin" }
        let path = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":").map(
            String.init)
        if let configured = path.map({ $0 + "/pg_config" }).first(where: manager.isExecutableFile) {
            // A pg_config that does not run says nothing about where the server is.
            if let output = try? Program(configured).run(["--bindir"]).output {
                folders.append(output.trimmingCharacters(in: .whitespacesAndNewlines))
            }
        }
        folders += path + ["/usr/local/pgsql/bin"]

        var found: [Installation] = []
        var seen: Set<String> = []
        for folder in folders where folder.hasPrefix("/") && seen.insert(folder).inserted {
            guard manager.isExecutableFile(atPath: folder + "/initdb"),
                manager.isExecutableFile(atPath: folder + "/postgres"),
                let major = try major(of: folder + "/postgres")
            else { continue }
            found.append(Installation(folder: folder, major: major))
        }
        found.sort { ($1.major, $0.folder) < ($0.major, $1.folder) }
        return (found, ["/usr/lib/postgresql", "pg_config --bindir", "PATH"])
    }

    /// "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)".
    private static func major(of program: String) throws -> Int? {
        let words = try Program(program).run(["--version"]).output.split(separator: " ")
        guard words.count >= 3 else { return nil }
        return Int(words[2].prefix { $0.isNumber })
    }
}
