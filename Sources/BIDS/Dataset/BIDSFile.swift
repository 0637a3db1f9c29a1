/// What tells one version of a file from the next without reading it.
package struct FileStamp: Codable, Hashable, Sendable {
    package var sizeBytes: Int64
    /// Nanoseconds since 1970.
    package var modifiedNanoseconds: Int64
    package var inode: Int64

    package init(sizeBytes: Int64, modifiedNanoseconds: Int64, inode: Int64) {
        self.sizeBytes = sizeBytes
        self.modifiedNanoseconds = modifiedNanoseconds
        self.inode = inode
    }
}

/// Which dataset a file belongs to, as a query sees it.
package enum DatasetRole: Codable, Hashable, Sendable {
    case raw
    /// A derivative dataset; `name` is its folder's name, `pipeline` what `GeneratedBy` calls its maker.
    case derivative(name: String, pipeline: String?)

    package var label: String {
        switch self {
        case .raw: "raw"
        case .derivative(let name, _): name
        }
    }
}

/// One file of a dataset, as the index keeps it.
package struct BIDSFile: Codable, Hashable, Sendable {
    /// Absolute path of the dataset.
    package var root: String
    /// Relative to the dataset's root, with `/`.
    package var path: String
    package var stamp: FileStamp
    package var name: BIDSName
    /// Folder directly above the file when that is not a subject or session folder: `anat`, `func`.
    package var datatype: String?
    package var dataset: DatasetRole
    /// All applicable sidecars merged, the nearest winning; nil when no sidecar applies.
    package var metadata: JSONValue?
    /// Names the versions of those sidecars: while it and `stamp` stay, nothing here can have changed.
    package var sidecarStamp: String
    /// Why this file cannot be used (broken link, empty, unreadable sidecar), as one sentence.
    package var problem: String?
    /// SHA-256, 64 hexadecimal digits, where the index has it; a scan leaves it nil.
    package var digest: String?

    package init(
        root: String = "", path: String, stamp: FileStamp, name: BIDSName, datatype: String?, dataset: DatasetRole,
        metadata: JSONValue? = nil, sidecarStamp: String = "", problem: String? = nil, digest: String? = nil
    ) {
        self.root = root
        self.path = path
        self.stamp = stamp
        self.name = name
        self.datatype = datatype
        self.dataset = dataset
        self.metadata = metadata
        self.sidecarStamp = sidecarStamp
        self.problem = problem
        self.digest = digest
    }

    package var absolutePath: String { root + "/" + path }
    package var fileName: String { path.split(separator: "/").last.map(String.init) ?? path }

    package var subject: String? { name.subject }
    package var session: String? { name.session }
}
