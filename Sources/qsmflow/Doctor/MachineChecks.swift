import CoordinatorClient
import Foundation
import Postgres
import Workflow

#if canImport(Glibc)
    import Glibc
#endif

/// What can be said of this machine without talking to anybody.
enum MachineChecks {
    // MARK: Libraries

    static func libraries() -> [Finding] {
        let loaded = sharedLibraries()
        return [
            Finding(.ok, "qsmflow", "version \(Version.text)"),
            Finding(.ok, "libpq", PostgresLibrary.version),
            Finding(.ok, "libcurl", TransportLibrary.version),
            loaded.first { $0.hasPrefix("libnifti2") }.map { Finding(.ok, "NIfTI library", $0) }
                ?? Finding(.ok, "NIfTI library", "linked into the program"),
        ]
    }

    /// File names of the libraries that this process has loaded, links followed: their versions are in them.
    private static func sharedLibraries() -> [String] {
        // Only on Linux; elsewhere nothing is listed.
        guard let maps = kernelText("/proc/self/maps") else { return [] }
        let paths = Set(
            maps.split(separator: "\n").compactMap { $0.split(separator: " ").last }.filter { $0.contains(".so") })
        return paths.map { URL(fileURLWithPath: String($0)).resolvingSymlinksInPath().lastPathComponent }.sorted()
    }

    /// A file that the kernel makes as it is read: it has no size that could be asked for first. Nil where there is none.
    private static func kernelText(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(descriptor, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return count == 0 ? String(decoding: bytes, as: UTF8.self) : nil }
            bytes += piece[..<count]
        }
    }

    // MARK: Resources

    static func resources() -> [Finding] {
        let cores = ProcessInfo.processInfo.activeProcessorCount
        var findings: [Finding] = []
        let quota = ControlGroup.processorLimit()
        if let quota, quota < Double(cores) {
            let share = String(format: "%.1f", quota)
            findings.append(
                Finding(
                    .warn, "processors",
                    "\(cores), of which the control group allows the time of \(share); start runs and workers with --cores "
                        + "\(max(1, Int(quota)))"))
        } else {
            findings.append(Finding(.ok, "processors", "\(cores)"))
        }
        let physical = Int64(clamping: ProcessInfo.processInfo.physicalMemory)
        let limit = ControlGroup.memoryLimitBytes().map { Int64(clamping: $0) }
        let memory = min(physical, limit ?? .max)
        let text =
            memory < physical
            ? "\(Durations.text(bytes: memory)), the limit of the control group; the machine has "
                + Durations.text(bytes: physical)
            : Durations.text(bytes: memory)
        findings.append(
            memory < 3 << 30
                ? Finding(
                    .warn, "memory",
                    "\(text); registration at 1 mm needs about 2 GiB per task: run one at a time (--cores 1)")
                : Finding(.ok, "memory", text))
        var openFiles = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &openFiles) == 0 {
            let files = Int(clamping: openFiles.rlim_cur)
            findings.append(
                files < 1024
                    ? Finding(
                        .warn, "open files",
                        "the limit is \(files); raise it to 4096 or more (ulimit -n) for a coordinator with many workers"
                    )
                    : Finding(.ok, "open files", "up to \(files)"))
        }
        let year = Calendar(identifier: .gregorian).component(.year, from: Date())
        findings.append(
            year < 2024
                ? Finding(
                    .fail, "clock", "it says \(year); set it, or certificates and file times will not be understood")
                : Finding(.ok, "clock", ISO8601DateFormatter().string(from: Date())))
        return findings
    }

    // MARK: State folder

    static func stateFolder(_ state: StateFolder) -> [Finding] {
        var findings: [Finding] = []
        let manager = FileManager.default
        // A folder that is yet to be made is judged by the one it will lie in.
        var existing = state.path
        while !manager.fileExists(atPath: existing), existing != "/" {
            existing = URL(fileURLWithPath: existing).deletingLastPathComponent().path
        }
        let isThere = existing == state.path
        let probe = existing + "/.qsmflow-probe-\(getpid())"
        let descriptor = open(probe, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        if descriptor >= 0 {
            close(descriptor)
            unlink(probe)
            findings.append(
                Finding(.ok, "state folder", isThere ? "\(state.path) can be written" : "\(state.path) can be made"))
        } else {
            let reason = String(cString: strerror(errno))
            findings.append(
                Finding(
                    .fail, "state folder", "\(existing) cannot be written (\(reason)); name another folder with --state"
                ))
        }
        var disk = statvfs()
        if statvfs(existing, &disk) == 0 {
            let free = Int64(clamping: UInt64(disk.f_bavail) * UInt64(disk.f_frsize))
            let text = "\(Durations.text(bytes: free)) free under \(existing)"
            let advice =
                "results of a cohort take about 100 MiB per person: free space, or name another folder with --state"
            findings.append(
                free < 1 << 30
                    ? Finding(.fail, "disk", "\(text); \(advice)")
                    : free < 10 << 30 ? Finding(.warn, "disk", "\(text); \(advice)") : Finding(.ok, "disk", text))
        }
        if let type = fileSystemType(existing),
            ["nfs", "nfs4", "cifs", "smb3", "lustre", "9p", "fuse.sshfs"].contains(type)
        {
            findings.append(
                Finding(
                    .warn, "state folder",
                    "\(existing) lies on \(type), where a database is slow and its locks may not hold; put it on a local disk"
                ))
        }
        return findings
    }

    /// As the kernel calls it, e.g. `ext4`; nil where there is no list of mounts.
    private static func fileSystemType(_ path: String) -> String? {
        guard let real = realpath(path, nil) else { return nil }
        defer { free(real) }
        let place = String(cString: real)
        // Only on Linux; elsewhere nothing is said of the file system.
        guard let mounts = kernelText("/proc/mounts") else { return nil }
        var best: (point: String, type: String)?
        for line in mounts.split(separator: "\n") {
            let fields = line.split(separator: " ").map(String.init)
            guard fields.count > 2 else { continue }
            let point = fields[1].replacing("\\040", with: " ")
            let isAbove = point == "/" || place == point || place.hasPrefix(point + "/")
            // Of two mounts on one place the later one hides the earlier.
            if isAbove, point.utf8.count >= (best?.point.utf8.count ?? 0) { best = (point, fields[2]) }
        }
        return best?.type
    }

    // MARK: Commands

    static func commands(_ pairs: [String]) -> [Finding] {
        pairs.map { pair in
            guard let equals = pair.firstIndex(of: "="), equals > pair.startIndex else {
                return Finding(.fail, "command", "“\(pair)” is not NAME=PATH")
            }
            let (name, path) = (pair[..<equals], String(pair[pair.index(after: equals)...]))
            if access(path, X_OK) == 0 { return Finding(.ok, "command \(name)", path) }
            return Finding(
                .fail, "command \(name)",
                "\(path) cannot be run (\(String(cString: strerror(errno)))); correct the path or its rights")
        }
    }
}
