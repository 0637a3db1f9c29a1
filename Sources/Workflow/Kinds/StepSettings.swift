import BIDS

/// What a kind's rules go by: the parameters of a step, and which of its inputs are bound.
package struct StepSettings: Sendable {
    private let kind: TaskKind
    private let parameters: JSONValue
    /// Inputs that the step states; nil where only the files are known that came of them, which may be none.
    private let bound: Set<String>?

    package init(kind: TaskKind, parameters: JSONValue, bound: Set<String>? = nil) {
        (self.kind, self.parameters, self.bound) = (kind, parameters, bound)
    }

    // MARK: Inputs

    /// Whether the step states the input; nil where that is not known.
    package func isBound(_ port: String) -> Bool? { bound?.contains(port) }

    // MARK: Parameters

    /// As stated, or the default.
    package func value(_ name: String) -> JSONValue {
        guard let declared = kind.parameter(name) else {
            preconditionFailure("\(kind.name) declares no parameter \(name)")
        }
        return parameters[name] ?? declared.defaultValue
    }

    /// Whether a parameter is anything but its default.
    package func isSet(_ name: String) -> Bool {
        let (stated, own) = (value(name), kind.parameter(name)?.defaultValue)
        // 0 and 0.0 are one number.
        if let number = stated.doubleValue { return number != own?.doubleValue }
        return stated != own
    }

    package func number(_ name: String) -> Double { value(name).doubleValue ?? .nan }
    package func integer(_ name: String) -> Int { Int(value(name).integerValue ?? 0) }
    package func text(_ name: String) -> String { value(name).stringValue ?? "" }
    package func boolean(_ name: String) -> Bool { value(name).boolValue ?? false }
    package func texts(_ name: String) -> [String] { list(name).compactMap(\.stringValue) }
    package func list(_ name: String) -> [JSONValue] { value(name).arrayValue ?? [] }
    package func map(_ name: String) -> [String: JSONValue] { value(name).objectValue ?? [:] }

    /// A parameter that is a list of numbers, of which each has to pass.
    ///
    /// - Parameter what: as the sentence has it, e.g. `three angles from 0 to 180`.
    package func numbers(
        _ name: String, _ what: String, where passes: (Double) -> Bool = { _ in true }
    ) throws(StepFinding) -> [Double] {
        var numbers: [Double] = []
        for value in list(name) {
            guard let number = value.doubleValue, passes(number) else {
                throw StepFinding(name, "\(name) is \(what), and has \(value.canonicalString)")
            }
            numbers.append(number)
        }
        return numbers
    }

    /// A parameter that gives numbers of 0 or more to some of `names`; others have 1. nil where it is empty.
    ///
    /// - Parameter names: nil where they are not known yet, and any may stand.
    package func weights(_ name: String, of names: [String]?) throws(StepFinding) -> [Double]? {
        let given = map(name)
        guard !given.isEmpty else { return nil }
        for (key, value) in given.sorted(by: { $0.key < $1.key }) {
            if let names, !names.contains(key) {
                throw StepFinding(name, "\(name) speaks of “\(key)”; there are \(names.joined(separator: ", "))")
            }
            guard let number = value.doubleValue, number >= 0, number.isFinite else {
                throw StepFinding(
                    name, "\(name) gives \(key) the weight \(value.canonicalString); give a number of 0 or more")
            }
        }
        return names?.map { given[$0]?.doubleValue ?? 1 }
    }
}

/// What is wrong with the settings of a step, as one sentence without its beginning and its full stop.
package struct StepFinding: Error, Hashable, Sendable {
    /// Where in the step it is to be put right.
    package enum Place: Hashable, Sendable {
        case parameter(String)
        case input(String)
        /// Something that the inputs lack.
        case inputs
    }

    package var place: Place
    package var severity: WorkflowProblem.Severity
    package var sentence: String

    package init(_ place: Place, _ sentence: String, severity: WorkflowProblem.Severity = .error) {
        (self.place, self.sentence, self.severity) = (place, sentence, severity)
    }

    package init(_ parameter: String, _ sentence: String) { self.init(.parameter(parameter), sentence) }

    /// `parameter loss of step train: there is no loss “hinge”`.
    package func sentence(step: String) -> String {
        switch place {
        case .parameter(let name): "parameter \(name) of step \(step): \(sentence)"
        case .input(let port): "input \(port) of step \(step): \(sentence)"
        case .inputs: "inputs of step \(step): \(sentence)"
        }
    }
}

/// Rules that hold between the parameters and inputs of one step, on top of what each parameter and port demands by itself.
///
/// Every rule is asked, so that somebody who writes a workflow learns of everything at once.
package struct StepRules: Sendable {
    /// Throws a `StepFinding` and nothing else.
    package typealias Rule = @Sendable (StepSettings) throws -> Void

    private let rules: [Rule]

    package init(_ rules: [Rule] = []) { self.rules = rules }

    package func findings(_ settings: StepSettings) -> [StepFinding] {
        var findings: [StepFinding] = []
        for rule in rules {
            do {
                try rule(settings)
            } catch let finding as StepFinding {
                // Several rules may meet the same thing on their way.
                if !findings.contains(finding) { findings.append(finding) }
            } catch {
                preconditionFailure("a rule throws \(error), which is no finding")
            }
        }
        return findings
    }

    /// - Throws: the first finding that is an error.
    package func check(_ settings: StepSettings) throws(StepFinding) {
        for finding in findings(settings) where finding.severity == .error { throw finding }
    }
}
