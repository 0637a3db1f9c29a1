import Crypto
import Foundation

/// A small text file that says something about people or images: `participants.tsv`, `dataset_description.json`,
/// sidecars at the root, `sessions.tsv`, `.bidsignore`. What it says is taken into the index, so a run records its bytes.
package struct DatasetDocument: Hashable, Sendable, Codable {
    /// Relative to the dataset's root.
    package var path: String
    /// Of the bytes that were read, with the stamp of the file they came from.
    package var digest: FileDigest

    package init(path: String, digest: FileDigest) { (self.path, self.digest) = (path, digest) }
}

/// Reads the documents of a dataset and notes which bytes they were.
struct DocumentReader: Sendable {
    let root: String
    private(set) var documents: [DatasetDocument] = []

    init(root: String) { self.root = root }

    /// - Parameter path: relative to the root.
    mutating func bytes(of path: String) throws(BIDSError) -> [UInt8] {
        let (bytes, stamp) = try FileSystem.read(root + "/" + path)
        documents.append(DatasetDocument(path: path, digest: FileDigest(of: bytes, stamp: stamp)))
        return bytes
    }

    mutating func object(at path: String) throws(BIDSError) -> [String: JSONValue] {
        try SidecarInheritance.object(in: try bytes(of: path), shownAs: path)
    }
}
