import BIDS
import Foundation

/// Reading of workflow files: text in, a definition or the list of everything wrong with it out.
package enum WorkflowFile {
    package struct Parsed: Sendable {
        /// Nil when there is an error.
        package var definition: WorkflowDefinition?
        /// In the order of the file.
        package var problems: [WorkflowProblem]

        package var errors: [WorkflowProblem] { problems.filter { $0.severity == .error } }
        package var warnings: [WorkflowProblem] { problems.filter { $0.severity == .warning } }
    }

    /// Reads and checks a workflow.
    ///
    /// - Parameters:
    ///   - path: of the file, absolute for choice: atlas folders and files in it are relative to its folder.
    ///   - parameters: values in place of the file's, by `step.parameter` or by the name of a top-level parameter.
    ///   - atlases: folders by name, added to or in place of the file's.
    package static func parse(
        _ text: String, path: String, parameters: [String: JSONValue] = [:], atlases: [String: String] = [:],
        kinds: [TaskKind] = TaskKindCatalog.kinds
    ) -> Parsed {
        let root: YAMLNode?
        do throws(YAMLSyntaxError) {
            root = try YAMLNode.parse(text)
        } catch {
            let problem = WorkflowProblem(
                .error, file: path, line: error.mark?.line, column: error.mark?.column, error.sentence)
            return Parsed(definition: nil, problems: [problem])
        }
        guard let root else {
            let problem = WorkflowProblem(
                .error, file: path, line: 1, column: 1, "the file is empty; a workflow has at least name and steps")
            return Parsed(definition: nil, problems: [problem])
        }
        var reader = WorkflowReader(path: path, kinds: kinds, overrides: parameters)
        let draft = reader.read(root, atlasOverrides: atlases)
        let settled = draft.settled { mark, sentence in reader.error(mark, sentence) }
        var checker = WorkflowChecker(draft: settled, path: path, problems: reader.problems)
        var definition = checker.check()
        definition.reuses = draft.reuses
        // What this run leaves out has its mistakes told all the same.
        var whole = WorkflowChecker(draft: draft.whole, path: path, problems: [])
        whole.checkSteps { step in !settled.steps.contains { $0.name == step } }
        let problems = (checker.problems + whole.problems).enumerated().sorted {
            ($0.element.line ?? 0, $0.element.column ?? 0, $0.offset) < (
                $1.element.line ?? 0, $1.element.column ?? 0, $1.offset
            )
        }.map(\.element)
        let isValid = !problems.contains { $0.severity == .error }
        return Parsed(definition: isValid ? definition : nil, problems: problems)
    }

    /// Everything wrong with a workflow, for those who want nothing else of it.
    package static func check(text: String, path: String) -> [WorkflowProblem] { parse(text, path: path).problems }

    /// Reads a file from disk; that it cannot be read is a problem like any other.
    package static func read(
        _ path: String, parameters: [String: JSONValue] = [:], atlases: [String: String] = [:]
    ) -> (text: String, parsed: Parsed) {
        let url = URL(fileURLWithPath: path)
        do {
            let text = try String(contentsOf: url, encoding: .utf8)
            return (text, parse(text, path: url.path, parameters: parameters, atlases: atlases))
        } catch {
            let problem = WorkflowProblem(
                .error, file: path, "cannot be read (\(SystemReason.of(error))); name an existing UTF-8 file")
            return ("", Parsed(definition: nil, problems: [problem]))
        }
    }
}
