import ArgumentParser
import BIDS
import Foundation
import Wire
import Workflow

/// A workflow over a dataset, as `run`, `submit` and `plan` take it.
struct WorkflowArguments: ParsableArguments {
    @Argument(help: "Workflow file (YAML).", completion: .file(extensions: ["yaml", "yml"]))
    var workflow: String

    @Argument(help: "BIDS dataset.", completion: .directory)
    var dataset: String

    @OptionGroup var selection: CohortSelection

    func request() throws -> RunRequest {
        try selection.request(workflow: workflow, dataset: dataset)
    }
}

/// Whom a run is about and what it changes in its workflow.
struct CohortSelection: ParsableArguments {
    @Option(
        name: .long, parsing: .upToNextOption,
        help: "Derivative datasets with further inputs. Default: those in the dataset's derivatives folder.",
        completion: .directory)
    var derivatives: [String] = []

    @Option(
        name: [.customLong("participant-label"), .customLong("participant_label")], parsing: .upToNextOption,
        help: "Only these people, with or without sub-.")
    var participants: [String] = []

    @Option(
        name: [.customLong("session-label"), .customLong("session_label")], parsing: .upToNextOption,
        help: "Only these sessions, with or without ses-.")
    var sessions: [String] = []

    @Option(
        name: .long, parsing: .upToNextOption, help: "NAME=FOLDER of an atlas, in place of those of the workflow file.")
    var atlas: [String] = []

    @Option(
        name: .long, parsing: .upToNextOption,
        help:
            "NAME=VALUE or STEP.PARAMETER=VALUE, in place of the workflow file's; values as there: 3, [64, 64, 32], {rim: 5}."
    )
    var set: [String] = []

    @Option(name: .long, help: "Name of the run, for people.")
    var name: String?

    func request(workflow: String, dataset: String) throws -> RunRequest {
        return RunRequest(
            name: name, workflowText: try Self.text(of: workflow), workflowPath: Self.absolute(workflow),
            dataset: Self.absolute(dataset),
            derivatives: try derivativeFolders(of: dataset),
            participants: participants.isEmpty ? nil : participants.map { Self.label($0, prefix: "sub-") },
            sessions: sessions.isEmpty ? nil : sessions.map { Self.label($0, prefix: "ses-") },
            atlases: try Self.pairs(atlas, option: "--atlas").mapValues(Self.absolute),
            parameters: try Self.parameters(set))
    }

    static func text(of workflow: String) throws -> String {
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: absolute(workflow), isDirectory: &isFolder), isFolder.boolValue {
            throw CommandFailure(
                "\(workflow) is a folder, where a workflow file belongs: the workflow is named first, then the dataset",
                code: ExitStatus.badData)
        }
        do {
            return try String(contentsOfFile: absolute(workflow), encoding: .utf8)
        } catch {
            throw CommandFailure(
                "The workflow file \(workflow) cannot be read (\(SystemReason.of(error))); check its path",
                code: ExitStatus.badData)
        }
    }

    static func parameters(_ words: [String]) throws -> [String: JSONValue] {
        var parameters: [String: JSONValue] = [:]
        for (name, text) in try pairs(words, option: "--set") {
            do throws(ParameterText.Problem) {
                parameters[name] = try ParameterText.value(text)
            } catch {
                throw ValidationError("--set \(name): \(error).")
            }
        }
        return parameters
    }

    /// The folders given, else every dataset directly below `derivatives`, except our own exports.
    private func derivativeFolders(of dataset: String) throws -> [String] {
        derivatives.isEmpty ? Self.derivativesInside(dataset) : derivatives.map(Self.absolute)
    }

    static func derivativesInside(_ dataset: String) -> [String] {
        let folder = absolute(dataset) + "/derivatives"
        // No such folder: no derivatives.
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.sorted().map { folder + "/" + $0 }.filter { path in
            FileManager.default.fileExists(atPath: path + "/dataset_description.json")
                && !URL(fileURLWithPath: path).lastPathComponent.hasPrefix("qsmflow")
                && !URL(fileURLWithPath: path).lastPathComponent.hasPrefix("truth")
        }
    }

    private static func pairs(_ texts: [String], option: String) throws -> [String: String] {
        var result: [String: String] = [:]
        for text in texts {
            guard let equals = text.firstIndex(of: "="), equals > text.startIndex else {
                throw ValidationError("\(option) takes NAME=VALUE, not “\(text)”.")
            }
            result[String(text[..<equals])] = String(text[text.index(after: equals)...])
        }
        return result
    }

    static func label(_ text: String, prefix: String) -> String {
        text.hasPrefix(prefix) ? String(text.dropFirst(prefix.count)) : text
    }

    static func absolute(_ path: String) -> String {
        URL(fileURLWithPath: path).standardizedFileURL.path
    }
}
