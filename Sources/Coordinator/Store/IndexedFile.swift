import BIDS
import Foundation
import Workflow

/// A file of the index.
package struct IndexedFile: Sendable, Hashable {
    package var dataset: DatasetID
    /// Root folder of the dataset, absolute.
    package var root: String
    package var file: BIDSFile
    /// Known once the file was read in its present version.
    package var digest: ArtifactDigest?

    package var path: String { root + "/" + file.path }
}

/// A dataset of the index.
package struct IndexedDataset: Sendable, Hashable {
    package var id: DatasetID
    package var path: String
    package var name: String
    package var role: DatasetRole
    package var bidsVersion: String
    package var files: Int
    package var subjects: Int
    package var sessions: Int
    package var digested: Int
}

/// What one more scan changed in the index.
package struct IndexChange: Sendable, Hashable {
    package var files = 0
    package var added = 0
    package var changed = 0
    package var removed = 0
    package var subjects = 0
    package var sessions = 0
}

/// The bytes of a file, as they were when its stamp was taken.
package struct SourceDigest: Sendable, Hashable {
    /// Absolute.
    package var path: String
    package var stamp: FileStamp
    package var digest: ArtifactDigest

    package init(path: String, stamp: FileStamp, digest: ArtifactDigest) {
        (self.path, self.stamp, self.digest) = (path, stamp, digest)
    }
}
