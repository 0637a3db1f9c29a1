import BIDS

/// Finds the dataset's files for inputs. Several steps ask the same of the same session: answers are kept.
struct FileResolver {
    enum Answer {
        case found([InputBinding])
        /// Nothing matches.
        case absent(String)
        /// Something matches but cannot be used, or more than one thing does.
        case unusable(String)
    }

    /// A question that inputs of one or more steps ask of every session; its place in `answers`.
    struct Question: Hashable {
        fileprivate var queries: [DatasetQuery]
        fileprivate var isGathered: Bool
        fileprivate var slot: Int
    }

    private let layout: Expansion.Layout
    private var questions: [Question] = []
    /// By question and session.
    private var answers: [[Answer?]] = []

    private let shared: [BIDSFile]

    init(layout: Expansion.Layout, shared: [BIDSFile]) { (self.layout, self.shared) = (layout, shared) }

    mutating func question(_ queries: [DatasetQuery], _ input: StepInput) -> Question {
        if let known = questions.first(where: { $0.queries == queries && $0.isGathered == input.isGathered }) {
            return known
        }
        let question = Question(queries: queries, isGathered: input.isGathered, slot: questions.count)
        questions.append(question)
        answers.append(Array(repeating: nil, count: layout.sessions.count))
        return question
    }

    /// - Parameters:
    ///   - position: of the session, subject or cohort, as `scope` says.
    ///   - people: of a task over the cohort, the sessions that it reads.
    mutating func answer(
        _ question: Question, input: StepInput, scope: TaskScope, position: Int, people: [Int] = [], fanIn: FanInPolicy
    ) -> Answer {
        let answer: Answer
        switch scope {
        case .session: answer = session(question, position)
        case .subject where input.isGathered:
            answer = gather(Array(layout.sessionRange[position]), question, input, fanIn)
        case .subject:
            let subject = layout.subjects[position]
            answer = find(
                question, in: subject.files, all: subject.files, context: TaskContext(subject: subject.label))
        case .cohort: answer = gather(people, question, input, fanIn)
        }
        switch answer {
        case .found(let bindings):
            return .found(
                bindings.map { binding in
                    var binding = binding
                    binding.port = input.port
                    return binding
                })
        case .absent where input.isOptional: return .found([])
        default: return answer
        }
    }

    /// The items of several sessions; the policy says how many may lack theirs.
    private mutating func gather(
        _ positions: [Int], _ question: Question, _ input: StepInput, _ fanIn: FanInPolicy
    ) -> Answer {
        var bindings: [InputBinding] = []
        var present = 0
        var reason: String?
        for position in positions {
            if let problem = layout.sessions[position].problem {
                reason = reason ?? problem
                continue
            }
            switch session(question, position) {
            case .found(let found):
                bindings += found
                present += 1
            case .absent(let sentence):
                // An optional input may be missing for some as well as for all.
                if input.isOptional { present += 1 } else { reason = reason ?? sentence }
            case .unusable(let sentence): reason = reason ?? sentence
            }
        }
        let isEnough =
            switch fanIn {
            case .all: present == positions.count
            case .atLeast(let fraction): Double(present) >= fraction * Double(positions.count)
            case .any: present > 0
            }
        if isEnough { return .found(bindings) }
        let missing = positions.count - present
        return .unusable(
            "\(missing) of \(positions.count) have no usable file for input \(input.port); the first: \(reason ?? "")")
    }

    private mutating func session(_ question: Question, _ position: Int) -> Answer {
        if let answer = answers[question.slot][position] { return answer }
        let place = layout.sessions[position]
        let subject = layout.subjects[place.subject]
        let session = subject.sessions[position - layout.sessionRange[place.subject].lowerBound]
        let answer = find(question, in: session.files, all: subject.files, context: place.context)
        answers[question.slot][position] = answer
        return answer
    }

    /// The first query that matches anything decides; when none does, the first explains.
    private func find(
        _ question: Question, in files: [BIDSFile], all: [BIDSFile], context: TaskContext
    ) -> Answer {
        var absence: String?
        for query in question.queries {
            var fileQuery = query.query
            var candidates = files
            if let session = query.session {
                fileQuery.entities["ses"] = session
                candidates = all
            }
            var found = fileQuery.matches(in: candidates)
            if found.isEmpty, !shared.isEmpty {
                found = fileQuery.matches(in: shared)
                if !found.isEmpty { candidates = shared }
            }
            if found.isEmpty || (found.count > 1 && !question.isGathered) {
                guard case .failure(let problem) = fileQuery.single(in: candidates, owner: context.description) else {
                    continue
                }
                if problem.kind == .several { return .unusable(problem.sentence) }
                absence = absence ?? problem.sentence
                continue
            }
            if let sentence = found.lazy.compactMap(\.problem).first { return .unusable(sentence) }
            return .found(
                found.map { InputBinding(port: "", context: context, source: .file(FileReference($0))) })
        }
        return .absent(absence ?? "\(context): no query was given")
    }
}

extension FileReference {
    /// A file of the index.
    package init(_ file: BIDSFile) {
        self.init(
            path: file.absolutePath, name: file.fileName, metadata: file.metadata,
            digest: file.digest.flatMap { ArtifactDigest(hex: $0) }, sizeBytes: file.stamp.sizeBytes)
    }
}
