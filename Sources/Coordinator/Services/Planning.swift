import BIDS
import Wire
import Workflow

extension Submission {
    /// What a run would do, without digesting any image: a result counts as there when it can be named, that is, when the
    /// digests of all that it is made from are known.
    func plan(_ request: RunRequest) async throws -> PlanReport {
        var draft = try await draft(request)
        try await recallDigests(of: &draft)
        let tasks = try draft.expand()
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
            steps[task.step] = step
        }
        for ordinal in try await knownTasks(tasks, stopped: stopped) { steps[tasks[ordinal].step]?.cached += 1 }
        return PlanReport(
            workflow: draft.definition.name, subjects: draft.cohort.subjects.count,
            sessions: draft.cohort.sessionCount, tasks: tasks.count,
            // In the order of the file, which is the order people know.
            steps: draft.definition.steps.compactMap { steps[$0.name] },
            models: draft.definition.registeredModels.flatMap { step, input, reference in
                let text = reference.registeredAs ?? ""
                return (draft.models[text] ?? []).map { model in
                    PlanReport.Model(
                        step: step, input: input, model: text, name: model.summary.name, digest: model.summary.digest)
                }
            },
            folds: draft.plannedFolds,
            problems: draft.problems(tasks))
    }

    /// Digests of files that the index does not hold, such as those of atlases, as far as earlier runs computed them.
    private func recallDigests(of draft: inout RunDraft) async throws {
        var used: Set<String> = []
        for task in try draft.expand() {
            for input in task.inputs {
                if case .file(let file) = input.source, file.digest == nil { used.insert(file.path) }
            }
        }
        // A file that cannot be looked at is not known: the run says what is wrong with it.
        let stamped = used.sorted().compactMap { path in (try? FileStamp.of(path)).map { (path: path, stamp: $0) } }
        let known = try await store.knownDigests(stamped)
        draft.accept(
            stamped.compactMap { file in
                known[file.path].map { Store.DigestedFile(path: file.path, stamp: file.stamp, digest: $0) }
            })
    }

    /// Ordinals of the tasks whose results are known, found level by level: what a task reads is known once the results
    /// before it are.
    private func knownTasks(_ tasks: [ExpandedTask], stopped: Set<Int>) async throws -> Set<Int> {
        var outputs: [Int: [KnownOutput]] = [:]
        for level in Self.levels(tasks) {
            var keys: [Int: ArtifactDigest] = [:]
            for ordinal in level {
                let task = tasks[ordinal]
                guard let read = Self.inputs(of: task, outputs, stopped),
                    !task.fanIn.isTolerant || read.shortage(under: task.fanIn) == nil
                else { continue }
                keys[ordinal] = CacheKey.make(
                    kind: task.kind, kindVersion: task.kindVersion, parameters: task.parameters, inputs: read.inputs,
                    missing: read.missing, context: task.context, salt: task.cacheSalt)
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

    /// What the task would read, and what it would do without, as the store puts it together (`TaskInputs.resolve`); nil
    /// while something of it is not known.
    private static func inputs(
        of task: ExpandedTask, _ outputs: [Int: [KnownOutput]], _ stopped: Set<Int>
    ) -> ResolvedInputs? {
        guard task.problem == nil else { return nil }
        var read = ResolvedInputs()
        for input in task.inputs {
            switch input.source {
            case .file(let file):
                guard let digest = file.digest, let size = file.sizeBytes else { return nil }
                read.inputs.append(
                    TaskInput(
                        port: input.port, context: input.context, name: file.name, digest: digest, sizeBytes: size,
                        sourcePath: file.path, metadata: file.metadata))
            case .output(let parent, let port):
                guard outputs[parent] != nil || (task.fanIn.isTolerant && stopped.contains(parent)) else { return nil }
                let files = outputs[parent]?.filter { $0.port == port } ?? []
                read.inputs += files.map { file in
                    TaskInput(
                        port: input.port, context: input.context, name: file.name, digest: file.digest,
                        sizeBytes: file.sizeBytes, metadata: file.metadata)
                }
                if files.isEmpty {
                    // The reason is no part of the key.
                    read.missing.append(MissingInput(port: input.port, context: input.context, reason: ""))
                }
                let before = read.ports[input.port] ?? (0, 0)
                read.ports[input.port] = (before.present + files.count, before.total + max(1, files.count))
            }
        }
        return read
    }
}

extension InputBinding {
    /// Ordinal of the task that makes it; nil for a file.
    fileprivate var maker: Int? {
        if case .output(let ordinal, _) = source { ordinal } else { nil }
    }
}
