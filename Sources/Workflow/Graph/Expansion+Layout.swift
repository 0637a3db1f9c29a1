extension Expansion {
    /// Which ordinals belong to which step and part of the cohort.
    struct Layout {
        /// Places of the steps in topological order.
        let order: [Int]
        let total: Int
        private let definition: WorkflowDefinition
        private let atlasCount: Int
        private let base: [String: Int]
        private let steps: [String: StepDefinition]
        /// Sessions of all subjects, one after another.
        let sessions: [(subject: Int, context: TaskContext, problem: String?)]
        /// For each subject its part of `sessions`.
        let sessionRange: [Range<Int>]
        let subjects: [Cohort.Subject]

        init(definition: WorkflowDefinition, cohort: Cohort, atlasCount: Int) throws(WorkflowError) {
            self.definition = definition
            self.atlasCount = atlasCount
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
                next += contexts * (step.isPerAtlas ? atlasCount : 1)
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

        /// Ordinals of the tasks of step `producer` that the consumer's task at `position` reads.
        func producers(_ producer: String, for consumer: StepDefinition, position: Int, lane: Int?) -> [Int] {
            guard let step = steps[producer], let base = base[producer] else { return [] }
            let positions: Range<Int>
            switch (consumer.scope, step.scope) {
            case (_, .cohort): positions = 0..<1
            case (.session, .session), (.subject, .subject): positions = position..<position + 1
            case (.session, .subject):
                let subject = sessions[position].subject
                positions = subject..<subject + 1
            case (.subject, .session): positions = sessionRange[position]
            case (.cohort, .session): positions = 0..<sessions.count
            case (.cohort, .subject): positions = 0..<subjects.count
            }
            if !step.isPerAtlas { return positions.map { base + $0 } }
            if let lane { return positions.map { base + $0 * atlasCount + lane } }
            return positions.flatMap { position in (0..<atlasCount).map { base + position * atlasCount + $0 } }
        }
    }
}
