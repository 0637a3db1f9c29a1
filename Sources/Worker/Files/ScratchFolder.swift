import BIDS
import Foundation
import Synchronization

/// The folder of this worker's attempts, inside a scratch folder that several workers may share.
///
/// Each worker holds a lock in its own folder for as long as it lives, however it ends. A folder whose lock is free was
/// left by a killed worker: whoever starts next ends what still runs there and removes it.
package final class ScratchFolder: Sendable {
    package let path: String
    /// What attempts leave for later attempts of the same work, by the key of the work; shared with other workers.
    let keptPath: String
    private let lock: LockFile

    /// Makes a folder for this worker and clears those of dead ones.
    package init(in parent: String) throws {
        try Self.makeFolder(parent)
        // Nobody may look at a folder between its making and the taking of its lock.
        let gate = try LockFile(parent + "/lock")
        try gate.wait()
        for name in try Self.names(in: parent) where name.hasPrefix("worker-") {
            let folder = "\(parent)/\(name)"
            guard try LockFile(folder + "/lock").tryLock() else { continue }
            Self.endProcesses(of: folder)
            try Self.remove(folder)
        }
        keptPath = parent + "/kept"
        try Self.removeForgotten(in: keptPath)
        path = "\(parent)/worker-\(getpid())-\(UUID().uuidString.prefix(8).lowercased())"
        try Self.makeFolder(path)
        lock = try LockFile(path + "/lock")
        guard try lock.tryLock() else { throw WorkerError.system(doing: "locking", path: path, errorNumber: EBUSY) }
    }

    /// Work that nobody has taken up again for so long has been cancelled, or done elsewhere.
    private static let keptDays = 14.0

    private static func removeForgotten(in folder: String) throws {
        guard FileManager.default.fileExists(atPath: folder) else { return }
        for name in try names(in: folder) {
            let path = "\(folder)/\(name)"
            var status = stat()
            guard stat(path, &status) == 0 else { continue }
            let age = Date().timeIntervalSince1970 - Double(status.st_mtim.tv_sec)
            if age > keptDays * 86400 { try remove(path) }
        }
    }

    /// Removes everything. The worker has ended its attempts.
    package func removeAll() throws { try Self.remove(path) }

    // MARK: - Processes that outlived their worker

    /// Ends processes whose environment says that they belong to an attempt in `folder`. The attempt's own process died
    /// with its worker; what that one had started may not have.
    static func endProcesses(of folder: String) {
        let mark = Array("\(AttemptEnvironment.folderVariable)=\(folder)/".utf8)
        for pid in ProcessFile.numbers(in: "/proc") where pid != getpid() {
            guard bears(mark, pid) else { continue }
            let start = ProcessFile.startTime(of: pid)
            // The number may have passed to another process between one look and the next: the same start, and still
            // with the mark, is the same process.
            guard start != nil, bears(mark, pid), ProcessFile.startTime(of: pid) == start else { continue }
            kill(pid, SIGKILL)
        }
    }

    private static func bears(_ mark: [UInt8], _ pid: pid_t) -> Bool {
        ProcessFile.read("/proc/\(pid)/environ")?.split(separator: 0).contains { $0.starts(with: mark) } ?? false
    }

    // MARK: - Files

    static func makeFolder(_ path: String) throws {
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            let number = ((error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError)?.code ?? Int(EIO)
            throw WorkerError.system(doing: "creating the folder", path: path, errorNumber: Int32(number))
        }
    }

    /// Removes a folder with all it holds, also where an attempt took itself the right to write. Nothing there: fine.
    static func remove(_ path: String) throws {
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch CocoaError.fileNoSuchFile {
            return
        } catch {
            // An attempt may have made a folder read-only; give the rights back and try once more.
            if let walk = FileManager.default.enumerator(atPath: path) {
                for case let name as String in walk { chmod("\(path)/\(name)", 0o700) }
            }
            do {
                try FileManager.default.removeItem(atPath: path)
            } catch CocoaError.fileNoSuchFile {
                return
            } catch {
                throw WorkerError.unusable(
                    "\(path) cannot be removed (\(SystemReason.of(error))); remove it by hand")
            }
        }
    }

    static func names(in folder: String) throws -> [String] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
        } catch {
            throw WorkerError.unusable("\(folder) cannot be listed: \(SystemReason.of(error))")
        }
    }
}

/// An advisory lock that ends with the process that holds it.
final class LockFile: Sendable {
    private let descriptor: Int32
    private let path: String

    init(_ path: String) throws {
        self.path = path
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw WorkerError.last("opening", path) }
    }

    deinit {
        // Unlocked in so many words: a child between fork and exec still has a copy of the descriptor.
        flock(descriptor, LOCK_UN)
        close(descriptor)
    }

    /// False when another holds it.
    func tryLock() throws -> Bool {
        if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return true }
        guard errno == EWOULDBLOCK else { throw WorkerError.last("locking", path) }
        return false
    }

    func wait() throws {
        while flock(descriptor, LOCK_EX) != 0 {
            guard errno == EINTR else { throw WorkerError.last("locking", path) }
        }
    }
}
