import ArgumentParser
import BIDS
import CoordinatorClient
import Foundation
import Wire
import Workflow

struct IndexCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "index", abstract: "Index a BIDS dataset and its derivatives, or bring the index up to date.")

    @Argument(help: "BIDS dataset.", completion: .directory) var dataset: String
    @Option(name: .long, parsing: .upToNextOption, help: "Derivative datasets.", completion: .directory)
    var derivatives: [String] = []
    @Flag(name: .long, help: "Compute the digest of every file now, not when a run first uses it.") var digest = false
    @OptionGroup var output: JSONOption
    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        try await connection.withClient(creating: true) { client in
            let report = try await client.index(
                IndexRequest(
                    path: CohortSelection.absolute(dataset), derivatives: derivatives.map(CohortSelection.absolute),
                    digestAll: digest))
            if try output.printed(report) { return }
            var table = TextTable(
                ["dataset", "subjects", "sessions", "files", "added", "changed", "removed", "took"],
                rightAligned: [1, 2, 3, 4, 5, 6, 7])
            for d in report.datasets {
                table.add([
                    d.path, "\(d.subjects)", "\(d.sessions)", "\(d.files)", "\(d.added)", "\(d.changed)",
                    "\(d.removed)", Durations.text(d.seconds),
                ])
            }
            table.printed()
            for problem in report.problems { Console.print("problem: \(problem)") }
        }
    }
}

struct ValidateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "validate",
        abstract: "Check a workflow file; every error with line, column and what would be valid.",
        discussion: "Exit code 65 when the file has errors.")

    @Argument(help: "Workflow file (YAML).", completion: .file(extensions: ["yaml", "yml"])) var workflow: String?
    @Flag(name: .long, help: "Print the JSON schema of workflow files, for editors, instead.") var schema = false
    @OptionGroup var output: JSONOption

    func run() async throws {
        if schema {
            Console.print(String(decoding: workflowJSONSchema().prettyData, as: UTF8.self))
            return
        }
        guard let workflow else { throw ValidationError("Name a workflow file, or ask for --schema.") }
        let findings = WorkflowFile.check(text: try CohortSelection.text(of: workflow), path: workflow)
        if try output.printed(findings.map(\.description)) == false {
            for finding in findings { Console.print(finding.description) }
            if findings.isEmpty { Console.print("\(workflow) is valid.") }
        }
        if findings.contains(where: \.isError) { throw CommandFailure.silent(ExitStatus.badData) }
    }
}

struct PlanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Show what a run would do: tasks per step, what is done already, who lacks what. Changes nothing.")

    @OptionGroup var arguments: WorkflowArguments
    @OptionGroup var output: JSONOption
    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        // What is wrong with the words is said before anything is started for them.
        let request = try arguments.request()
        try await connection.withClient(creating: true) { client in
            let plan = try await client.plan(request)
            if try output.printed(plan) { return }
            Console.print(
                "\(plan.workflow): \(Counted.text(plan.subjects, "person", "people")), "
                    + "\(Counted.text(plan.sessions, "session", "sessions")), \(Counted.tasks(plan.tasks))")
            var table = TextTable(
                ["step", "kind", "tasks", "done already", "cannot run", "because of"], rightAligned: [2, 3, 4])
            for step in plan.steps {
                let own = step.problems > 0 ? ["what it reads"] : []
                table.add([
                    step.step, step.kind, "\(step.tasks)", "\(step.cached)", "\(step.problems + step.behind)",
                    (own + step.behindSteps).joined(separator: ", "),
                ])
            }
            table.printed()
            if let folds = plan.folds { Console.print(Self.text(folds, of: plan.subjects)) }
            for model in plan.models {
                Console.print("model \(model.model) of step \(model.step): \(model.digest)")
            }
            for problem in plan.problems.prefix(50) { Console.print("problem: \(problem)") }
            if plan.problems.count > 50 { Console.print("… and \(plan.problems.count - 50) more (--json lists all)") }
        }
    }
}

extension PlanCommand {
    /// How large the folds are, by what they are balanced, and who is in none.
    private static func text(_ folds: PlanReport.Folds, of subjects: Int) -> String {
        var sizes = [Int](repeating: 0, count: folds.count)
        for fold in folds.people.values where sizes.indices.contains(fold - 1) { sizes[fold - 1] += 1 }
        var text = "folds: \(folds.count), "
        if sizes.allSatisfy({ $0 == 1 }) {
            text += "one for each person"
        } else {
            let shown = sizes.prefix(20).map { "\($0)" }.joined(separator: ", ") + (sizes.count > 20 ? ", …" : "")
            text += "of \(shown) people (seed \(folds.seed))"
            let columns = folds.stratify.compactMap { item in
                item["column"]?.stringValue.map { column in
                    item["counted"]?.stringValue.map { "rows with \(column) \($0)" } ?? column
                }
            }
            if !columns.isEmpty { text += ", balanced by \(columns.joined(separator: " and "))" }
        }
        let others = subjects - folds.people.count
        return others > 0 ? text + "; \(Counted.text(others, "person is", "people are")) in none" : text
    }
}

struct KindsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kinds", abstract: "List the task kinds with their ports, parameters and measurements.")

    @Argument(help: "Show this kind only.") var kind: String?
    @OptionGroup var output: JSONOption

    struct Listing: Encodable {
        var name: String, version: Int, summary: String, scopes: [TaskScope], inputs: [TaskPort], outputs: [TaskPort]
        var parameters: [TaskParameter], measurements: [MeasurementDeclaration], resources: TaskResources,
            timeoutSeconds: Double

        init(_ kind: TaskKind) {
            (name, version, summary, scopes, inputs, outputs) =
                (kind.name, kind.version, kind.summary, kind.scopes, kind.inputs, kind.outputs)
            (parameters, measurements, resources, timeoutSeconds) =
                (kind.parameters, kind.measurements, kind.resources, kind.timeoutSeconds)
        }
    }

    func run() throws {
        let kinds = TaskKindCatalog.kinds.filter { kind == nil || $0.name == kind }
        guard !kinds.isEmpty else {
            throw CommandFailure(
                "There is no task kind “\(kind ?? "")”; there are \(TaskKindCatalog.kinds.map(\.name).joined(separator: ", "))",
                code: ExitStatus.badData)
        }
        if try output.printed(kinds.map(Listing.init)) { return }
        for kind in kinds {
            Console.print(Console.coloured(kind.name, .bold) + " (version \(kind.version)): \(kind.summary)")
            func ports(_ title: String, _ ports: [TaskPort]) {
                for port in ports {
                    let count = port.cardinality == .one ? "" : ", \(port.cardinality.rawValue)"
                    Console.print("  \(title) \(port.name) (\(port.format.rawValue)\(count)): \(port.summary)")
                }
            }
            ports("input", kind.inputs)
            ports("output", kind.outputs)
            var topic: String?
            for parameter in kind.parameters {
                // Kinds with many have them under headings.
                if parameter.topic != topic, let heading = parameter.topic {
                    Console.print("  " + Console.coloured("\(heading):", .bold))
                }
                topic = parameter.topic
                let indent = topic == nil ? "  parameter " : "    "
                Console.print(
                    "\(indent)\(parameter.name) = \(parameter.defaultValue.canonicalString) (\(parameter.expectation)): \(parameter.summary)"
                )
                guard case .records(let key, let shapes) = parameter.values else { continue }
                for shape in shapes {
                    Console.print("    \(key): \(shape.name): \(shape.summary)")
                    for own in shape.parameters {
                        let start = own.defaultValue.isNull ? "" : " = \(own.defaultValue.canonicalString)"
                        Console.print("      \(own.name)\(start) (\(own.expectation)): \(own.summary)")
                    }
                }
            }
            for m in kind.measurements { Console.print("  measures \(m.metric) [\(m.unit)]: \(m.summary)") }
            Console.print("")
        }
    }
}
