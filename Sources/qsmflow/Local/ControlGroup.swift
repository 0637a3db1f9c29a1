import Foundation

/// What a container or a batch system allows this process.
enum ControlGroup {
    /// Cores that the quota of processor time of our control group and those above it comes to; nil when there is none.
    ///
    /// - Parameters: as of `memoryLimitBytes`.
    static func processorLimit(
        root: String = "/sys/fs/cgroup",
        // Not there: no control groups.
        membership: String = (try? String(contentsOfFile: "/proc/self/cgroup", encoding: .utf8)) ?? ""
    ) -> Double? {
        func numbers(_ path: String) -> [Double]? {
            // Not there: no limit here.
            guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
            return text.split(whereSeparator: \.isWhitespace).map { Double($0) ?? -1 }
        }
        var limits: [Double] = []
        for line in membership.split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            let isSecond = fields[1].isEmpty
            guard isSecond || fields[1].split(separator: ",").contains("cpu") else { continue }
            var path = fields[2].split(separator: "/").map(String.init)
            while true {
                let place = ([isSecond ? root : root + "/cpu"] + path).joined(separator: "/")
                let (quota, period) =
                    isSecond
                    ? (numbers(place + "/cpu.max")?.first, numbers(place + "/cpu.max")?.last)
                    : (numbers(place + "/cpu.cfs_quota_us")?.first, numbers(place + "/cpu.cfs_period_us")?.first)
                if let quota, let period, quota > 0, period > 0 { limits.append(quota / period) }
                guard path.popLast() != nil else { break }
            }
        }
        return limits.min()
    }

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
