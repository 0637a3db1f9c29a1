import BIDS

/// One file that a task reads, named by its bytes.
package struct TaskInput: Codable, Hashable, Sendable {
    /// Port of the task kind.
    package var port: String
    /// Whose file it is; for gathered inputs this tells the items apart.
    package var context: TaskContext
    /// File name to stage it under, e.g. `sub-01_T1w.nii.gz`.
    package var name: String
    package var digest: ArtifactDigest
    package var sizeBytes: Int64
    /// Where the file lies as seen by the coordinator; a worker that can read the same bytes there need not copy.
    package var sourcePath: String?
    /// Merged BIDS sidecar, or facts that the producing task stated about its output.
    package var metadata: JSONValue?

    package init(
        port: String, context: TaskContext, name: String, digest: ArtifactDigest, sizeBytes: Int64,
        sourcePath: String? = nil, metadata: JSONValue? = nil
    ) {
        self.port = port
        self.context = context
        self.name = name
        self.digest = digest
        self.sizeBytes = sizeBytes
        self.sourcePath = sourcePath
        self.metadata = metadata
    }
}

/// An input that a tolerant fan-in goes on without.
package struct MissingInput: Codable, Hashable, Sendable {
    package var port: String
    package var context: TaskContext
    /// Why it is missing, as the failed task said it.
    package var reason: String

    package init(port: String, context: TaskContext, reason: String) {
        (self.port, self.context, self.reason) = (port, context, reason)
    }
}
