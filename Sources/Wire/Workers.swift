package struct WorkerSummary: Codable, Sendable {
    package var worker: String
    package var state: String
    package var cores: Int
    package var memoryMiB: Int
    package var running: Int
    package var secondsSinceHeartbeat: Double
    package var version: String

    package init(
        worker: String, state: String, cores: Int, memoryMiB: Int, running: Int, secondsSinceHeartbeat: Double,
        version: String
    ) {
        self.worker = worker
        self.state = state
        self.cores = cores
        self.memoryMiB = memoryMiB
        self.running = running
        self.secondsSinceHeartbeat = secondsSinceHeartbeat
        self.version = version
    }
}
