import BIDS

/// A parameter's value as a word of the command line states it.
package enum ParameterText {
    /// Why a text is no value, as the end of a sentence.
    package struct Problem: Error, CustomStringConvertible {
        package let description: String
    }

    /// A word that `value` reads as this.
    package static func text(_ value: JSONValue) -> String {
        // A text that would be read as something else is quoted; swallowed: so is one that would be no value at all.
        if case .string(let text) = value, (try? self.value(text)) == value { return text }
        return value.canonicalString
    }

    /// JSON where it is JSON; a list, a map or a quoted text of YAML as a workflow file has it (`[age, sex]`,
    /// `{name: caudate, labels: [1, 2]}`); else the text itself.
    package static func value(_ text: String) throws(Problem) -> JSONValue {
        // Not JSON: YAML or words.
        if let json = try? JSONValue.parse(text) { return json }
        guard let first = text.first(where: { $0 != " " }), "[{\"'".contains(first) else { return .string(text) }
        do throws(YAMLSyntaxError) {
            guard let node = try YAMLNode.parse(text) else { return .string(text) }
            return node.json
        } catch {
            throw Problem(
                description:
                    "“\(text)” begins like a list, a map or a quoted text of YAML and is none; write it as in a "
                    + "workflow file, such as [64, 64, 32] or {rim: 5}, in quotes of your shell")
        }
    }
}
