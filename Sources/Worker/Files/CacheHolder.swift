import Foundation

/// Which worker process holds a cache folder, on record for the next one.
///
/// Whoever has the lock of the folder knows that the process before is gone, and its attempts with it, which the kernel
/// ends with their worker. It tells the coordinator so, which gives the leases of a worker that was killed to the next at
/// once, instead of waiting until it was not heard of for long enough.
enum CacheHolder {
    private struct Record: Codable {
        var boot: UUID
        /// A folder that was copied is another one, and so is one that another machine sees.
        var host: String
        var device: UInt64
        var node: UInt64
    }

    /// Puts a process on record; call with the lock of the folder held.
    ///
    /// - Returns: boot of the process before, where it is known: without it old leases expire by themselves.
    static func replace(by boot: UUID, ofCache folder: String) -> UUID? {
        var status = stat()
        guard stat(folder + "/lock", &status) == 0 else { return nil }
        let record = Record(
            boot: boot, host: ProcessInfo.processInfo.hostName, device: UInt64(status.st_dev),
            node: UInt64(status.st_ino))
        let url = URL(fileURLWithPath: folder).appending(path: "holder.json")
        // None there, or a damaged one: nothing is known.
        let before = (try? Data(contentsOf: url)).flatMap { try? JSONDecoder().decode(Record.self, from: $0) }
        // One that cannot be kept costs the next process the wait, and nothing else.
        try? JSONEncoder().encode(record).write(to: url, options: .atomic)
        guard let before, (before.host, before.device, before.node) == (record.host, record.device, record.node) else {
            return nil
        }
        return before.boot
    }
}
