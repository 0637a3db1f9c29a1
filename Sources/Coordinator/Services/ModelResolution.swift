import Artifacts
import BIDS
import Foundation
import HTTPTypes
import Wire
import Workflow

/// A model that a workflow names, as it is when a run is submitted.
struct NamedModel: Sendable {
    var summary: ModelSummary
    /// Its name holds the digest and nothing else that may change: what is computed with a model is known by its bytes.
    var file: FileReference
}

extension Submission {
    /// The models that a workflow names, by what it calls them.
    ///
    /// Their bytes are kept from a collection of garbage until the run that reads them is stored.
    ///
    /// - Throws: `APIFailure` 422 with the places of those that are not known, and of files that are no models.
    func models(of definition: WorkflowDefinition, path: String) async throws -> [String: NamedModel] {
        var found: [String: NamedModel] = [:]
        var problems: [WorkflowProblem] = []
        for (_, _, reference) in definition.registeredModels {
            guard let text = reference.registeredAs, found[text] == nil else { continue }
            func report(_ sentence: String) {
                problems.append(
                    WorkflowProblem(.error, file: path, line: reference.line, column: reference.column, sentence))
            }
            let summary: ModelSummary
            do {
                summary = try await store.model(text).summary
            } catch let error as StoreError where error.isAboutNameOfModel {
                report(error.asFinding)
                continue
            }
            guard try artifacts.contains(summary.digest) else {
                report("the bytes of model \(text) are no longer in the artifact store; import it again")
                continue
            }
            _ = try await store.missing([summary.digest])
            try artifacts.touch(summary.digest)
            found[text] = NamedModel(
                summary: summary,
                file: FileReference(
                    path: artifacts.path(of: summary.digest),
                    name: "\(summary.digest.abbreviated).\(TaskPort.Format.model.fileExtension)",
                    digest: summary.digest, sizeBytes: summary.sizeBytes))
        }
        for file in definition.modelFiles {
            guard let problem = ModelFileCheck.problem(file.path) else { continue }
            problems.append(
                WorkflowProblem(
                    .error, file: path, line: file.line, column: file.column,
                    "input \(file.input) of step \(file.step): \(file.path) \(problem)"))
        }
        guard problems.isEmpty else {
            throw APIFailure(
                .unprocessableContent, "invalid_workflow",
                "The workflow \(path) names models that cannot be used; nothing was started.",
                details: problems.map(\.description))
        }
        return found
    }
}

extension StoreError {
    fileprivate var isAboutNameOfModel: Bool {
        switch self {
        case .unknownModel, .ambiguousModel: true
        default: false
        }
    }

    /// The sentence as findings in files have it: small, without full stop.
    fileprivate var asFinding: String {
        let text = description
        return text.prefix(1).lowercased() + (text.hasSuffix(".") ? text.dropFirst().dropLast() : text.dropFirst())
    }
}
