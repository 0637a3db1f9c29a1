import BIDS
import Foundation
import Workflow

/// What an implementation works with: its request, with the declared kind's defaults filled in.
struct TaskEnvironment: Sendable {
    let request: TaskRequest
    let kind: TaskKind
    /// The parameters, with the defaults of those that the request leaves out.
    let settings: StepSettings

    init(request: TaskRequest) throws {
        guard let kind = TaskKindCatalog.kind(request.kind) else {
            throw TaskResult.Failure.permanent(
                "This program does not know the task kind “\(request.kind)”; update the worker")
        }
        guard kind.version == request.kindVersion else {
            throw TaskResult.Failure.permanent(
                "This program has version \(kind.version) of \(kind.name), the task wants \(request.kindVersion); "
                    + "update the worker or the coordinator so that both are the same")
        }
        (self.request, self.kind) = (request, kind)
        settings = StepSettings(kind: kind, parameters: request.parameters)
    }

    var threads: Int { request.threads }

    // MARK: Inputs

    /// All items of a port, in the order of their contexts.
    func inputs(_ port: String) -> [TaskRequest.StagedInput] {
        request.inputs.filter { $0.input.port == port }
            .sorted { ($0.input.context, $0.input.name) < ($1.input.context, $1.input.name) }
    }

    /// The items of a port by their contexts, of which each has one: copies of the same bytes are one.
    ///
    /// - Throws: a permanent failure naming a context with two that differ, for which of them counts would be chance.
    func inputsByContext(_ port: String) throws -> [TaskContext: TaskRequest.StagedInput] {
        var found: [TaskContext: TaskRequest.StagedInput] = [:]
        for item in inputs(port) {
            let context = item.input.context
            guard let other = found[context], other.input.digest != item.input.digest else {
                found[context] = found[context] ?? item
                continue
            }
            let names =
                other.input.name == item.input.name
                ? "\(item.input.name), of two datasets" : "\(other.input.name) and \(item.input.name)"
            throw refuse(
                "\(context) has two files at “\(port)” (\(names)), where one is wanted; say in the query which dataset, such as "
                    + "dataset: labels, or what else tells them apart")
        }
        return found
    }

    func optionalInput(_ port: String) -> TaskRequest.StagedInput? { inputs(port).first }

    func input(_ port: String) throws -> TaskRequest.StagedInput {
        guard let item = optionalInput(port) else {
            throw TaskResult.Failure.permanent(
                "Step \(request.step) got no input “\(port)”; state it in the workflow file")
        }
        return item
    }

    // MARK: Parameters

    /// Whether a parameter is anything but its default.
    func isSet(_ name: String) -> Bool { settings.isSet(name) }
    func number(_ name: String) -> Double { settings.number(name) }
    func integer(_ name: String) -> Int { settings.integer(name) }
    func text(_ name: String) -> String { settings.text(name) }
    func boolean(_ name: String) -> Bool { settings.boolean(name) }
    func texts(_ name: String) -> [String] { settings.texts(name) }
    func list(_ name: String) -> [JSONValue] { settings.list(name) }
    func map(_ name: String) -> [String: JSONValue] { settings.map(name) }

    // MARK: Outputs

    /// Path for the file of an output port, and the entry for the result.
    func output(_ port: String, metadata: JSONValue? = nil) -> (path: String, entry: TaskResult.Output) {
        guard let declared = kind.output(port) else {
            preconditionFailure("\(kind.name) declares no output \(port)")
        }
        let file = "\(port).\(declared.format.fileExtension)"
        let path = request.outputFolder + "/" + file
        return (
            path,
            TaskResult.Output(port: port, file: file, mediaType: declared.format.mediaType, metadata: metadata)
        )
    }

    func writeJSON(_ value: JSONValue, to port: String) throws -> TaskResult.Output {
        let (path, entry) = output(port)
        try value.prettyData.write(to: URL(fileURLWithPath: path))
        return entry
    }

    func writeTable(_ table: TabSeparatedTable, to port: String) throws -> TaskResult.Output {
        let (path, entry) = output(port)
        try Data(table.text.utf8).write(to: URL(fileURLWithPath: path))
        return entry
    }

    // MARK: Progress

    /// A file that a later attempt of the same work on this worker finds again; nil where nothing is kept.
    func keptFile(_ name: String) -> String? { request.keptFolder.map { $0 + "/" + name } }

    /// A line of the attempt's log, there at once: what is kept in a buffer is lost with a process that is killed.
    func say(_ line: String) {
        var text = line + "\n"
        text.withUTF8 { bytes in
            var rest = bytes[...]
            while !rest.isEmpty {
                let done = write(
                    STDOUT_FILENO, UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: rest)).baseAddress, rest.count)
                // The log is a courtesy, as progress is.
                guard done > 0 || errno == EINTR else { return }
                rest = rest.dropFirst(max(0, done))
            }
        }
    }

    /// Tells the worker how far the attempt is: the fraction is the last line of `progress` beside the request.
    func report(progress: Double) {
        let line = Data("\(min(max(progress, 0), 1))\n".utf8)
        // Progress is a courtesy: an attempt does not fail because it could not be told.
        try? line.write(
            to: URL(fileURLWithPath: request.outputFolder).deletingLastPathComponent().appending(path: "progress"))
    }
}

extension TaskResult.Failure {
    static func permanent(_ message: String) -> TaskResult.Failure {
        TaskResult.Failure(outcome: .permanent, message: message)
    }
}

extension TaskRequest.StagedInput {
    func readJSON() throws -> JSONValue {
        do {
            return try JSONValue.parse(try Data(contentsOf: URL(fileURLWithPath: path)))
        } catch {
            throw TaskResult.Failure.permanent("\(input.name) is not readable JSON (\(error)); repair or replace it")
        }
    }

    func readTable() throws -> TabSeparatedTable {
        try TabSeparatedTable(data: try Data(contentsOf: URL(fileURLWithPath: path)), name: input.name)
    }
}
