import BIDS
import Workflow

/// `POST /v1/datasets`: index (or index again) a dataset and its derivatives.
package struct IndexRequest: Codable, Sendable {
    /// Absolute path as the coordinator sees it.
    package var path: String
    package var derivatives: [String]
    /// Digest every file now instead of when a run first uses it.
    package var digestAll: Bool

    package init(path: String, derivatives: [String] = [], digestAll: Bool = false) {
        (self.path, self.derivatives, self.digestAll) = (path, derivatives, digestAll)
    }
}

package struct IndexReport: Codable, Sendable {
    package struct Dataset: Codable, Sendable {
        package var id: DatasetID
        package var path: String
        package var name: String
        package var files: Int
        package var added: Int
        package var changed: Int
        package var removed: Int
        package var subjects: Int
        package var sessions: Int
        package var digested: Int
        package var seconds: Double

        package init(
            id: DatasetID, path: String, name: String, files: Int, added: Int, changed: Int, removed: Int,
            subjects: Int, sessions: Int, digested: Int, seconds: Double
        ) {
            self.id = id
            self.path = path
            self.name = name
            self.files = files
            self.added = added
            self.changed = changed
            self.removed = removed
            self.subjects = subjects
            self.sessions = sessions
            self.digested = digested
            self.seconds = seconds
        }
    }

    package var datasets: [Dataset]
    /// One sentence per thing wrong with the dataset; the subjects concerned are excluded or go on as it says.
    package var problems: [String]
    package init(datasets: [Dataset], problems: [String]) { (self.datasets, self.problems) = (datasets, problems) }
}
