import Foundation

/// Memory of all processes of one group, from `/proc`.
///
/// Members are found cheaply through the lists of children at every look, and by a walk over all processes now and
/// then, which also finds those whose parent has gone.
struct ProcessGroupMemory {
    private let group: pid_t
    private var members: [pid_t]
    private var looks = 0

    /// A walk over all processes every so many looks.
    private static let walkInterval = 10

    init(group: pid_t) {
        self.group = group
        members = [group]
    }

    /// Resident bytes of the group: what each process has for itself, and the largest of what each shares with others
    /// (the same pages of a file or of shared memory are not counted once per process).
    mutating func sample() -> Int64 {
        if looks % Self.walkInterval == Self.walkInterval - 1 { walk() }
        looks += 1
        addChildren()
        var own: Int64 = 0
        var shared: Int64 = 0
        members.removeAll { pid in
            guard let pages = ProcessFile.read("/proc/\(pid)/statm").flatMap(Self.pages) else { return pid != group }
            own += pages.resident - pages.shared
            shared = max(shared, pages.shared)
            return false
        }
        return (own + shared) * Int64(sysconf(Int32(_SC_PAGESIZE)))
    }

    private mutating func addChildren() {
        var known = Set(members)
        var index = 0
        while index < members.count {
            let pid = members[index]
            index += 1
            // Children are listed under the thread that forked them.
            for thread in ProcessFile.numbers(in: "/proc/\(pid)/task") {
                guard let bytes = ProcessFile.read("/proc/\(pid)/task/\(thread)/children") else { continue }
                for word in bytes.split(separator: UInt8(ascii: " ")) {
                    guard let child = pid_t(String(decoding: word, as: UTF8.self)), known.insert(child).inserted,
                        getpgid(child) == group
                    else { continue }
                    members.append(child)
                }
            }
        }
    }

    private mutating func walk() {
        let known = Set(members)
        for pid in ProcessFile.numbers(in: "/proc") where !known.contains(pid) && getpgid(pid) == group {
            members.append(pid)
        }
    }

    /// Second and third number of `statm`: resident pages, and those of them that are shared.
    static func pages(_ statm: [UInt8]) -> (resident: Int64, shared: Int64)? {
        let words = statm.split(separator: UInt8(ascii: " "))
        guard words.count > 2, let resident = Int64(String(decoding: words[1], as: UTF8.self)),
            let shared = Int64(String(decoding: words[2], as: UTF8.self))
        else { return nil }
        return (resident, shared)
    }
}

/// Reading the kernel's process files.
enum ProcessFile {
    /// Nil when the process has gone.
    static func read(_ path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 8192)
        while true {
            let count = Foundation.read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return count == 0 ? bytes : nil }
            bytes.append(contentsOf: buffer[..<count])
        }
    }

    /// When a process began, in clock ticks since the machine did; nil when it has gone.
    static func startTime(of pid: pid_t) -> Int64? {
        guard let bytes = read("/proc/\(pid)/stat") else { return nil }
        // The second field is a name in brackets, which may hold anything; field 22 is the twentieth after it.
        let rest = bytes.suffix(from: bytes.lastIndex(of: UInt8(ascii: ")")) ?? 0).split(separator: UInt8(ascii: " "))
        return rest.count > 20 ? Int64(String(decoding: rest[20], as: UTF8.self)) : nil
    }

    /// Entries of a folder that are numbers.
    static func numbers(in folder: String) -> [pid_t] {
        guard let stream = opendir(folder) else { return [] }
        defer { closedir(stream) }
        var numbers: [pid_t] = []
        while let entry = readdir(stream) {
            let number = withUnsafeBytes(of: &entry.pointee.d_name) { bytes -> pid_t? in
                pid_t(String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self))
            }
            if let number { numbers.append(number) }
        }
        return numbers
    }
}
