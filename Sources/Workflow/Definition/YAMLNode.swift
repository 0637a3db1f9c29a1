import BIDS
import Yams

/// A place in a file, both from 1.
struct SourceMark: Hashable, Sendable {
    var line: Int
    var column: Int
}

/// A YAML value with the place it came from.
struct YAMLNode {
    enum Content {
        /// As written; `isPlain` is false for quoted and block texts, which are always texts.
        case scalar(String, isPlain: Bool)
        case mapping([Member])
        case sequence([YAMLNode])
    }

    struct Member {
        var key: String
        var keyMark: SourceMark
        var value: YAMLNode
    }

    var mark: SourceMark
    var content: Content

    var members: [Member]? {
        if case .mapping(let members) = content { members } else { nil }
    }

    var elements: [YAMLNode]? {
        if case .sequence(let elements) = content { elements } else { nil }
    }

    /// A scalar as it is written, `01` as `01`; nil for an empty one.
    var text: String? {
        guard case .scalar(let text, let isPlain) = content else { return nil }
        return isPlain && (text.isEmpty || text == "~" || text == "null") ? nil : text
    }

    var isNull: Bool {
        if case .scalar = content { text == nil } else { false }
    }

    /// What a reader calls this in a message.
    var kindName: String {
        switch content {
        case .scalar: isNull ? "nothing" : "“\(text ?? "")”"
        case .mapping: "a mapping"
        case .sequence: "a list"
        }
    }

    /// The value as JSON by the core schema of YAML 1.2: `yes`, `no`, `on` and `off` are texts. Apart from it, so is `01`:
    /// labels of BIDS are written so, whole numbers are not, and JSON has none.
    var json: JSONValue {
        switch content {
        case .mapping(let members):
            .object(Dictionary(members.map { ($0.key, $0.value.json) }, uniquingKeysWith: { first, _ in first }))
        case .sequence(let elements): .array(elements.map(\.json))
        case .scalar(let text, let isPlain): isPlain ? Self.plain(text) : .string(text)
        }
    }

    private static func plain(_ text: String) -> JSONValue {
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE": return .bool(true)
        case "false", "False", "FALSE": return .bool(false)
        default: break
        }
        let digits = text.hasPrefix("-") || text.hasPrefix("+") ? text.dropFirst() : text[...]
        guard let first = digits.first, first.isASCII, first.isNumber || first == "." else { return .string(text) }
        if first == "0", digits.count > 1, digits.allSatisfy(\.isNumber) { return .string(text) }
        if let value = Int64(text) { return .integer(value) }
        if digits.hasPrefix("0x"), let value = Int64(digits.dropFirst(2), radix: 16) { return .integer(value) }
        let isDecimal = digits.utf8.allSatisfy { byte in
            (48...57).contains(byte) || [UInt8(ascii: "."), 0x65, 0x45, 0x2B, 0x2D].contains(byte)
        }
        if isDecimal, let value = Double(text), value.isFinite { return .number(value) }
        return .string(text)
    }
}

/// Why a text is not a YAML document.
struct YAMLSyntaxError: Error {
    var mark: SourceMark?
    var sentence: String
}

extension YAMLNode {
    /// Aliases may repeat parts of a document; a document that unfolds to more values than this is refused.
    private static let nodeLimit = 100_000

    /// Reads the one document of a text; nil when it is empty.
    static func parse(_ text: String) throws(YAMLSyntaxError) -> YAMLNode? {
        let root: Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch let error as YamlError {
            throw translated(error, text: text)
        } catch {
            throw YAMLSyntaxError(mark: nil, sentence: "this is not YAML: \(error)")
        }
        var count = 0
        return try root.map { (node) throws(YAMLSyntaxError) in try converted(node, count: &count) }
    }

    private static func converted(_ node: Node, count: inout Int) throws(YAMLSyntaxError) -> YAMLNode {
        let mark = SourceMark(line: node.mark?.line ?? 1, column: node.mark?.column ?? 1)
        count += 1
        if count > nodeLimit {
            throw YAMLSyntaxError(mark: mark, sentence: "the document has more than \(nodeLimit) values; shorten it")
        }
        switch node {
        case .scalar(let scalar):
            return YAMLNode(
                mark: mark, content: .scalar(scalar.string, isPlain: scalar.style == .plain || scalar.style == .any))
        case .sequence(let sequence):
            var elements: [YAMLNode] = []
            for element in sequence { elements.append(try converted(element, count: &count)) }
            return YAMLNode(mark: mark, content: .sequence(elements))
        case .mapping(let mapping):
            var members: [Member] = []
            var merged: [Member] = []
            for (key, value) in mapping {
                let keyMark = SourceMark(line: key.mark?.line ?? mark.line, column: key.mark?.column ?? mark.column)
                guard case .scalar(let scalar) = key else {
                    throw YAMLSyntaxError(mark: keyMark, sentence: "a name is expected before the colon")
                }
                let converted = try converted(value, count: &count)
                if scalar.string == "<<", scalar.style == .plain {
                    for source in converted.elements ?? [converted] { merged += source.members ?? [] }
                } else {
                    members.append(Member(key: scalar.string, keyMark: keyMark, value: converted))
                }
            }
            // What is written here wins over what is merged in.
            for member in merged where !members.contains(where: { $0.key == member.key }) { members.append(member) }
            return YAMLNode(mark: mark, content: .mapping(members))
        case .alias(let alias):
            throw YAMLSyntaxError(mark: mark, sentence: "the alias *\(alias.anchor.rawValue) names no anchor")
        }
    }

    private static func translated(_ error: YamlError, text: String) -> YAMLSyntaxError {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            let tab = text.split(separator: "\n", omittingEmptySubsequences: false).dropFirst(mark.line - 1).first
            let hint = tab?.contains("\t") == true ? " (YAML is indented with spaces, not tabs)" : ""
            return YAMLSyntaxError(
                mark: SourceMark(line: mark.line, column: mark.column), sentence: "this is not YAML: \(problem)\(hint)")
        case .reader(let problem, _, _, _):
            return YAMLSyntaxError(mark: nil, sentence: "this is not YAML: \(problem); save the file as UTF-8")
        case .duplicatedKeysInMapping(let duplicates, let context):
            let key = duplicates.first ?? ""
            let start = SourceMark(line: context.mark.line, column: context.mark.column)
            return YAMLSyntaxError(
                mark: repetition(of: key, in: text, from: start) ?? start,
                sentence: "\(key) is given twice here; keep one of the two")
        default: return YAMLSyntaxError(mark: nil, sentence: "this is not YAML: \(error)")
        }
    }

    /// Where a block mapping that begins at `start` names `key` for the second time.
    private static func repetition(of key: String, in text: String, from start: SourceMark) -> SourceMark? {
        let indentation = String(repeating: " ", count: start.column - 1)
        let spellings = [key, "\"\(key)\"", "'\(key)'"].map { indentation + $0 }
        var seen = 0
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
        where index + 1 >= start.line {
            let isKey = spellings.contains { spelling in
                line.hasPrefix(spelling)
                    && line.dropFirst(spelling.count).drop { $0 == " " }.first == ":"
            }
            guard isKey else { continue }
            seen += 1
            if seen == 2 { return SourceMark(line: index + 1, column: start.column) }
        }
        return nil
    }
}
