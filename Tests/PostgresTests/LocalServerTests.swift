import CSpawn
import Foundation
import LocalPostgres
import Postgres
import Synchronization
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// A folder removed at the end of its test.
private final class ScratchFolder: Sendable {
    let path: String

    init(_ name: String = "state", in parent: String = NSTemporaryDirectory()) throws {
        path = parent + "/qsmflow-scratch-\(UUID().uuidString.prefix(8))/" + name
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        // Left over in the temporary folder at worst.
        try? FileManager.default.removeItem(atPath: (path as NSString).deletingLastPathComponent)
    }
}

@Suite("Private server")
struct LocalServerTests {
    private func configuration(_ folder: ScratchFolder) -> LocalServerConfiguration {
        var configuration = LocalServerConfiguration(stateFolder: folder.path)
        configuration.isDurable = false
        configuration.endsWithStarter = true
        configuration.sharedBuffersMebibytes = 16
        return configuration
    }

    private func query<Value: Sendable>(
        _ server: LocalServer, patience: Duration = .seconds(60),
        _ body: @escaping @Sendable (Session) throws -> Value
    ) async throws -> Value {
        let pool = Pool(ConnectionTarget(server.connectionString), limit: 1, patience: patience)
        defer { pool.close() }
        return try await pool.run(body)
    }

    @Test(arguments: [
        "plain", "with space 'quote' \"double\" and,comma", "ünïcode",
        "long-" + String(repeating: "x", count: 120),
    ])
    func startsStopsAndKeepsItsData(in name: String) async throws {
        let folder = try ScratchFolder(name)
        let first = try await LocalServer.start(configuration(folder))
        try await query(first) { try $0.script("CREATE TABLE t AS SELECT 42 AS a") }
        let process = first.process
        try await first.stop()
        #expect(kill(process, 0) != 0)
        let second = try await LocalServer.start(configuration(folder))
        #expect(try await query(second) { try $0.first("SELECT a FROM t") { try $0[0] as Int } } == 42)
        #expect(try await query(second) { try $0.first("SHOW listen_addresses") { try $0[0] as String } } == "")
        #expect(try await query(second) { try $0.first("SHOW server_encoding") { try $0[0] as String } } == "UTF8")
        try await second.stop()
        // Stopping twice is nothing.
        try await second.stop()
    }

    @Test func aSecondUserJoinsAndTheLastOneStopsIt() async throws {
        let folder = try ScratchFolder()
        async let one = LocalServer.start(configuration(folder))
        async let two = LocalServer.start(configuration(folder))
        let (first, second) = try await (one, two)
        #expect(first.process == second.process)
        try await first.stop()
        #expect(try await query(second) { try $0.first("SELECT 1") { try $0[0] as Int } } == 1)
        let pidFile = second.dataFolder + "/postmaster.pid"
        #expect(FileManager.default.fileExists(atPath: pidFile))
        try await second.stop()
        #expect(!FileManager.default.fileExists(atPath: pidFile))
    }

    @Test func aKilledServerIsRestartedAndKeepsWhatWasStored() async throws {
        let folder = try ScratchFolder()
        let (restarts, continuation) = AsyncStream.makeStream(of: LocalServerEvent.self)
        var durable = configuration(folder)
        durable.isDurable = true
        let server = try await LocalServer.start(durable) { continuation.yield($0) }
        try await query(server) { try $0.script("CREATE TABLE t AS SELECT 7 AS a") }
        var events = restarts.makeAsyncIterator()
        for _ in 0..<2 {
            let before = server.process
            kill(before, SIGKILL)
            guard case .restarted? = await events.next() else {
                Issue.record("the server was not restarted")
                return
            }
            #expect(server.process != before)
            #expect(try await query(server) { try $0.first("SELECT a FROM t") { try $0[0] as Int } } == 7)
        }
        try await server.stop()
    }

    @Test func aStalePidFileOfAnotherProgramIsNoObstacle() async throws {
        let folder = try ScratchFolder()
        let first = try await LocalServer.start(configuration(folder))
        let pidFile = first.dataFolder + "/postmaster.pid"
        var lines = try String(contentsOfFile: pidFile, encoding: .utf8).split(
            separator: "\n", omittingEmptySubsequences: false)
        try await first.stop()
        // As after a restart of a container: the number now belongs to somebody else, here to this test.
        lines[0] = "\(getpid())"
        try lines.joined(separator: "\n").write(toFile: pidFile, atomically: false, encoding: .utf8)
        let second = try await LocalServer.start(configuration(folder))
        #expect(try await query(second) { try $0.first("SELECT 1") { try $0[0] as Int } } == 1)
        try await second.stop()
    }

    /// Somebody looks at the folder with a program of their own, and the server was killed.
    @Test func aProgramOfSomebodyElseInTheFolderIsLeftAlone() async throws {
        let folder = try ScratchFolder()
        let first = try await LocalServer.start(configuration(folder))
        let pidFile = first.dataFolder + "/postmaster.pid"
        let left = try Data(contentsOf: URL(fileURLWithPath: pidFile))
        try await first.stop()
        let guest = Process()
        guest.executableURL = URL(fileURLWithPath: "/bin/cat")
        guest.currentDirectoryURL = URL(fileURLWithPath: first.dataFolder)
        guest.standardInput = Pipe()
        try guest.run()
        defer { guest.terminate() }
        try left.write(to: URL(fileURLWithPath: pidFile))
        let second = try await LocalServer.start(configuration(folder))
        #expect(guest.isRunning)
        #expect(ServerHost(file: folder.path + "/postgres/server.host") == .here())
        try await second.stop()
    }

    /// A number of another machine says nothing here: its server may be alive.
    @Test func aServerOfAnotherMachineIsOnlyGoneWhereThatIsCertain() {
        let here = ServerHost(name: "a", boot: "1")
        let other = ServerHost(name: "b", boot: "2")
        #expect(other.mayRun(seenFrom: here, isShared: true))
        #expect(!other.mayRun(seenFrom: here, isShared: false))
        #expect(!ServerHost(name: "a", boot: "0").mayRun(seenFrom: here, isShared: true))
        #expect(!ServerHost(name: "container", boot: "1").mayRun(seenFrom: here, isShared: true))
        #expect(ServerHost(name: "b", boot: "").mayRun(seenFrom: here, isShared: true))
        #expect("\(LocalPostgresError.otherHost(folder: "/f", host: "b", pidFile: "/p"))".contains("machine b"))
    }

    @Test func anInterruptedSetupIsMadeAnew() async throws {
        let folder = try ScratchFolder()
        let left = folder.path + "/postgres/data.new/base"
        try FileManager.default.createDirectory(atPath: left, withIntermediateDirectories: true)
        try "half".write(toFile: left + "/file", atomically: false, encoding: .utf8)
        let server = try await LocalServer.start(configuration(folder))
        #expect(try await query(server) { try $0.first("SELECT 1") { try $0[0] as Int } } == 1)
        try await server.stop()
    }

    @Test func dataOfAnotherVersionIsRefusedWithItsNumber() async throws {
        let folder = try ScratchFolder()
        let data = folder.path + "/postgres/data"
        try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: true)
        try "9\n".write(toFile: data + "/PG_VERSION", atomically: false, encoding: .utf8)
        let error = await #expect(throws: LocalPostgresError.self) {
            try await LocalServer.start(configuration(folder))
        }
        #expect(error?.description.contains("made by PostgreSQL 9") == true)
    }

    @Test func aServerThatCannotStartSaysWhy() async throws {
        let folder = try ScratchFolder()
        let server = try await LocalServer.start(configuration(folder))
        try await server.stop()
        let control = server.dataFolder + "/global/pg_control"
        try FileManager.default.moveItem(atPath: control, toPath: control + ".away")
        let error = await #expect(throws: LocalPostgresError.self) {
            try await LocalServer.start(configuration(folder))
        }
        #expect(error?.description.contains("pg_control") == true, "\(String(describing: error))")
    }

    /// A tiny file system; nil where none can be mounted.
    private static func mountSmall() -> String? {
        let path = NSTemporaryDirectory() + "/qsmflow-small-\(UUID().uuidString.prefix(8))"
        guard geteuid() == 0, mkdir(path, 0o755) == 0 else { return nil }
        if mount("tmpfs", path, "tmpfs", 0, "size=12m") == 0 { return path }
        rmdir(path)
        return nil
    }

    // Only root can mount a file system, and not in every container.
    @Test func aFullDiskIsNamed() async throws {
        guard let path = Self.mountSmall() else {
            print("aFullDiskIsNamed: skipped, no file system can be mounted here")
            return
        }
        defer {
            umount(path)
            rmdir(path)
        }
        var configuration = LocalServerConfiguration(stateFolder: path)
        configuration.isDurable = false
        let error = await #expect(throws: LocalPostgresError.self) { try await LocalServer.start(configuration) }
        guard case .diskFull? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(error?.description.contains(String(path.split(separator: "/").last!)) == true, "\(error!)")
    }

    // Only root has a folder that its server's user cannot enter.
    @Test(.enabled(if: geteuid() == 0))
    func asRootBelowAClosedFolderTheDataLivesElsewhere() async throws {
        let folder = try ScratchFolder("inner")
        let parent = (folder.path as NSString).deletingLastPathComponent
        chmod(parent, 0o700)
        let first = try await LocalServer.start(configuration(folder))
        #expect(!first.dataFolder.hasPrefix(parent))
        try await query(first) { try $0.script("CREATE TABLE t AS SELECT 5 AS a") }
        try await first.stop()
        let second = try await LocalServer.start(configuration(folder))
        #expect(second.dataFolder == first.dataFolder)
        #expect(try await query(second) { try $0.first("SELECT a FROM t") { try $0[0] as Int } } == 5)
        try await second.stop()
        try FileManager.default.removeItem(atPath: (second.dataFolder as NSString).deletingLastPathComponent)
    }
}
