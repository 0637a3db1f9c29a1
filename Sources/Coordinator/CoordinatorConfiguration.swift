/// How a coordinator runs. Everything has a default but where it listens.
package struct CoordinatorConfiguration: Sendable {
    /// Name or number of the interface.
    package var host: String
    /// 0 takes a free one.
    package var port: Int
    /// Listens on this Unix socket instead.
    package var socketPath: String?
    /// Secret of an operator that holds as long as this process lives and is stored nowhere.
    package var ownerToken: String?
    /// Processes of this machine need no token. Refused on an interface that others can reach.
    package var allowLoopbackWithoutToken = false
    /// A worker session without a heartbeat ends after this long.
    package var sessionTTL: Duration = .seconds(30)
    /// Unreferenced artifacts younger than this stay; must be longer than any task takes.
    package var artifactGraceSeconds: Double = 7 * 24 * 3600
    /// How often expired leases, ended backoffs and missed signals are looked for.
    package var sweepInterval: Duration = .seconds(1)
    /// How often unreferenced artifacts are collected.
    package var collectionInterval: Duration = .seconds(6 * 3600)
    /// Files digested at the same time at submission.
    package var digestParallelism = 4
    package var databaseConnections = 8

    package init(host: String, port: Int) { (self.host, self.port) = (host, port) }
}
