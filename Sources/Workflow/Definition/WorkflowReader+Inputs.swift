import BIDS

/// Sources of inputs: `{bids: …}`, `{step: …}`, `{file: …}`, `{atlas: …}`, `{covariates: …}`, `{folds: …}`,
/// `{model: …}`; or a list of them, of which the first that exists counts.
extension WorkflowReader {
    static let sourceKeys = ["bids", "step", "file", "atlas", "covariates", "folds", "model"]
    static let queryKeys = ["suffix", "extension", "datatype", "dataset"]

    /// - Returns: nil for a list of nothing but parameters without a value: the step does without the input.
    mutating func readInput(_ member: YAMLNode.Member, step: String) -> InputDraft? {
        let what = "input \(member.key) of step \(step)"
        var input = InputDraft(port: member.key, mark: member.keyMark)
        if let elements = member.value.elements {
            if elements.isEmpty { error(member.value.mark, "\(what) is an empty list; add a source") }
            input.alternatives = elements.compactMap { element in
                guard let element = parameterValue(element) else {
                    input.canBeAbsent = true
                    return nil
                }
                guard element.elements == nil else {
                    error(element.mark, "\(what): a list of sources holds no lists")
                    return InputDraft(port: member.key, mark: element.mark)
                }
                return readInput(
                    YAMLNode.Member(key: member.key, keyMark: element.mark, value: element), step: step)
            }
            return input.canBeAbsent && input.alternatives.isEmpty ? nil : input
        }
        guard member.value.members != nil else {
            error(
                member.value.mark,
                "\(what) is \(member.value.kindName); write one of {bids: {suffix: …}}, {step: name.port}, "
                    + "{file: path}, {model: name}, {atlas: …}, {covariates: participants}, {folds: assignment}")
            return input
        }
        var isStated = false
        for entry in members(member.value, of: what, allowed: Self.sourceKeys + ["optional", "gather"]) {
            if entry.key == "optional" || entry.key == "gather" {
                guard let isSet = entry.value.json.boolValue else {
                    error(entry.value.mark, "\(entry.key) of \(what) is \(entry.value.kindName); write true or false")
                    continue
                }
                let marked = Marked(value: isSet, mark: entry.keyMark)
                if entry.key == "optional" { input.isOptional = marked } else { input.isGathered = marked }
                continue
            }
            if isStated {
                error(
                    entry.keyMark,
                    "\(what) has more than one source; keep one of \(Self.sourceKeys.joined(separator: ", "))")
                continue
            }
            isStated = true
            input.source = readSource(entry, what: what)
            if entry.key == "model" { input.modelParameter = parameterName(entry.value) }
        }
        if !isStated {
            error(member.keyMark, "\(what) has no source; add one of \(Self.sourceKeys.joined(separator: ", "))")
        }
        return input
    }

    private mutating func readSource(_ entry: YAMLNode.Member, what: String) -> InputDraft.Source? {
        switch entry.key {
        case "bids":
            guard let queries = readQueries(entry.value, what: what) else { return nil }
            if queries.isEmpty { error(entry.value.mark, "\(what): the list of queries is empty; add {suffix: …}") }
            return queries.isEmpty ? nil : .bids(queries)
        case "step":
            return text(entry.value, of: "step of \(what)").map { .step(Marked(value: $0, mark: entry.value.mark)) }
        case "file": return label(entry.value, of: "file of \(what)").map { .file(resolved($0)) }
        case "atlas":
            guard let name = text(entry.value, of: "atlas of \(what)") else { return nil }
            if let role = AtlasRole(rawValue: name) { return .atlas(role) }
            let clause = Suggestion.clause(for: name, among: AtlasRole.allCases.map(\.rawValue))
            error(entry.value.mark, "an atlas has no file “\(name)”\(clause)")
            return nil
        case "covariates":
            if entry.value.text == "participants" { return .covariates }
            error(entry.value.mark, "covariates is \(entry.value.kindName); the only table is participants")
            return nil
        case "folds":
            if entry.value.text == "assignment" { return .folds }
            error(entry.value.mark, "folds is \(entry.value.kindName); what there is of them is assignment")
            return nil
        case "model": return readModels(entry.value, what: what)
        default: return nil
        }
    }

    /// A model, or a list of models such as the folds of an ensemble.
    private mutating func readModels(_ node: YAMLNode, what: String) -> InputDraft.Source? {
        let errorsBefore = problems.count
        // A parameter that names no model leaves it to another source of the input.
        if parameterName(node) != nil, let text = node.text {
            let value = substituted(.string(text), node.mark)
            if problems.count == errorsBefore, value == .null || value == "" || value == [] { return .model([]) }
        }
        var references: [ModelReference] = []
        for node in node.elements ?? [node] {
            for text in labels(node, of: "model of \(what)") {
                guard let place = modelPlace(text, node.mark, what: what) else { continue }
                references.append(ModelReference(place, line: node.mark.line, column: node.mark.column))
            }
        }
        if references.isEmpty, problems.count == errorsBefore {
            error(node.mark, "\(what) names no model; write a name or a digest of `qsmflow models`, or a path")
        }
        return problems.count == errorsBefore ? .model(references) : nil
    }

    private mutating func modelPlace(_ text: String, _ mark: SourceMark, what: String) -> ModelReference.Place? {
        if text.lowercased().hasSuffix(".onnx") {
            error(
                mark,
                "“\(text)” is an ONNX file; import it with `qsmflow models import`, and write the name it got there")
            return nil
        }
        if ModelName.isPath(text) { return .file(resolved(text)) }
        if ModelName.isValid(text) || ModelName.isDigestPrefix(text) { return .registry(text) }
        error(
            mark,
            "“\(text)” cannot be a model of \(what); write a name or at least \(ModelName.leastDigits) digits of a digest "
                + "(`qsmflow models` lists both), or the path of a file with a / or the extension .safetensors")
        return nil
    }

    /// A query, or a list of them; a parameter may hold the whole or any of them.
    ///
    /// - Returns: nil where one cannot be read, which is reported.
    mutating func readQueries(_ node: YAMLNode, what: String) -> [DatasetQuery]? {
        guard let node = filled(node) else { return nil }
        let nodes = node.elements ?? [node]
        let queries = nodes.compactMap { node in filled(node).flatMap { readQuery($0, what: what) } }
        return queries.count == nodes.count ? queries : nil
    }

    /// What a parameter holds that a node names and nothing else, or the node itself.
    ///
    /// - Returns: nil where there is no such parameter, which is reported.
    private mutating func filled(_ node: YAMLNode) -> YAMLNode? {
        guard let name = parameterName(node) else { return node }
        let before = problems.count
        let value = substituted(.string("${\(name)}"), node.mark)
        return problems.count > before ? nil : YAMLNode(value, at: node.mark)
    }

    mutating func readQuery(_ node: YAMLNode, what: String) -> DatasetQuery? {
        let errorsBefore = problems.count
        var query = BIDSQuery(suffixes: [])
        var session: BIDSQuery.Match?
        for member in members(node, of: "the query of \(what)") {
            switch member.key {
            case "suffix": query.suffixes = labels(member.value, of: "suffix of \(what)")
            case "datatype": query.datatypes = labels(member.value, of: "datatype of \(what)")
            case "extension":
                let extensions = labels(member.value, of: "extension of \(what)")
                query.extensions = extensions == ["any"] ? [] : extensions
                for text in query.extensions where !text.hasPrefix(".") {
                    error(member.value.mark, "the extension “\(text)” of \(what) lacks its dot; write .\(text)")
                }
            case "dataset":
                guard let name = label(member.value, of: "dataset of \(what)") else { break }
                switch name {
                case "any": query.source = .any
                case "raw": query.source = .raw
                case "derivatives": query.source = .anyDerivative
                default: query.source = .derivative(name)
                }
            case "ses": session = match(member.value, of: "ses of \(what)")
            case "sub":
                error(member.keyMark, "\(what): the subject comes from the task; remove sub")
            default:
                checkEntity(member, what: what)
                if let match = match(member.value, of: "\(member.key) of \(what)") {
                    query.entities[member.key] = match
                }
            }
        }
        if query.suffixes.isEmpty, problems.count == errorsBefore {
            error(node.mark, "the query of \(what) has no suffix; add suffix: T1w, Chimap, mask, …")
        }
        return problems[errorsBefore...].contains { $0.severity == .error }
            ? nil : DatasetQuery(query: query, session: session)
    }

    private mutating func checkEntity(_ member: YAMLNode.Member, what: String) {
        if EntityOrder.isKnown(member.key) { return }
        let known = Self.queryKeys + EntityOrder.keys
        if let short = EntityOrder.key(named: member.key) {
            error(member.keyMark, "\(what): entities go by their short names; did you mean \(short)?")
        } else if let nearest = Suggestion.nearest(to: member.key, among: known) {
            error(member.keyMark, "\(what): no entity is called “\(member.key)”; did you mean \(nearest)?")
        } else {
            warning(member.keyMark, "\(what): “\(member.key)” is not an entity of the standard")
        }
    }

    private mutating func match(_ node: YAMLNode, of what: String) -> BIDSQuery.Match? {
        let labels = labels(node, of: what)
        if labels == ["none"] { return .absent }
        if labels == ["any"] { return .present }
        return labels.isEmpty ? nil : .anyOf(labels)
    }

    /// One text or a list of texts, as written: `run: 01` asks for the label 01. `${name}` may hold either.
    private mutating func labels(_ node: YAMLNode, of what: String) -> [String] {
        let nodes = node.elements ?? [node]
        return nodes.flatMap { node -> [String] in
            guard let text = node.text, text.contains("${") else {
                return label(node, of: what).map { [$0] } ?? []
            }
            let value = substituted(.string(text), node.mark)
            return (value.arrayValue ?? [value]).map { $0.stringValue ?? $0.canonicalString }
        }
    }

    private mutating func label(_ node: YAMLNode, of what: String) -> String? {
        guard let text = node.text else {
            error(node.mark, "\(what) is \(node.kindName); write a text, or a list of texts")
            return nil
        }
        guard text.contains("${") else { return text }
        let value = substituted(.string(text), node.mark)
        return value.stringValue ?? value.canonicalString
    }
}
