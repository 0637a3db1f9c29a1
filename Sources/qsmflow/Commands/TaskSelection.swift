import ArgumentParser
import Wire
import Workflow

/// Which tasks of a run are meant; without options all of them.
struct TaskSelection: ParsableArguments {
    @Option(name: .long, parsing: .upToNextOption, help: "Only tasks of these steps.")
    var step: [String] = []

    @Option(name: .long, parsing: .upToNextOption, help: "Only tasks of these people, with or without sub-.")
    var subject: [String] = []

    @Option(name: .long, parsing: .upToNextOption, help: "Only tasks of these folds of a cross-validation, by number.")
    var fold: [Int] = []

    @Option(
        name: .long, parsing: .upToNextOption,
        help: "Only tasks in these states: waiting, ready, succeeded, failed, blocked, cancelled.")
    var taskState: [TaskState] = []

    @Option(
        name: .long, parsing: .upToNextOption,
        help: "Only tasks whose last attempt ended so: permanent, transient, out_of_memory, timed_out, crashed, lost.")
    var outcome: [AttemptOutcome] = []

    func filter(run: RunID, tasks: [TaskID]? = nil, limit: Int = 1000) -> TaskFilter {
        TaskFilter(
            run: run, states: taskState.isEmpty ? nil : taskState, steps: step.isEmpty ? nil : step,
            subjects: subject.isEmpty ? nil : subject.map { CohortSelection.label($0, prefix: "sub-") },
            folds: fold.isEmpty ? nil : fold,
            outcomes: outcome.isEmpty ? nil : outcome, tasks: tasks, limit: limit)
    }
}

extension TaskState: ExpressibleByArgument {
    public init?(argument: String) {
        guard let state = TaskState.allCases.first(where: { $0.description == argument }) else { return nil }
        self = state
    }

    public static var allValueStrings: [String] { allCases.map(\.description) }
}

extension AttemptOutcome: ExpressibleByArgument {}

extension RunID: ExpressibleByArgument {
    public init?(argument: String) {
        guard let value = Int64(argument), value > 0 else { return nil }
        self.init(rawValue: value)
    }
}

extension TaskID: ExpressibleByArgument {
    /// A bare number is no task: people mean a run by it.
    public init?(argument: String) {
        guard argument.contains(".") else { return nil }
        self.init(argument)
    }
}

extension TokenRole: ExpressibleByArgument {}
