import Foundation
import Wire
import Workflow

// Networks with their weights. Their bytes are artifacts.
extension CoordinatorClient {
    /// One page of models, newest first.
    ///
    /// - Parameter name: only those whose name begins so.
    package func models(
        name: String? = nil, after: ArtifactDigest? = nil, limit: Int? = nil
    ) async throws -> [ModelSummary] {
        let query = [("name", name), ("after", after?.hex), ("limit", limit.map { "\($0)" })]
        return try await get(Self.target(["models"], query: query), as: ModelList.self).models
    }

    /// - Parameter text: a name, a digest, or the beginning of one.
    package func model(_ text: String) async throws -> ModelDetail { try await get(Self.target(["models", text])) }

    /// Registers an artifact as a model, or names one.
    package func putModel(_ digest: ArtifactDigest, _ request: ModelRequest) async throws -> ModelDetail {
        try await call(.put, Self.target(["models", digest.hex]), body: request, mayRepeat: true)
    }

    /// Names the models that a step of a run trained over its folds; in the order of the folds.
    package func nameFolds(of run: RunID, _ request: FoldNaming) async throws -> [ModelSummary] {
        let answer: ModelList = try await call(
            .put, Self.target(["runs", "\(run)", "models"]), body: request, mayRepeat: true)
        return answer.models
    }

    /// Takes a model's name away, and what an import brought. Not repeated: the second time there is none of the name.
    ///
    /// - Returns: true when the model is gone, false when it stays with the run that trained it.
    package func removeModel(_ text: String) async throws -> Bool {
        struct Answer: Decodable { var status: String }
        let answer: Answer = try await call(.delete, Self.target(["models", text]), mayRepeat: false)
        return answer.status == "removed"
    }
}
