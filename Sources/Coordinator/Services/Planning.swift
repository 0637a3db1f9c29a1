import BIDS
import Wire
import Workflow

extension Submission {
    /// What a run would do, without digesting any image: a result counts as there when it can be named, that is, when the
    /// digests of all that it is made from are known.
    func plan(_ request: RunRequest) async throws -> PlanReport {
        let draft = try await draft(request)
        let tasks = try draft.expand()
        let cached = try await knownTasks(tasks)
        var steps: [String: PlanReport.Step] = [:]
        // By ordinal: those that cannot run, of themselves or behind another.
        var stopped: Set<Int> = []
        for task in tasks {
            var step =
                steps[task.step]
                ?? PlanReport.Step(step: task.step, kind: task.kind, tasks: 0, cached: 0, problems: 0)
            step.tasks += 1
            if task.problem != nil {
                step.problems += 1
                stopped.insert(task.ordinal)
            } else if !task.fanIn.isTolerant {
                let parents = Set(task.inputs.compactMap(\.maker)).intersection(stopped)
                if !parents.isEmpty {
                    step.behind += 1
                    stopped.insert(task.ordinal)
                    for name in parents.sorted().map({ tasks[$0].step }) where !step.behindSteps.contains(name) {
                        step.behindSteps.append(name)
                    }
                }
            }
            if cached.contains(task.ordinal) { step.cached += 1 }
            steps[task.step] = step
        }
        return PlanReport(
            workflow: draft.definition.name, subjects: draft.cohort.subjects.count,
            sessions: draft.cohort.sessionCount, tasks: tasks.count,
            // In the order of the file, which is the order people know.
            steps: draft.definition.steps.compactMap { steps[$0.name] },
            models: draft.definition.registeredModels.compactMap { step, input, reference in
                guard let text = reference.registeredAs, let model = draft.models[text]?.summary else { return nil }
                return PlanReport.Model(
                    step: step, input: input, model: text, name: model.name, digest: model.digest)
            },
            problems: draft.problems(tasks))
    }

    /// Ordinals of the tasks whose results are known, found level by level: what a task reads is known once the results
    /// before it are.
    private func knownTasks(_ tasks: [ExpandedTask]) async throws -> Set<Int> {
        var outputs: [Int: [KnownOutput]] = [:]
        for level in Self.levels(tasks) {
            var keys: [Int: ArtifactDigest] = [:]
            for ordinal in level {
                let task = tasks[ordinal]
                guard let inputs = Self.inputs(of: task, outputs) else { continue }
                keys[ordinal] = CacheKey.make(
                    kind: task.kind, kindVersion: task.kindVersion, parameters: task.parameters, inputs: inputs,
                    missing: [], context: task.context, salt: task.cacheSalt)
            }
            let known = try await store.knownOutputs(Array(Set(keys.values)))
            for (ordinal, key) in keys { outputs[ordinal] = known[key] }
        }
        return Set(outputs.keys)
    }

    /// Ordinals by depth in the graph.
    private static func levels(_ tasks: [ExpandedTask]) -> [[Int]] {
        var depths: [Int] = []
        var levels: [[Int]] = []
        for task in tasks {
            let depth = task.inputs.reduce(0) { depth, input in
                if case .output(let parent, _) = input.source { max(depth, depths[parent] + 1) } else { depth }
            }
            depths.append(depth)
            if depth == levels.count { levels.append([]) }
            levels[depth].append(task.ordinal)
        }
        return levels
    }

    /// What the task would read; nil while something of it is not known.
    private static func inputs(of task: ExpandedTask, _ outputs: [Int: [KnownOutput]]) -> [TaskInput]? {
        guard task.problem == nil else { return nil }
        var inputs: [TaskInput] = []
        for input in task.inputs {
            switch input.source {
            case .file(let file):
                guard let digest = file.digest, let size = file.sizeBytes else { return nil }
                inputs.append(
                    TaskInput(
                        port: input.port, context: input.context, name: file.name, digest: digest, sizeBytes: size,
                        sourcePath: file.path, metadata: file.metadata))
            case .output(let parent, let port):
                guard let files = outputs[parent]?.filter({ $0.port == port }), !files.isEmpty else { return nil }
                inputs += files.map { file in
                    TaskInput(
                        port: input.port, context: input.context, name: file.name, digest: file.digest,
                        sizeBytes: file.sizeBytes, metadata: file.metadata)
                }
            }
        }
        return inputs
    }
}

extension InputBinding {
    /// Ordinal of the task that makes it; nil for a file.
    fileprivate var maker: Int? {
        if case .output(let ordinal, _) = source { ordinal } else { nil }
    }
}
