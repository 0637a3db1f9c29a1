import BIDS
import Foundation
import Postgres
import Wire
import Workflow

extension Store {
    /// Stores a run with its graph and sets it going: what is known already is taken over, what can run is made ready.
    ///
    /// - Parameters:
    ///   - workflow: name of the workflow, for listings.
    ///   - tasks: in topological order; files with digest and size.
    ///   - documents: of the datasets, from which covariates and metadata were taken.
    ///   - folds: who is in which fold, where the run has folds; an artifact.
    /// - Throws: `StoreError`, `PostgresError`. Nothing is stored then.
    package func createRun(
        request: RunRequest, workflow: String, dataset: DatasetID?, tasks: [ExpandedTask],
        documents: [RunDocument] = [], folds: FoldDocument? = nil, requestedBy: String
    ) async throws -> RunCreated {
        let plan = try RunPlan(tasks)
        let requestText = try StoredJSON.encode(request)
        let (created, groups) = try await pool.transaction { [steps] session in
            let run = try Self.insertRun(
                request, requestText: requestText, workflow: workflow, dataset: dataset, tasks: plan.tasks.count,
                requestedBy: requestedBy, session)
            try Self.lock(session, runs: [run.rawValue])
            try Self.store(documents, run: run, session)
            if let folds { try Self.store(folds, run: run, session) }
            let stepIDs = try Self.insertSteps(plan.steps, run: run, session)
            try Self.insertTasks(plan, run: run, stepIDs: stepIDs, session)

            var progress = GraphProgress(session: session, steps: steps)
            progress.rememberSteps = false
            let broken = plan.tasks.filter { $0.task.problem != nil }.map { TaskID(run: run, ordinal: $0.task.ordinal) }
            let roots = plan.tasks.filter { $0.task.problem == nil && $0.parents.isEmpty }
                .map { TaskID(run: run, ordinal: $0.task.ordinal).rawValue }
            try progress.advance(failed: broken.map(\.rawValue), released: roots)
            try progress.finishRuns([run.rawValue])
            if plan.tasks.count >= Self.analyzeThreshold {
                // Reports are planned by statistics; those of a table that just grew tenfold are wrong until autovacuum
                // comes by.
                try session.script("ANALYZE task, task_dep, task_input, attempt")
            }
            try Self.record(
                session, run: run, actor: requestedBy, kind: "run.created",
                body: ["tasks": .integer(Int64(plan.tasks.count)), "cached": .integer(Int64(progress.cached))])
            let problems = Self.problems(plan)
            return (
                RunCreated(run: run, tasks: plan.tasks.count, cached: progress.cached, problems: problems),
                progress.groups
            )
        }
        announce(groups)
        return created
    }

    private static let analyzeThreshold = 2000

    /// One sentence per task that cannot run, at most a thousand.
    private static func problems(_ plan: RunPlan) -> [String] {
        let broken = plan.tasks.compactMap { task in
            task.task.problem.map { "\(task.task.context), step \(task.task.step): \($0)" }
        }
        guard broken.count > 1000 else { return broken }
        return Array(broken.prefix(1000)) + ["… and \(broken.count - 1000) more; see the failures of the run."]
    }

    private static func insertRun(
        _ request: RunRequest, requestText: String, workflow: String, dataset: DatasetID?, tasks: Int,
        requestedBy: String, _ session: Session
    ) throws -> RunID {
        let id = try session.first(
            """
            INSERT INTO run (name, workflow, request, dataset_id, dataset_path, weight, requested_by, tasks)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING run_id
            """,
            [
                .text(request.name ?? workflow), .text(workflow), .jsonb(requestText), .bigint(dataset?.rawValue),
                .text(request.dataset), .float8(max(request.weight, 1e-6)), .text(requestedBy), .int(tasks),
            ]
        ) { try $0[0] as Int64 }
        guard let id else { throw PostgresError.unexpected("INSERT INTO run returned no row") }
        return RunID(rawValue: id)
    }

    /// Numbers of the steps, in their order.
    private static func insertSteps(_ steps: [RunPlan.Step], run: RunID, _ session: Session) throws -> [Int64] {
        guard !steps.isEmpty else { return [] }
        let rows = try session.query(
            """
            INSERT INTO step (run_id, position, name, kind, kind_version, parameters, retry, fan_in, timeout_ms, cores,
                              memory_mib, command, cache_salt)
            SELECT $1, u.*
            FROM unnest($2::int[], $3::text[], $4::text[], $5::int[], $6::jsonb[], $7::jsonb[], $8::float8[],
                        $9::bigint[], $10::int[], $11::int[], $12::text[], $13::text[]) AS u
            RETURNING position, step_id
            """,
            [
                .bigint(run.rawValue), .intArray(steps.map { Int32($0.position) }), .textArray(steps.map(\.name)),
                .textArray(steps.map(\.kind)), .intArray(steps.map { Int32($0.kindVersion) }),
                .jsonbArray(steps.map { $0.parameters.canonicalString }),
                .jsonbArray(try steps.map { try StoredJSON.encode($0.retry) }),
                .float8Array(steps.map(\.fanIn.stored)), .bigintArray(steps.map(\.timeoutMilliseconds)),
                .intArray(steps.map { Int32(clamping: max(1, $0.cores)) }),
                .intArray(steps.map { Int32(clamping: max(1, $0.memoryMiB)) }), .textArray(steps.map(\.command)),
                .textArray(steps.map(\.cacheSalt)),
            ]
        ) { try $0.decode(Int.self, Int64.self) }
        return rows.sorted { $0.0 < $1.0 }.map(\.1)
    }

    private static func insertTasks(_ plan: RunPlan, run: RunID, stepIDs: [Int64], _ session: Session) throws {
        var tasks = CopyBuffer()
        var dependencies = CopyBuffer()
        var inputs = CopyBuffer()
        var attempts = CopyBuffer()
        // Sidecars are shared by many tasks; each is written out once.
        var written: [JSONValue: String] = [:]
        for planned in plan.tasks {
            let task = planned.task
            let id = TaskID(run: run, ordinal: task.ordinal).rawValue
            tasks.append(id)
            tasks.append(run.rawValue)
            tasks.append(stepIDs[planned.step])
            tasks.append(task.context.subject)
            tasks.append(task.context.session)
            tasks.append(task.context.atlas)
            tasks.append(task.context.fold)
            tasks.append(task.fanIn.isTolerant)
            tasks.append(task.problem != nil)
            tasks.append(Int(planned.priority))
            tasks.append(Int(task.problem == nil ? TaskState.waiting.rawValue : TaskState.failed.rawValue))
            tasks.append(planned.parents.count)
            tasks.append(max(1, task.resources.memoryMiB))
            tasks.append(task.problem == nil ? 0 : 1)
            tasks.append(task.problem == nil ? nil : AttemptOutcome.permanent.rawValue)
            tasks.append(task.problem)
            tasks.endRow()
            if let problem = task.problem {
                attempts.append(id)
                attempts.append(1)
                attempts.append(AttemptOutcome.permanent.rawValue)
                attempts.append(problem)
                attempts.endRow()
            }
            for parent in planned.parents {
                dependencies.append(TaskID(run: run, ordinal: parent).rawValue)
                dependencies.append(id)
                dependencies.endRow()
            }
            for (position, input) in task.inputs.enumerated() {
                var file: FileReference?
                var parent: (Int, String)?
                switch input.source {
                case .file(let reference):
                    guard reference.digest != nil, reference.sizeBytes != nil else { continue }
                    file = reference
                case .output(let ordinal, let port): parent = (ordinal, port)
                }
                inputs.append(id)
                inputs.append(position)
                inputs.append(input.port)
                inputs.append(input.context.subject)
                inputs.append(input.context.session)
                inputs.append(input.context.atlas)
                inputs.append(input.context.fold)
                inputs.append(file?.digest?.bytes)
                inputs.append(file?.path)
                inputs.append(file?.name)
                inputs.append(file?.sizeBytes)
                inputs.append(
                    file?.metadata.map { metadata in
                        if let text = written[metadata] { return text }
                        let text = metadata.canonicalString
                        written[metadata] = text
                        return text
                    })
                inputs.append(parent.map { TaskID(run: run, ordinal: $0.0).rawValue })
                inputs.append(parent?.1)
                inputs.endRow()
            }
        }
        try session.copy(
            into: """
                task (task_id, run_id, step_id, subject, session, atlas, fold, tolerant, unrunnable, priority, state,
                      pending, memory_mib, attempts, outcome, message)
                """, tasks)
        try session.copy(into: "attempt (task_id, attempt, outcome, message)", attempts)
        try session.copy(into: "task_dep (parent_id, child_id)", dependencies)
        try session.copy(
            into: """
                task_input (task_id, position, port, subject, session, atlas, fold, digest, path, name, size_bytes,
                            metadata, parent_id, parent_port)
                """, inputs)
    }

    /// Tells this coordinator's own claims, after the commit, that there is work.
    func announce(_ groups: Set<ClaimGroup>) {
        guard !groups.isEmpty else { return }
        if !scheduler.with({ $0.released(groups) }) { scheduler.sweepSoon() }
        onReady()
    }
}
