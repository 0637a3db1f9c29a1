import BIDS
import Foundation
import Workflow

/// A file that a task of the run made.
struct MadeFile: Hashable, Sendable {
    var ordinal: Int
    var step: String
    var kind: String
    var context: TaskContext
    var port: String
    var name: String
    var digest: ArtifactDigest
    var sizeBytes: Int64
    var mediaType: String
    var metadata: JSONValue?

    static let columns = [
        "ordinal", "step", "kind", "subject", "session", "atlas", "fold", "port", "name", "digest", "size",
        "media_type", "metadata",
    ]

    init(_ row: CommaSeparatedTable.Row) throws {
        guard let ordinal = row.integer("ordinal"), let size = row["size"].flatMap({ Int64($0) }),
            let digest = ArtifactDigest(hex: row.text("digest"))
        else { throw CommandFailure("The coordinator's view outputs holds a row that cannot be read: \(row.cells)") }
        self.ordinal = ordinal
        step = row.text("step")
        kind = row.text("kind")
        context = TaskContext(
            subject: row["subject"], session: row["session"], atlas: row["atlas"], fold: row.integer("fold"))
        port = row.text("port")
        name = row.text("name")
        self.digest = digest
        sizeBytes = size
        mediaType = row.text("media_type")
        metadata = try row["metadata"].map { try JSONValue.parse($0) }
    }
}

/// A file that a task of the run read.
struct ReadFile: Hashable, Sendable {
    var ordinal: Int
    var port: String
    /// Whose file it is.
    var context: TaskContext
    /// Task and output port that made it; nil for a file of a dataset or an atlas, which has a path instead.
    var maker: Maker?
    var name: String
    var path: String?
    /// Nil while the task that makes it has not succeeded.
    var digest: ArtifactDigest?

    struct Maker: Hashable, Sendable { var ordinal: Int, port: String }

    static let columns = [
        "ordinal", "port", "from_subject", "from_session", "from_atlas", "from_fold", "from_task", "from_port", "name",
        "path", "digest",
    ]

    init(_ row: CommaSeparatedTable.Row) throws {
        guard let ordinal = row.integer("ordinal") else {
            throw CommandFailure("The coordinator's view inputs holds a row that cannot be read: \(row.cells)")
        }
        self.ordinal = ordinal
        port = row.text("port")
        context = TaskContext(
            subject: row["from_subject"], session: row["from_session"], atlas: row["from_atlas"],
            fold: row.integer("from_fold"))
        if let task = row["from_task"].flatMap({ TaskID($0) }), let port = row["from_port"] {
            maker = Maker(ordinal: task.ordinal, port: port)
        }
        name = row.text("name")
        path = row["path"]
        digest = row["digest"].flatMap { ArtifactDigest(hex: $0) }
    }
}

/// All files of a run: what its tasks read and what they made.
struct RunFiles: Sendable {
    var made: [MadeFile]
    private let read: [Int: [ReadFile]]
    private let byMaker: [ReadFile.Maker: MadeFile]

    init(_ reader: ResultReader) async throws {
        let outputs = try await reader.table("outputs").rows(needing: MadeFile.columns).map(MadeFile.init)
        let inputs = try await reader.table("inputs").rows(needing: ReadFile.columns).map(ReadFile.init)
        self.init(made: outputs, read: inputs)
    }

    init(made: [MadeFile], read: [ReadFile]) {
        self.made = made
        self.read = Dictionary(grouping: read, by: \.ordinal)
        byMaker = Dictionary(made.map { (ReadFile.Maker(ordinal: $0.ordinal, port: $0.port), $0) }) { first, _ in first
        }
    }

    /// Files of datasets and atlases that tasks read.
    var sources: [ReadFile] { read.values.flatMap { $0.filter { $0.maker == nil } } }

    func inputs(of file: MadeFile) -> [ReadFile] { read[file.ordinal] ?? [] }

    /// The output of another task that an input is.
    func origin(of input: ReadFile) -> MadeFile? {
        input.maker.flatMap { byMaker[$0] }
    }
}
