import Synchronization
import Wire

/// Counts what this coordinator did, for `/metrics`. Kept in memory: a restart begins at zero, as counters may.
package final class Telemetry: Sendable {
    /// Upper bounds of the buckets of request durations, seconds.
    static let bounds: [Double] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

    struct RouteKey: Hashable, Sendable {
        var method: String
        /// The route's pattern, so that there are as many series as routes.
        var route: String
        var status: Int
    }

    struct Histogram: Sendable {
        var counts = [Int](repeating: 0, count: Telemetry.bounds.count + 1)
        var sum = 0.0
    }

    struct Counts: Sendable {
        var requests: [RouteKey: Histogram] = [:]
        var verdicts: [CompletionVerdict: Int] = [:]
        var outcomes: [String: Int] = [:]
        var claims = 0
        var emptyClaims = 0
        var leases = 0
        var expiredLeases = 0
        var releasedLeases = 0
        var promoted = 0
        var uploads: [String: Int] = [:]
        var uploadedBytes: Int64 = 0
        var servedBytes: Int64 = 0
        var collectedArtifacts = 0
        var collectedBytes: Int64 = 0
        var serviceFailures: [String: Int] = [:]
    }

    private let counts = Mutex(Counts())

    package init() {}

    var snapshot: Counts { counts.withLock { $0 } }

    func update(_ change: (inout Counts) -> Void) { counts.withLock { change(&$0) } }

    func request(method: String, route: String, status: Int, seconds: Double) {
        update { counts in
            let bucket = Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count
            let key = RouteKey(method: method, route: route, status: status)
            counts.requests[key, default: Histogram()].counts[bucket] += 1
            counts.requests[key, default: Histogram()].sum += seconds
        }
    }
}
