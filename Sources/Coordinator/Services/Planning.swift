import BIDS
import Wire
import Workflow

extension Submission {
    /// What a run would do, without digesting anything: results count as there when their inputs' digests are known.
    func plan(_ request: RunRequest) async throws -> PlanReport {
        let draft = try await draft(request)
        let tasks = try draft.expand()
        let keys = Self.cacheKeys(of: tasks)
        let cached = try await store.knownResults(Array(Set(keys.values)))
        var steps: [String: PlanReport.Step] = [:]
        for task in tasks {
            var step =
                steps[task.step]
                ?? PlanReport.Step(step: task.step, kind: task.kind, tasks: 0, cached: 0, problems: 0)
            step.tasks += 1
            if task.problem != nil { step.problems += 1 }
            if let key = keys[task.ordinal], cached.contains(key) { step.cached += 1 }
            steps[task.step] = step
        }
        return PlanReport(
            workflow: draft.definition.name, subjects: draft.cohort.subjects.count,
            sessions: draft.cohort.sessionCount, tasks: tasks.count,
            // In the order of the file, which is the order people know.
            steps: draft.definition.steps.compactMap { steps[$0.name] },
            problems: draft.problems(tasks))
    }

    /// Cache keys, by ordinal, of the tasks that read files only, all with known digests.
    private static func cacheKeys(of tasks: [ExpandedTask]) -> [Int: ArtifactDigest] {
        var keys: [Int: ArtifactDigest] = [:]
        for task in tasks where task.problem == nil {
            var inputs: [TaskInput] = []
            for input in task.inputs {
                guard case .file(let file) = input.source, let digest = file.digest, let size = file.sizeBytes else {
                    break
                }
                inputs.append(
                    TaskInput(
                        port: input.port, context: input.context, name: file.name, digest: digest, sizeBytes: size,
                        sourcePath: file.path, metadata: file.metadata))
            }
            guard inputs.count == task.inputs.count else { continue }
            keys[task.ordinal] = CacheKey.make(
                kind: task.kind, kindVersion: task.kindVersion, parameters: task.parameters, inputs: inputs,
                missing: [], context: task.context, salt: task.cacheSalt)
        }
        return keys
    }
}
