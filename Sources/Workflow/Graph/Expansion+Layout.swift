extension Expansion {
    /// Which of a step's tasks over the same part of the cohort: one per atlas or per fold, else the only one.
    struct Lane: Hashable {
        /// Place in the list of atlases.
        var atlas: Int?
        /// From 1.
        var fold: Int?
    }

    /// Which ordinals belong to which step and part of the cohort.
    struct Layout {
        /// Places of the steps in topological order.
        let order: [Int]
        let total: Int
        private let definition: WorkflowDefinition
        private let atlasCount: Int
        private let folds: FoldAssignment?
        private let base: [String: Int]
        private let steps: [String: StepDefinition]
        /// Sessions of all subjects, one after another.
        let sessions: [(subject: Int, context: TaskContext, problem: String?)]
        /// For each subject its part of `sessions`.
        let sessionRange: [Range<Int>]
        let subjects: [Cohort.Subject]

        init(
            definition: WorkflowDefinition, cohort: Cohort, atlasCount: Int, folds: FoldAssignment?
        ) throws(WorkflowError) {
            self.definition = definition
            self.atlasCount = atlasCount
            self.folds = folds
            subjects = cohort.subjects
            var sessions: [(subject: Int, context: TaskContext, problem: String?)] = []
            var ranges: [Range<Int>] = []
            for (index, subject) in cohort.subjects.enumerated() {
                let start = sessions.count
                for session in subject.sessions {
                    sessions.append(
                        (index, TaskContext(subject: subject.label, session: session.label), session.problem))
                }
                ranges.append(start..<sessions.count)
            }
            if sessions.isEmpty { throw .emptyCohort }
            self.sessions = sessions
            sessionRange = ranges
            switch definition.graph.order {
            case .sorted(let order): self.order = order
            case .cycle(let nodes): throw .cycle(nodes.map { definition.steps[$0].name })
            }
            var base: [String: Int] = [:]
            var next = 0
            for place in order {
                let step = definition.steps[place]
                base[step.name] = next
                let contexts =
                    switch step.scope {
                    case .session: sessions.count
                    case .subject: cohort.subjects.count
                    case .cohort: 1
                    }
                next += contexts * (step.isPerAtlas ? atlasCount : step.isPerFold ? folds?.count ?? 0 : 1)
            }
            if next > TaskID.ordinalLimit { throw .tooManyTasks(next) }
            self.base = base
            total = next
            steps = Dictionary(definition.steps.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        }

        func contextCount(_ scope: TaskScope) -> Int {
            switch scope {
            case .session: sessions.count
            case .subject: subjects.count
            case .cohort: 1
            }
        }

        func context(_ scope: TaskScope, _ position: Int) -> TaskContext {
            switch scope {
            case .session: sessions[position].context
            case .subject: TaskContext(subject: subjects[position].label)
            case .cohort: .cohort
            }
        }

        /// Why this part of the cohort may not be used; for a subject when none of its sessions may.
        func exclusion(_ scope: TaskScope, _ position: Int) -> String? {
            switch scope {
            case .session: return sessions[position].problem
            case .subject:
                let own = sessions[sessionRange[position]]
                return own.allSatisfy { $0.problem != nil } ? own.first?.problem : nil
            case .cohort: return nil
            }
        }

        func lanes(_ step: StepDefinition) -> [Lane] {
            if step.isPerAtlas { return (0..<atlasCount).map { Lane(atlas: $0) } }
            if step.isPerFold { return (1...max(1, folds?.count ?? 1)).map { Lane(fold: $0) } }
            return [Lane()]
        }

        /// Fold of the person at a place in `subjects`; nil for whoever is in none.
        func fold(ofSubject place: Int) -> Int? { folds?.fold(of: subjects[place].label) }

        /// Fold that a task of one person reads: the one that the person was held out of. Nil where it reads all of them, be
        /// it that it is of nobody or that its person is in none.
        func heldOut(_ scope: TaskScope, _ position: Int) -> Int? {
            switch scope {
            case .session: fold(ofSubject: sessions[position].subject)
            case .subject: fold(ofSubject: position)
            case .cohort: nil
            }
        }

        /// Whether a step over the cohort reads files and results of the person at a place in `subjects`.
        private func reads(_ step: StepDefinition, _ lane: Lane, subject place: Int) -> Bool {
            guard let people = step.people else { return true }
            return folds?.isAmong(people, of: lane.fold, subjects[place].label) ?? false
        }

        /// Places in `sessions` of what a step over the cohort reads.
        func sessionsRead(_ step: StepDefinition, _ lane: Lane) -> [Int] {
            sessions.indices.filter { reads(step, lane, subject: sessions[$0].subject) }
        }

        /// Ordinals of the tasks of step `producer` that the consumer's task at `position` reads.
        func producers(_ producer: String, for consumer: StepDefinition, position: Int, lane: Lane) -> [Int] {
            guard let step = steps[producer], let base = base[producer] else { return [] }
            let positions: [Int]
            switch (consumer.scope, step.scope) {
            case (_, .cohort): positions = [0]
            case (.session, .session), (.subject, .subject): positions = [position]
            case (.session, .subject): positions = [sessions[position].subject]
            case (.subject, .session): positions = Array(sessionRange[position])
            case (.cohort, .session): positions = sessionsRead(consumer, lane)
            case (.cohort, .subject): positions = subjects.indices.filter { reads(consumer, lane, subject: $0) }
            }
            if step.isPerAtlas {
                if let atlas = lane.atlas { return positions.map { base + $0 * atlasCount + atlas } }
                return positions.flatMap { position in (0..<atlasCount).map { base + position * atlasCount + $0 } }
            }
            if step.isPerFold {
                if let fold = lane.fold ?? heldOut(consumer.scope, position) { return [base + fold - 1] }
                return (0..<(folds?.count ?? 0)).map { base + $0 }
            }
            return positions.map { base + $0 }
        }
    }
}
