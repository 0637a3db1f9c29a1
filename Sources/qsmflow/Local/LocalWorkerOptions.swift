import ArgumentParser
import Foundation

/// How much of this machine a local run may take.
struct LocalWorkerOptions: ParsableArguments {
    @Option(name: [.customLong("workers")], help: "Worker processes.") var workers = 1
    @Option(name: [.customLong("nprocs"), .customLong("cores")], help: "Cores for all workers together. Default: all.") var cores: Int?
    @Option(name: [.customLong("mem-mb"), .customLong("memory-mib")], help: "Memory for all workers together, MiB. Default: four fifths of the machine's.") var memoryMiB: Int?
    @Option(name: .long, parsing: .upToNextOption, help: "NAME=PATH of a program that the kind `command` may run.") var allowCommand: [String] = []

    var totalCores: Int { max(1, cores ?? ProcessInfo.processInfo.activeProcessorCount) }
    var totalMemoryMiB: Int { memoryMiB ?? Int(ProcessInfo.processInfo.physicalMemory / 5 * 4 >> 20) }

    func validate() throws {
        guard workers >= 1, workers <= 256 else { throw ValidationError("--workers takes 1 to 256.") }
    }
}
