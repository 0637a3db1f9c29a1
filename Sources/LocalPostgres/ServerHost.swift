// On which machine a server was started, for folders that several machines see.
//
// A process id says nothing on another machine, and locks may not reach there. Two servers on one cluster would destroy it.

import CSpawn
import Foundation

#if canImport(Glibc)
    import Glibc
#endif

package struct ServerHost: Equatable, Sendable {
    /// Name of the machine, or of the container.
    package var name: String
    /// Different after every start of the machine's kernel, and the same in all its containers; empty where unknown.
    package var boot: String

    package init(name: String, boot: String) { (self.name, self.boot) = (name, boot) }

    package static func here() -> ServerHost {
        // Only on Linux; elsewhere the name alone decides.
        let boot = (try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)) ?? ""
        return ServerHost(
            name: ProcessInfo.processInfo.hostName, boot: boot.trimmingCharacters(in: .whitespacesAndNewlines))
    }

    /// As written by `write`; nil when there is none, as in folders of earlier versions.
    package init?(file: String) {
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else { return nil }
        let lines = text.split(separator: "\n").map(String.init)
        guard let name = lines.first else { return nil }
        self.init(name: name, boot: lines.count > 1 ? lines[1] : "")
    }

    package func write(to file: String) throws(LocalPostgresError) {
        do {
            try "\(name)\n\(boot)\n".write(toFile: file, atomically: true, encoding: .utf8)
        } catch {
            throw LocalPostgresError.fileSystem(action: "write", path: file, code: posixCode(error))
        }
    }

    /// Whether a server started on this machine may still run, seen from another that finds its process nowhere.
    ///
    /// - Parameter isShared: the folder lies on a file system that several machines can mount. On one that only this
    ///   machine has, whatever ran there before a restart is gone.
    package func mayRun(seenFrom here: ServerHost, isShared: Bool) -> Bool {
        guard isShared, name != here.name else { return false }
        // Another container of this very machine, whose end its kernel knows.
        return boot.isEmpty || boot != here.boot
    }

    /// Whether several machines can have the folder's file system mounted at once.
    package static func isShared(_ folder: String) -> Bool {
        // NFS, SMB (three versions), Lustre, 9p, FUSE, GPFS, Ceph, AFS, BeeGFS, OCFS2, GFS2.
        let network: Set<UInt32> = [
            0x6969, 0x517B, 0xFF53_4D42, 0xFE53_4D42, 0x0BD0_0BD0, 0x0102_1997, 0x6573_5546, 0x4750_4653, 0x00C3_6400,
            0x5346_414F, 0x1983_0326, 0x7461_636F, 0x0116_1970,
        ]
        return network.contains(qsm_file_system_kind(folder))
    }
}
