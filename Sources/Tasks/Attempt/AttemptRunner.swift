import BIDS
import Foundation
import Networks
import Workflow

/// The attempt's process: reads `task.json` in a folder, runs the task, leaves `result.json`.
///
/// The result is written aside and renamed, so that a reader sees either nothing or all of it. A failure that the task
/// can name is a result too; only a crash leaves none.
package enum AttemptRunner {
    /// - Returns: the exit code: 0 for a result with success, 1 for a result with a failure.
    package static func run(folder: String) throws -> Int32 {
        let home = URL(fileURLWithPath: folder)
        let request = try JSONDecoder().decode(
            TaskRequest.self, from: try Data(contentsOf: home.appending(path: "task.json")))
        let result = perform(request)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let aside = home.appending(path: "result.json.part")
        try encoder.encode(result).write(to: aside)
        guard rename(aside.path, home.appending(path: "result.json").path) == 0 else {
            throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO)
        }
        return result.failure == nil ? 0 : 1
    }

    static func perform(_ request: TaskRequest) -> TaskResult {
        do {
            let environment = try TaskEnvironment(request: request)
            guard let implementation = TaskRegistry.implementation(of: request.kind) else {
                throw TaskResult.Failure.permanent(
                    "This program does not know the task kind “\(request.kind)”; update the worker")
            }
            var result = try implementation.run(environment)
            result.warnings = result.warnings.map { renamed($0, request) }
            return result
        } catch let finding as StepFinding {
            let sentence = finding.sentence(step: request.step)
            return TaskResult(failure: .permanent(sentence.prefix(1).uppercased() + sentence.dropFirst()))
        } catch {
            var failure = classify(error)
            failure.message = renamed(failure.message, request)
            return TaskResult(failure: failure)
        }
    }

    /// People know the files of their dataset, not the places where a worker staged them.
    private static func renamed(_ message: String, _ request: TaskRequest) -> String {
        // Longest first: one path may begin another.
        request.inputs.sorted { $0.path.count > $1.path.count }.reduce(message) { text, item in
            text.replacing(item.path, with: item.input.sourcePath ?? item.input.name)
        }
    }

    /// Everything a task throws about its input is permanent; what the machine did to it may pass.
    static func classify(_ error: any Error) -> TaskResult.Failure {
        if let failure = error as? TaskResult.Failure { return failure }
        if let code = posixCode(of: error) {
            switch code {
            case ENOSPC, EDQUOT:
                return TaskResult.Failure(
                    outcome: .transient, message: "The worker's disk is full; free space in its scratch folder")
            case ENOMEM:
                return TaskResult.Failure(outcome: .outOfMemory, message: "The attempt ran out of memory")
            case EIO, EINTR, EAGAIN, ESTALE, ETIMEDOUT, EMFILE, ENFILE:
                return TaskResult.Failure(
                    outcome: .transient, message: "The worker's file system failed: \(String(cString: strerror(code)))")
            default: break
            }
        }
        return TaskResult.Failure(outcome: .permanent, message: String(describing: error))
    }

    private static func posixCode(of error: any Error) -> Int32? {
        if let error = error as? POSIXError { return error.code.rawValue }
        if case NetworkError.system(_, _, let number) = error { return number }
        let error = error as NSError
        if error.domain == NSPOSIXErrorDomain { return Int32(error.code) }
        if let inner = error.userInfo[NSUnderlyingErrorKey] as? any Error { return posixCode(of: inner) }
        return error.domain == NSCocoaErrorDomain && error.code == CocoaError.fileWriteOutOfSpace.rawValue
            ? ENOSPC : nil
    }
}
