import Foundation

/// What one worker process offers, and how it works.
package struct WorkerConfiguration: Sendable {
    /// Name under which operators see it.
    package var name: String
    package var cores: Int
    /// Memory offered to attempts together, MiB.
    package var memoryMiB: Int
    /// `name: version` of the task kinds that the program below runs.
    package var kinds: [String: Int]
    /// Programs that tasks of kind `command` may ask for, by name; absolute paths.
    package var allowedCommands: [String: String]
    /// e.g. `x86-64-v4`.
    package var instructionSet: String
    package var version: String

    /// Program that runs one attempt, and its arguments before the attempt's folder.
    package var attemptExecutable: String
    package var attemptArguments: [String]
    /// What attempts inherit; secrets of the worker are left out by `AttemptEnvironment`.
    package var environment: [String: String]

    /// Folder for attempts under way; several workers may share it.
    package var scratchFolder: String
    /// Folder of downloaded inputs, of this worker alone; nil: one inside its own scratch folder, gone with it.
    package var cacheFolder: String?
    package var cacheLimitBytes: Int64 = 20 << 30

    /// Between SIGTERM and SIGKILL for an attempt that an operator cancelled or that ran out of time.
    package var terminationGrace = Duration.seconds(5)
    /// How long a draining worker lets attempts go on before it hands them back.
    package var drainGrace = Duration.seconds(60)
    /// Between looks at an attempt's memory.
    package var samplingInterval = Duration.milliseconds(100)
    /// A second SIGTERM or SIGINT while draining hands everything back at once.
    package var listensForSecondSignal = true

    package init(
        name: String, cores: Int, memoryMiB: Int, kinds: [String: Int], allowedCommands: [String: String] = [:],
        instructionSet: String, version: String, attemptExecutable: String, attemptArguments: [String] = ["run-task"],
        environment: [String: String] = ProcessInfo.processInfo.environment, scratchFolder: String,
        cacheFolder: String? = nil
    ) {
        self.name = name
        self.cores = cores
        self.memoryMiB = memoryMiB
        self.kinds = kinds
        self.allowedCommands = allowedCommands
        self.instructionSet = instructionSet
        self.version = version
        self.attemptExecutable = attemptExecutable
        self.attemptArguments = attemptArguments
        self.environment = environment
        self.scratchFolder = scratchFolder
        self.cacheFolder = cacheFolder
    }

    /// - Throws: `WorkerError.unusable` for what would make every attempt fail.
    package func validate() throws(WorkerError) {
        guard cores > 0 else { throw .unusable("a worker needs at least one core; correct --cores") }
        guard memoryMiB >= PullLoop.smallestMemoryMiB else {
            throw .unusable("a worker needs at least \(PullLoop.smallestMemoryMiB) MiB of memory; correct --memory")
        }
        guard access(attemptExecutable, X_OK) == 0 else {
            throw .unusable("\(attemptExecutable), which is to run attempts, is not an executable file")
        }
        for (name, path) in allowedCommands.sorted(by: { $0.key < $1.key }) {
            guard path.hasPrefix("/"), access(path, X_OK) == 0 else {
                throw .unusable("\(path), allowed as command “\(name)”, is not the absolute path of an executable file")
            }
        }
    }
}
