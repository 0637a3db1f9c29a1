import Foundation
import Testing

@testable import qsmflow

@Suite struct ControlGroupTests {
    @Test func theSmallestLimitOnTheWayUpCounts() throws {
        let root = FileManager.default.temporaryDirectory.appending(path: "cgroup-\(UUID().uuidString)").path
        func write(_ text: String, _ path: String) throws {
            let file = URL(fileURLWithPath: root + "/" + path)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: file)
        }
        defer { #expect(throws: Never.self) { try FileManager.default.removeItem(atPath: root) } }
        try write("max\n", "slurm/job1/step0/memory.max")
        try write("8000000000\n", "slurm/job1/memory.max")
        try write("9000000000\n", "slurm/memory.max")
        try write("1000\n", "slurm/job2/memory.max")
        func limit(_ membership: String) -> UInt64? {
            ControlGroup.memoryLimitBytes(root: root, membership: membership)
        }
        #expect(limit("0::/slurm/job1/step0\n") == 8_000_000_000)
        #expect(limit("0::/slurm\n") == 9_000_000_000)
        #expect(limit("0::/\n") == nil)
        #expect(limit("") == nil)

        try write("500000000\n", "memory/docker/abc/memory.limit_in_bytes")
        try write("9223372036854771712\n", "memory/memory.limit_in_bytes")
        #expect(limit("4:cpu,cpuacct:/docker/abc\n3:memory:/docker/abc\n") == 500_000_000)
        // As inside a container, where only the root is mounted.
        #expect(limit("3:memory:/docker/elsewhere\n") == 9_223_372_036_854_771_712)

        // Processor time: a quota in each period.
        func cores(_ membership: String) -> Double? { ControlGroup.processorLimit(root: root, membership: membership) }
        try write("max 100000\n", "slurm/job1/step0/cpu.max")
        try write("150000 100000\n", "slurm/job1/cpu.max")
        try write("800000 100000\n", "slurm/cpu.max")
        #expect(cores("0::/slurm/job1/step0\n") == 1.5)
        #expect(cores("0::/\n") == nil)
        try write("200000\n", "cpu/docker/abc/cpu.cfs_quota_us")
        try write("100000\n", "cpu/docker/abc/cpu.cfs_period_us")
        try write("-1\n", "cpu/cpu.cfs_quota_us")
        try write("100000\n", "cpu/cpu.cfs_period_us")
        #expect(cores("4:cpu,cpuacct:/docker/abc\n3:memory:/docker/abc\n") == 2)
        #expect(cores("4:cpu:/elsewhere\n") == nil)
    }

    @Test func whatIsNotAskedForIsMostOfTheMemory() {
        let offered = LocalWorkerOptions.machine(cores: nil, memoryMiB: nil).memoryMiB
        let bytes = min(ProcessInfo.processInfo.physicalMemory, ControlGroup.memoryLimitBytes() ?? .max)
        #expect(offered > 0)
        #expect(abs(Double(offered) * 1_048_576 / Double(bytes) - 0.8) < 0.01)
        #expect(LocalWorkerOptions.machine(cores: 3, memoryMiB: 7) == (3, 7))
    }
}
