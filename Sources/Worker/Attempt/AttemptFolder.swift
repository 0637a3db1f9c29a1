import BIDS
import Foundation
import Workflow

/// The folder of one attempt: `task.json` and `inputs/` for its process, `outputs/`, `result.json` and `log` from it.
package struct AttemptFolder: Sendable {
    package let path: String

    package init(path: String) { self.path = path }

    package var inputs: String { path + "/inputs" }
    package var outputs: String { path + "/outputs" }
    package var log: String { path + "/log" }

    /// Blocks.
    package func make() throws {
        for folder in [path, inputs, outputs, path + "/tmp"] { try ScratchFolder.makeFolder(folder) }
    }

    /// Blocks.
    package func write(_ request: TaskRequest) throws {
        let file = path + "/task.json"
        let data = try JSONEncoder().encode(request)
        do {
            try data.write(to: URL(fileURLWithPath: file))
        } catch {
            let full = (error as? CocoaError)?.code == .fileWriteOutOfSpace
            throw WorkerError.system(doing: "writing", path: file, errorNumber: full ? ENOSPC : EIO)
        }
    }

    /// What the process left in `result.json`. Blocks.
    package func result() -> AttemptVerdict.Left {
        guard let bytes = ProcessFile.read(path + "/result.json") else { return .nothing }
        do {
            return .result(try JSONDecoder().decode(TaskResult.self, from: Data(bytes)))
        } catch {
            return .unreadable("\(error)")
        }
    }

    /// How far the process says it is, 0…1; nil when it does not say.
    package func progress() -> Double? {
        guard let bytes = ProcessFile.read(path + "/progress") else { return nil }
        return LogTail.lastLine(String(decoding: bytes.suffix(64), as: UTF8.self)).flatMap { Double($0) }
            .map { min(max($0, 0), 1) }
    }

    /// Path of an output, which must be a plain file inside the output folder. Blocks.
    package func path(of output: TaskResult.Output) throws -> (path: String, sizeBytes: Int64) {
        let steps = output.file.split(separator: "/", omittingEmptySubsequences: false)
        guard !steps.contains(where: { $0.isEmpty || $0 == "." || $0 == ".." }) else {
            throw WorkerError.badOutput(
                file: output.file, port: output.port, reason: "is no path inside the output folder")
        }
        let path = "\(outputs)/\(output.file)"
        var status = stat()
        guard lstat(path, &status) == 0 else {
            throw WorkerError.badOutput(
                file: output.file, port: output.port, reason: "is named by the result but missing")
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw WorkerError.badOutput(file: output.file, port: output.port, reason: "is no regular file")
        }
        return (path, Int64(status.st_size))
    }
}
