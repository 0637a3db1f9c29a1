import BIDS
import Workflow

/// Answer to `POST /v1/plans`.
package struct PlanReport: Codable, Sendable {
    package struct Step: Codable, Sendable {
        package var step: String
        package var kind: String
        package var tasks: Int
        /// Results that exist already, as far as it can be known before the inputs are computed.
        package var cached: Int
        package var problems: Int
        /// Tasks that cannot run because one before them cannot.
        package var behind: Int
        /// Steps of those before them.
        package var behindSteps: [String]

        package init(
            step: String, kind: String, tasks: Int, cached: Int, problems: Int, behind: Int = 0,
            behindSteps: [String] = []
        ) {
            (self.step, self.kind, self.tasks, self.cached, self.problems) = (step, kind, tasks, cached, problems)
            (self.behind, self.behindSteps) = (behind, behindSteps)
        }
    }

    /// What a model that the workflow names is now.
    package struct Model: Codable, Sendable {
        package var step: String
        package var input: String
        /// As the workflow calls it.
        package var model: String
        package var name: String?
        package var digest: ArtifactDigest

        package init(step: String, input: String, model: String, name: String?, digest: ArtifactDigest) {
            (self.step, self.input, self.model, self.name, self.digest) = (step, input, model, name, digest)
        }
    }

    /// Who would be in which fold.
    package struct Folds: Codable, Sendable {
        package var count: Int
        package var seed: Int64
        /// By label without `sub-`, from 1; whoever is in none is not there.
        package var people: [String: Int]
        /// Columns of participants.tsv with the groups that were made of them.
        package var stratify: [JSONValue]

        package init(count: Int, seed: Int64, people: [String: Int], stratify: [JSONValue]) {
            (self.count, self.seed, self.people, self.stratify) = (count, seed, people, stratify)
        }
    }

    package var workflow: String
    package var subjects: Int
    package var sessions: Int
    package var tasks: Int
    package var steps: [Step]
    package var models: [Model]
    /// Nil for a workflow without folds.
    package var folds: Folds?
    /// `sub-01: …` sentences: who lacks what.
    package var problems: [String]

    package init(
        workflow: String, subjects: Int, sessions: Int, tasks: Int, steps: [Step], models: [Model] = [],
        folds: Folds? = nil, problems: [String]
    ) {
        self.models = models
        self.folds = folds
        self.workflow = workflow
        self.subjects = subjects
        self.sessions = sessions
        self.tasks = tasks
        self.steps = steps
        self.problems = problems
    }
}
