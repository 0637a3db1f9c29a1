import BIDS
import Foundation

/// Decodes the YAML tree of a workflow, reporting everything that is not of the right shape and going on.
struct WorkflowReader {
    static let topLevelKeys = ["name", "version", "description", "atlases", "parameters", "folds", "steps"]
    static let stepKeys = [
        "kind", "when", "scope", "each", "people", "inputs", "parameters", "resources", "timeout", "retries", "missing",
    ]

    let path: String
    let kinds: [TaskKind]
    var problems: [WorkflowProblem] = []
    private var overrides: [String: JSONValue]
    private var parameters: [String: Marked<JSONValue>] = [:]
    private var usedParameters: Set<String> = []

    init(path: String, kinds: [TaskKind], overrides: [String: JSONValue]) {
        self.path = path
        self.kinds = kinds
        self.overrides = overrides
    }

    mutating func error(_ mark: SourceMark?, _ sentence: String) {
        problems.append(WorkflowProblem(.error, file: path, line: mark?.line, column: mark?.column, sentence))
    }

    mutating func warning(_ mark: SourceMark?, _ sentence: String) {
        problems.append(WorkflowProblem(.warning, file: path, line: mark?.line, column: mark?.column, sentence))
    }

    // MARK: - Shapes

    /// The members of a mapping whose keys are all among `allowed` (nil: any); others are reported and left out.
    mutating func members(_ node: YAMLNode, of what: String, allowed: [String]? = nil) -> [YAMLNode.Member] {
        guard let members = node.members else {
            error(node.mark, "\(what) is \(node.kindName) where a mapping is expected")
            return []
        }
        guard let allowed else { return members }
        return members.filter { member in
            if allowed.contains(member.key) { return true }
            error(
                member.keyMark,
                "\(what) has no key “\(member.key)”\(Suggestion.clause(for: member.key, among: allowed))")
            return false
        }
    }

    mutating func text(_ node: YAMLNode, of what: String) -> String? {
        if let text = node.text { return text }
        error(node.mark, "\(what) is \(node.kindName) where a text is expected")
        return nil
    }

    /// A name of our own making: letters, digits, `_` and `-`, so that `step.port` reads one way only.
    mutating func isName(_ name: String, _ mark: SourceMark, of what: String) -> Bool {
        let isValid =
            !name.isEmpty && name.utf8.count <= 64
            && name.unicodeScalars.allSatisfy {
                $0 == "_" || $0 == "-" || ($0.isASCII && $0.properties.isAlphabetic)
                    || ("0"..."9").contains($0)
            }
        if !isValid {
            error(mark, "“\(name)” cannot name \(what); use up to 64 letters a–z, digits, _ and -")
        }
        return isValid
    }

    /// Absolute path of what the file names relative to its own folder.
    func resolved(_ text: String) -> String {
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
        let expanded = (text as NSString).expandingTildeInPath
        return URL(fileURLWithPath: expanded, relativeTo: folder).standardizedFileURL.path
    }

    // MARK: - The file

    mutating func read(_ root: YAMLNode, atlasOverrides: [String: String]) -> WorkflowDraft {
        var draft = WorkflowDraft()
        var steps: YAMLNode?
        var hasName = false
        let members = members(root, of: "a workflow", allowed: Self.topLevelKeys)
        // Parameters first: steps refer to them, wherever they stand in the file.
        if let node = members.first(where: { $0.key == "parameters" })?.value { readParameters(node) }
        for member in members {
            switch member.key {
            case "name":
                if let name = text(member.value, of: "name"), isName(name, member.value.mark, of: "a workflow") {
                    draft.name = name
                }
                hasName = true
            case "version": draft.version = text(member.value, of: "version") ?? ""
            case "description": draft.description = text(member.value, of: "description") ?? ""
            case "atlases":
                draft.atlasesMark = member.keyMark
                draft.atlases = readAtlases(member.value)
            case "folds":
                draft.foldsMark = member.keyMark
                draft.folds = readFolds(member.value).map { Marked(value: $0, mark: member.keyMark) }
            case "steps": steps = member.value
            default: break
            }
        }
        if !hasName { error(root.mark, "the workflow has no name; add name: …") }
        for (name, folder) in atlasOverrides.sorted(by: { $0.key < $1.key }) {
            let atlas = Marked(
                value: AtlasReference(name: name, folder: resolved(folder)), mark: SourceMark(line: 1, column: 1))
            if let index = draft.atlases.firstIndex(where: { $0.value.name == name }) {
                draft.atlases[index].value = atlas.value
            } else if isName(name, atlas.mark, of: "an atlas") {
                draft.atlases.append(atlas)
            }
        }
        if let steps {
            for member in self.members(steps, of: "steps") {
                guard isName(member.key, member.keyMark, of: "a step") else { continue }
                draft.steps.append(readStep(member))
            }
            if draft.steps.isEmpty, steps.members?.isEmpty == true { error(steps.mark, "steps is empty; add a step") }
        } else {
            error(root.mark, "the workflow has no steps; add steps: and at least one step")
        }
        if let mark = draft.foldsMark, !draft.mentionsFolds {
            warning(mark, "no step has each: fold, and none reads {folds: assignment}; remove folds:")
        }
        reportUnusedParameters(draft)
        return draft
    }

    private mutating func readAtlases(_ node: YAMLNode) -> [Marked<AtlasReference>] {
        if node.isNull { return [] }
        var atlases: [Marked<AtlasReference>] = []
        for member in members(node, of: "atlases") {
            guard isName(member.key, member.keyMark, of: "an atlas"),
                let folder = text(member.value, of: "the folder of atlas \(member.key)")
            else { continue }
            atlases.append(
                Marked(value: AtlasReference(name: member.key, folder: resolved(folder)), mark: member.value.mark))
        }
        return atlases
    }

    // MARK: - Parameters

    private mutating func readParameters(_ node: YAMLNode) {
        if node.isNull { return }
        for member in members(node, of: "parameters") where isName(member.key, member.keyMark, of: "a parameter") {
            parameters[member.key] = Marked(value: member.value.json, mark: member.keyMark)
        }
        for (name, value) in overrides where !name.contains(".") && parameters[name] != nil {
            parameters[name]?.value = value
            overrides[name] = nil
        }
    }

    private mutating func reportUnusedParameters(_ draft: WorkflowDraft) {
        for (name, parameter) in parameters.sorted(by: { $0.key < $1.key }) where !usedParameters.contains(name) {
            warning(parameter.mark, "no step uses the parameter \(name); write ${\(name)} where it is wanted")
        }
        for name in overrides.keys.sorted() {
            var known = Array(parameters.keys)
            for step in draft.steps { known += (step.kind?.parameters ?? []).map { "\(step.name).\($0.name)" } }
            error(
                nil,
                "there is no parameter “\(name)” to set\(Suggestion.clause(for: name, among: known.sorted()))")
        }
    }

    /// Puts top-level parameters in place of `${name}`: the value itself when it is the whole text.
    mutating func substituted(_ value: JSONValue, _ mark: SourceMark) -> JSONValue {
        switch value {
        case .array(let elements): return .array(elements.map { substituted($0, mark) })
        case .object(let members): return .object(members.mapValues { substituted($0, mark) })
        case .string(let text): return substituted(text, mark)
        default: return value
        }
    }

    private mutating func substituted(_ text: String, _ mark: SourceMark) -> JSONValue {
        var result = ""
        var rest = text[...]
        while let open = rest.range(of: "${") {
            guard let close = rest[open.upperBound...].firstIndex(of: "}") else {
                error(mark, "“\(text)” opens ${ without closing it; write ${name}")
                return .string(text)
            }
            let name = String(rest[open.upperBound..<close])
            guard let parameter = parameters[name] else {
                error(
                    mark,
                    "there is no parameter “\(name)” at the top of the file"
                        + Suggestion.clause(for: name, among: parameters.keys.sorted()))
                return .string(text)
            }
            usedParameters.insert(name)
            if text == "${\(name)}" { return parameter.value }
            result += rest[..<open.lowerBound]
            result += parameter.value.stringValue ?? parameter.value.canonicalString
            rest = rest[rest.index(after: close)...]
        }
        return .string(result + rest)
    }

    /// A node as it is, or the value of the parameter that it is and nothing else.
    ///
    /// - Returns: nil where the parameter has no value, or none is of that name, which is reported.
    mutating func parameterValue(_ node: YAMLNode) -> YAMLNode? {
        guard let name = parameterName(node) else { return node }
        let before = problems.count
        let value = substituted(.string("${\(name)}"), node.mark)
        return value == .null || problems.count > before ? nil : YAMLNode(value, at: node.mark)
    }

    // MARK: - Steps

    private mutating func readStep(_ member: YAMLNode.Member) -> StepDraft {
        let what = "step \(member.key)"
        var step = StepDraft(name: member.key, mark: member.keyMark)
        var hasKind = false
        var parameterNode: YAMLNode?
        for entry in members(member.value, of: what, allowed: Self.stepKeys) {
            let value = entry.value
            switch entry.key {
            case "kind":
                hasKind = true
                guard let name = text(value, of: "kind of \(what)") else { break }
                step.kind = kinds.first { $0.name == name }
                if step.kind == nil {
                    let clause = Suggestion.clause(for: name, among: kinds.map(\.name))
                    error(value.mark, "there is no task kind “\(name)”\(clause)")
                }
            case "scope":
                guard let name = text(value, of: "scope of \(what)") else { break }
                if let scope = TaskScope(rawValue: name) {
                    step.scope = Marked(value: scope, mark: value.mark)
                } else {
                    let clause = Suggestion.clause(for: name, among: TaskScope.allCases.map(\.rawValue))
                    error(value.mark, "“\(name)” is no scope\(clause)")
                }
            case "when": step.condition = readCondition(value, what: what)
            case "each":
                switch value.text {
                case "atlas": step.isPerAtlas = Marked(value: true, mark: value.mark)
                case "fold": step.isPerFold = Marked(value: true, mark: value.mark)
                default: error(value.mark, "each is \(value.kindName); what to fan out over is atlas or fold")
                }
            case "people": step.people = readPeople(value, what: what)
            case "inputs":
                step.inputsMark = entry.keyMark
                if value.isNull { break }
                step.inputs = members(value, of: "inputs of \(what)").compactMap { input in
                    var input = input
                    guard let source = parameterValue(input.value) else {
                        step.portsWithoutValue.insert(input.key)
                        return nil
                    }
                    input.value = source
                    return readInput(input, step: member.key)
                }
            case "parameters": parameterNode = value
            case "resources": step.resources = readResources(value, what: what)
            case "timeout": step.timeoutSeconds = readTimeout(value, what: what)
            case "retries":
                if let count = value.json.integerValue, (0...100).contains(count) {
                    step.retries = Int(count)
                } else {
                    error(value.mark, "retries of \(what) is \(value.kindName); write a whole number from 0 to 100")
                }
            case "missing": step.fanIn = readFanIn(value, what: what).map { Marked(value: $0, mark: value.mark) }
            default: break
            }
        }
        if !hasKind {
            error(
                member.keyMark, "\(what) has no kind; valid: \(kinds.map(\.name).joined(separator: ", "))")
        }
        if let parameterNode, !parameterNode.isNull {
            for entry in members(parameterNode, of: "parameters of \(what)") {
                step.parameters[entry.key] = Marked(
                    value: substituted(entry.value.json, entry.value.mark), mark: entry.keyMark)
            }
        }
        for (name, value) in overrides where name.hasPrefix(member.key + ".") {
            let parameter = String(name.dropFirst(member.key.count + 1))
            guard step.kind?.parameter(parameter) != nil else { continue }
            step.parameters[parameter] = Marked(
                value: value, mark: step.parameters[parameter]?.mark ?? member.keyMark)
            overrides[name] = nil
        }
        return step
    }

    private mutating func readResources(_ node: YAMLNode, what: String) -> TaskResources? {
        var resources = TaskResources(cores: 0, memoryMiB: 0)
        for member in members(node, of: "resources of \(what)", allowed: ["cores", "memory"]) {
            let value = substituted(member.value.json, member.value.mark)
            if member.key == "cores" {
                if let cores = value.integerValue, (1...1024).contains(cores) {
                    resources.cores = Int(cores)
                } else {
                    error(
                        member.value.mark,
                        "cores of \(what) is \(member.value.kindName); write a whole number from 1 to 1024")
                }
            } else if let mebibytes = value.stringValue.flatMap(Quantity.mebibytes) {
                resources.memoryMiB = mebibytes
            } else {
                error(
                    member.value.mark,
                    "memory of \(what) is \(member.value.kindName); write a size with its unit, e.g. 512MiB or 2GiB")
            }
        }
        return resources
    }

    private mutating func readTimeout(_ node: YAMLNode, what: String) -> Double? {
        let value = substituted(node.json, node.mark)
        if let seconds = value.stringValue.flatMap(Quantity.seconds), seconds > 0 { return seconds }
        error(
            node.mark, "timeout of \(what) is \(node.kindName); write a time with its unit, e.g. 90s, 30m, 2h or 1h30m")
        return nil
    }

    private mutating func readFanIn(_ node: YAMLNode, what: String) -> FanInPolicy? {
        switch node.text {
        case "all": return .all
        case "any": return .any
        default: break
        }
        if let member = node.members?.first, node.members?.count == 1, member.key == "at_least",
            let fraction = substituted(member.value.json, member.value.mark).doubleValue, fraction > 0, fraction <= 1
        {
            return .atLeast(fraction)
        }
        error(
            node.mark,
            "missing of \(what) is not a way to go on; write all (every input must be there), any (whatever succeeded), "
                + "or {at_least: 0.8} (a fraction above 0 up to 1)")
        return nil
    }
}
