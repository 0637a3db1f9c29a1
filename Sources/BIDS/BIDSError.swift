/// What stops this module: the file system and the files' contents. What is merely wrong with a dataset, while reading
/// it goes on, is a `DatasetProblem`.
package enum BIDSError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The operating system refused; `reason` is its own text.
    case cannotRead(path: String, reason: String)
    case notADirectory(path: String)
    case json(path: String, error: JSONSyntaxError)
    /// A sidecar or description must hold an object.
    case notAnObject(path: String, found: String)
    case name(BIDSNameError)
    case table(path: String, line: Int, reason: String)
    /// Size, modification time or inode differ before and after reading: the bytes read belong to no one version.
    case changedWhileReading(path: String)

    package var description: String {
        switch self {
        case .cannotRead(let path, let reason):
            "\(path) cannot be read: \(reason); check that it exists and that this user may read it"
        case .notADirectory(let path): "\(path) is not a folder; name the folder that holds dataset_description.json"
        case .json(let path, let error):
            "\(path), \(error.description); correct the JSON, or remove the file when it says nothing"
        case .notAnObject(let path, let found):
            "\(path) holds \(found) where a JSON object { } is expected; correct the file"
        case .name(let error): error.description
        case .table(let path, let line, let reason): "\(path), line \(line): \(reason)"
        case .changedWhileReading(let path):
            "\(path) changed while it was read; wait until it is written completely, then try again"
        }
    }
}
