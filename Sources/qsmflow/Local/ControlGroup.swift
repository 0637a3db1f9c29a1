import Foundation

/// What a container or a batch system allows this process.
enum ControlGroup {
    /// The smallest memory limit of our control group and those above it, bytes; nil when there is none.
    ///
    /// - Parameters:
    ///   - root: where the hierarchy is mounted.
    ///   - membership: text of `/proc/self/cgroup`: lines `0::/PATH` (version 2) and `N:CONTROLLERS:/PATH` (version 1).
    static func memoryLimitBytes(
        root: String = "/sys/fs/cgroup",
        // Not there: no control groups.
        membership: String = (try? String(contentsOfFile: "/proc/self/cgroup", encoding: .utf8)) ?? ""
    ) -> UInt64? {
        var limits: [UInt64] = []
        for line in membership.split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            let isSecond = fields[1].isEmpty
            guard isSecond || fields[1].split(separator: ",").contains("memory") else { continue }
            let (folder, file) = isSecond ? (root, "memory.max") : (root + "/memory", "memory.limit_in_bytes")
            // Inside a container the path may be that of the host, of which only the root is seen.
            var path = fields[2].split(separator: "/")
            while true {
                let place = ([folder] + path.map(String.init) + [file]).joined(separator: "/")
                // Not there, or "max": no limit here.
                if let text = try? String(contentsOfFile: place, encoding: .utf8),
                    let limit = UInt64(text.trimmingCharacters(in: .whitespacesAndNewlines)), limit > 0
                {
                    limits.append(limit)
                }
                guard path.popLast() != nil else { break }
            }
        }
        return limits.min()
    }
}
