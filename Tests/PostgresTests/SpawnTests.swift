import CSpawn
import Foundation
import Testing

#if canImport(Glibc)
    import Glibc
#endif

@Suite("Children under limits")
struct SpawnTests {
    private struct Ended {
        var status: qsm_exit_status
        var output: String
    }

    /// Runs a shell script to its end with its output in a file.
    private func run(_ script: String, _ configure: (inout qsm_spawn_options) -> Void = { _ in }) throws -> Ended {
        let path = NSTemporaryDirectory() + "/spawn-test-\(UUID().uuidString)"
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
        #expect(file >= 0)
        defer {
            close(file)
            unlink(path)
        }
        let pid = try spawn("/bin/sh", ["sh", "-c", script]) { options in
            options.stdout_fd = file
            options.stderr_fd = file
            configure(&options)
        }
        var status = qsm_exit_status()
        #expect(qsm_wait4(pid, &status) == 1)
        return Ended(status: status, output: try String(contentsOfFile: path, encoding: .utf8))
    }

    private struct SpawnError: Error {
        var step: String
        var code: Int32
    }

    private func spawn(
        _ program: String, _ arguments: [String], _ configure: (inout qsm_spawn_options) -> Void = { _ in }
    ) throws -> pid_t {
        var argv: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        var envp: [UnsafeMutablePointer<CChar>?] = [strdup("PATH=/usr/bin:/bin"), strdup("MARK=here"), nil]
        defer { (argv + envp).forEach { free($0) } }
        var failure = qsm_spawn_failure()
        let pid = program.withCString { executable in
            argv.withUnsafeMutableBufferPointer { argv in
                envp.withUnsafeMutableBufferPointer { envp in
                    var options = qsm_spawn_defaults()
                    options.executable = executable
                    options.argv = UnsafePointer(argv.baseAddress)
                    options.envp = UnsafePointer(envp.baseAddress)
                    configure(&options)
                    return qsm_spawn(&options, &failure)
                }
            }
        }
        guard pid > 0 else {
            throw SpawnError(step: String(cString: qsm_spawn_step_name(failure.step)), code: failure.code)
        }
        return pid
    }

    @Test func theExitIsReportedWithWhatItUsed() throws {
        let ended = try run("echo $MARK $HOME; exit 7")
        #expect(ended.output == "here\n")
        #expect(ended.status.exited && ended.status.code == 7 && ended.status.signal == 0)
        #expect(ended.status.peak_resident_bytes > 100_000)
        let killed = try run("kill -ABRT $$")
        #expect(!killed.status.exited && killed.status.signal == SIGABRT && !killed.status.dumped_core)
    }

    @Test func limitsHold() throws {
        let files = try run("head -c 100000 /dev/zero > /dev/stdout") { $0.file_size_bytes = 4096 }
        #expect(files.output.utf8.count == 4096)
        #expect(!files.status.exited || files.status.code != 0)
        let busy = try run("while :; do :; done") { $0.cpu_seconds = 1 }
        #expect(busy.status.signal == SIGXCPU)
        #expect(busy.status.user_microseconds + busy.status.system_microseconds < 3_000_000)
        let shown = try run("ulimit -v; ulimit -n; ulimit -c; umask") {
            $0.address_space_bytes = 512 << 20
            $0.open_files = 33
            $0.file_mode_mask = 0o027
        }
        #expect(shown.output == "524288\n33\n0\n0027\n")
        // Not enough for the program: it ends, not its caller.
        let starved = try run("exec dd if=/dev/zero of=/dev/null bs=200M count=1") {
            $0.address_space_bytes = 100 << 20
        }
        #expect(starved.status.exited && starved.status.code != 0 && starved.output.contains("memory"))
    }

    @Test func descriptorsStayBehind() throws {
        let kept = open("/dev/null", O_RDONLY)
        defer { close(kept) }
        #expect(kept > 2)
        let ended = try run("ls /proc/self/fd | sort -n | tr '\\n' ' '")
        // 3 is the listing's own.
        #expect(ended.output == "0 1 2 3 ")
    }

    @Test func signalsAreReset() throws {
        signal(SIGPIPE, SIG_IGN)
        let ended = try run("grep -E 'Sig(Blk|Ign)' /proc/self/status | tr -d '\\t'")
        #expect(ended.output == "SigBlk:0000000000000000\nSigIgn:0000000000000000\n")
    }

    @Test func theGroupDiesWithOneSignal() throws {
        let pid = try spawn("/bin/sh", ["sh", "-c", "sleep 600 & sleep 600 & wait"])
        #expect(qsm_await_exit(pid, 0) == 0)
        #expect(getpgid(pid) == pid)
        kill(-pid, SIGKILL)
        #expect(qsm_await_exit(pid, 10_000) == 1)
        // Ended but not reaped: the number cannot belong to anybody else yet.
        #expect(kill(pid, 0) == 0)
        var status = qsm_exit_status()
        #expect(qsm_wait4_nonblocking(pid, &status) == 1)
        #expect(status.signal == SIGKILL)
        #expect(qsm_await_exit(pid, 0) == -ECHILD)
        #expect(qsm_await_process(pid, -1, 0) == 1)
    }

    /// The forking thread lasts; the thread that asked does not, and its end must not end the child.
    @Test func aChildOutlivesTheThreadThatAskedForIt() throws {
        nonisolated(unsafe) var pid: pid_t = 0
        let done = DispatchSemaphore(value: 0)
        let thread = Thread {
            // Checked below: the wait would fail.
            pid = (try? self.spawn("/bin/sleep", ["sleep", "600"]) { $0.parent_death_signal = SIGKILL }) ?? -1
            done.signal()
        }
        thread.start()
        done.wait()
        while !thread.isFinished { sched_yield() }
        #expect(qsm_await_exit(pid, 100) == 0)
        kill(pid, SIGKILL)
        var status = qsm_exit_status()
        #expect(qsm_wait4(pid, &status) == 1)
    }

    @Test func failuresSayWhere() throws {
        let absent = #expect(throws: SpawnError.self) { try spawn("/absent", ["x"]) }
        #expect(absent?.step == "executing the program" && absent?.code == ENOENT)
        let folder = #expect(throws: SpawnError.self) {
            try "/absent".withCString { path in try spawn("/bin/true", ["true"]) { $0.working_directory = path } }
        }
        #expect(folder?.step == "entering the working directory" && folder?.code == ENOENT)
        let empty = #expect(throws: SpawnError.self) { try spawn("/bin/true", []) }
        #expect(empty?.step == "reading the arguments")
        let descriptor = #expect(throws: SpawnError.self) { try spawn("/bin/true", ["true"]) { $0.stdin_fd = 9999 } }
        #expect(descriptor?.code == EBADF)
    }

    // Only root can become somebody else.
    @Test(.enabled(if: geteuid() == 0))
    func rootBecomesNobodyForGood() throws {
        let ended = try run("id -u; id -g; id -G; cat /root/.profile 2>/dev/null || echo refused") {
            $0.change_user = true
            $0.user_id = 65_534
            $0.group_id = 65_534
        }
        #expect(ended.output == "65534\n65534\n65534\nrefused\n")
    }
}
