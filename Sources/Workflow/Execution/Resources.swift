/// What a task needs of the machine it runs on.
package struct TaskResources: Codable, Hashable, Sendable {
    /// Processor cores; also the number of threads a kernel may use.
    package var cores: Int
    /// Memory limit of the attempt's process group, MiB.
    package var memoryMiB: Int

    package init(cores: Int = 1, memoryMiB: Int = 1024) {
        (self.cores, self.memoryMiB) = (cores, memoryMiB)
    }
}
