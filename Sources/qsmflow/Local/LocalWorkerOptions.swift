import ArgumentParser
import BIDS
import Foundation

/// How much of this machine a local run may take.
struct LocalWorkerOptions: ParsableArguments {
    @Option(name: [.customLong("workers")], help: "Worker processes.") var workers = 1
    @Option(name: [.customLong("nprocs"), .customLong("cores")], help: "Cores for all workers together. Default: all.")
    var cores: Int?
    @Option(
        name: [.customLong("mem-mb"), .customLong("memory-mib")],
        help: "Memory for all workers together, MiB. Default: four fifths of what the machine or container has.")
    var memoryMiB: Int?
    @Option(name: .long, parsing: .upToNextOption, help: "NAME=PATH of a program that the kind `command` may run.")
    var allowCommand: [String] = []

    var totalCores: Int { Self.machine(cores: cores, memoryMiB: memoryMiB).cores }
    var totalMemoryMiB: Int { Self.machine(cores: cores, memoryMiB: memoryMiB).memoryMiB }

    /// SHA-256 of the programs allowed, by name.
    func programDigests() throws -> [String: String] {
        try Self.commands(allowCommand).mapValues { try FileDigest.sha256(of: $0).hex }
    }

    func validate() throws {
        guard workers >= 1, workers <= 256 else { throw ValidationError("--workers takes 1 to 256.") }
    }
}

extension LocalWorkerOptions {
    /// What is asked for, else all cores and four fifths of the memory of this machine.
    static func machine(cores: Int?, memoryMiB: Int?) -> (cores: Int, memoryMiB: Int) {
        let bytes = min(ProcessInfo.processInfo.physicalMemory, ControlGroup.memoryLimitBytes() ?? .max)
        return (
            max(1, cores ?? ProcessInfo.processInfo.activeProcessorCount),
            memoryMiB ?? Int(bytes / 5 * 4 / (1 << 20))
        )
    }

    /// `NAME=PATH` words as a map with absolute paths.
    static func commands(_ words: [String]) throws -> [String: String] {
        var commands: [String: String] = [:]
        for word in words {
            guard let equals = word.firstIndex(of: "="), equals > word.startIndex else {
                throw ValidationError("--allow-command takes NAME=PATH, not “\(word)”.")
            }
            let path = CohortSelection.absolute(String(word[word.index(after: equals)...]))
            guard FileManager.default.isExecutableFile(atPath: path) else {
                throw ValidationError("--allow-command \(word): \(path) is not an executable file.")
            }
            commands[String(word[..<equals])] = path
        }
        return commands
    }
}
