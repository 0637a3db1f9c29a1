import Coordinator
import Foundation
import LocalPostgres
import Postgres

/// Whether there is a PostgreSQL to work with, and how it compares with this program.
struct DatabaseChecks {
    let connection: ConnectionOptions

    func findings() async -> [Finding] {
        if let named = connection.databaseOfUser { return await server(named, "the server named") + [psql()] }
        var findings = [installation()]
        if let running = connection.stateFolder.announced() {
            findings += await server(running.database, "the server of this state folder")
        }
        return findings + [psql()]
    }

    private func installation() -> Finding {
        let what = "PostgreSQL"
        do {
            let (found, searched) = try Installation.all()
            guard let newest = found.first else {
                return Finding(
                    .fail, what,
                    "no server programs in \(searched.joined(separator: ", ")); install the package postgresql, "
                        + "or name a server with --database")
            }
            guard newest.major >= Self.oldestMajor else {
                return Finding(
                    .fail, what,
                    "version \(newest.major) in \(newest.folder) is too old; install \(Self.oldestMajor) or newer")
            }
            return Finding(.ok, what, "version \(newest.major) in \(newest.folder)")
        } catch {
            return Finding(.fail, what, "\(error)")
        }
    }

    private static let oldestMajor = 14

    private func server(_ target: String, _ name: String) async -> [Finding] {
        let what = "database"
        do {
            var target = ConnectionTarget(target, applicationName: "qsmflow doctor")
            target.responseTimeout = .seconds(10)
            let pool = Pool(target, limit: 1)
            defer { pool.close() }
            let (version, encoding, mayCreate, clock) = try await pool.run { session in
                let row = try session.first(
                    "SELECT current_setting('server_encoding'), has_database_privilege(current_database(), 'CREATE'), now()"
                ) { try $0.decode(String.self, Bool.self, Date.self) }
                return (session.serverVersion, row?.0 ?? "", row?.1 ?? false, row?.2 ?? Date())
            }
            guard version / 10_000 >= Self.oldestMajor else {
                return [
                    Finding(.fail, what, "\(name) is PostgreSQL \(version / 10_000); use \(Self.oldestMajor) or newer")
                ]
            }
            guard encoding == "UTF8" else {
                return [Finding(.fail, what, "it is encoded in \(encoding); create it anew with ENCODING 'UTF8'")]
            }
            var findings = [Finding(.ok, what, "\(name) is PostgreSQL \(version / 10_000)")]
            switch try await Migrator().state(pool) {
            case .current: findings.append(Finding(.ok, "schema", "as this program knows it"))
            case .older(let version):
                findings.append(
                    version == 0 && !mayCreate
                        ? Finding(
                            .fail, "schema",
                            "there is none, and this user may not make one; grant CREATE on the database")
                        : Finding(.ok, "schema", "version \(version); the next coordinator brings it up to date"))
            case .newer(let version, let known):
                findings.append(
                    Finding(.fail, "schema", "version \(version), and this program knows \(known); update this program")
                )
            }
            let drift = abs(clock.timeIntervalSinceNow)
            if drift > 5 {
                findings.append(
                    Finding(
                        .warn, "clock",
                        "it differs from the database's by \(Durations.text(drift)); results do not depend on it, "
                            + "but times shown will confuse: synchronise both"))
            }
            return findings
        } catch {
            return [Finding(.fail, what, "\(error)")]
        }
    }

    private func psql() -> Finding {
        let folders = (ConnectionOptions.variable("PATH") ?? "/usr/bin:/bin").split(separator: ":").map(String.init)
        // That there is no installation has been said already.
        let installed = ((try? Installation.all().found) ?? []).map(\.folder)
        guard
            let folder = (installed + folders).first(where: {
                FileManager.default.isExecutableFile(atPath: $0 + "/psql")
            })
        else {
            return Finding(
                .warn, "psql", "not found, so `qsmflow sql` does not work; install the package postgresql-client")
        }
        return Finding(.ok, "psql", folder + "/psql")
    }
}
