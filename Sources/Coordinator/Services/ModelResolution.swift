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
    /// The models that a workflow names, by what it calls them: one, or the folds of a training.
    ///
    /// Their bytes are kept from a collection of garbage until the run that reads them is stored.
    ///
    /// - Throws: `APIFailure` 422 with the places of those that are not known, and of files that are no models.
    func models(of definition: WorkflowDefinition, path: String) async throws -> [String: [NamedModel]] {
        var found: [String: [NamedModel]] = [:]
        var problems: [WorkflowProblem] = []
        for (step, input, reference) in definition.registeredModels {
            guard let text = reference.registeredAs else { continue }
            func report(_ sentence: String) {
                problems.append(
                    WorkflowProblem(.error, file: path, line: reference.line, column: reference.column, sentence))
            }
            if found[text] == nil {
                do {
                    found[text] = try await named(try await store.modelsNamed(text))
                    if found[text] == nil {
                        report("the bytes of model \(text) are no longer in the artifact store; import it again")
                        continue
                    }
                } catch let error as StoreError where error.isAboutNameOfModel {
                    report(error.asFinding)
                    continue
                }
            }
            let kind = definition.step(step)?.kind ?? ""
            for model in found[text] ?? [] {
                guard let use = ModelFileCheck.otherUse(model.file.path, kind: kind) else { continue }
                report("model \(text) is \(use)")
                break
            }
            let members = found[text]?.count ?? 0
            let takesOne = definition.step(step)?.inputs.contains { $0.port == input && !$0.isGathered } == true
            if members > 1, takesOne {
                report(
                    "the name \(text) stands for \(members) models, the folds of a training, and the input \(input) of step "
                        + "\(step) takes one; name one of them, such as \(ModelName.ofFold(1, of: text))")
            }
        }
        for file in definition.modelFiles {
            let kind = definition.step(file.step)?.kind ?? ""
            guard let problem = ModelFileCheck.problem(file.path, kind: kind) else { continue }
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

    /// Nil where the bytes of one are gone.
    private func named(_ summaries: [ModelSummary]) async throws -> [NamedModel]? {
        var found: [NamedModel] = []
        for summary in summaries {
            guard try artifacts.contains(summary.digest) else { return nil }
            _ = try await store.missing([summary.digest])
            try artifacts.touch(summary.digest)
            found.append(
                NamedModel(
                    summary: summary,
                    file: FileReference(
                        path: artifacts.path(of: summary.digest),
                        name: "\(summary.digest.abbreviated).\(TaskPort.Format.model.fileExtension)",
                        digest: summary.digest, sizeBytes: summary.sizeBytes)))
        }
        return found
    }
}

extension StoreError {
    fileprivate var isAboutNameOfModel: Bool {
        switch self {
        case .unknownModel, .ambiguousModel, .foldsOfModelMissing: true
        default: false
        }
    }

    /// The sentence as findings in files have it: small, without full stop.
    fileprivate var asFinding: String {
        let text = description
        return text.prefix(1).lowercased() + (text.hasSuffix(".") ? text.dropFirst().dropLast() : text.dropFirst())
    }
}
