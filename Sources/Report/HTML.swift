/// A piece of markup. Text put into it with `\(…)` is escaped; only other markup goes in as it is, so no name, path or
/// message from a dataset can become markup.
struct HTML: ExpressibleByStringInterpolation, Sendable {
    private(set) var text: String

    init(stringLiteral value: String) { text = value }

    init(stringInterpolation: StringInterpolation) { text = stringInterpolation.text }

    /// Plain text as markup.
    init(escaping plain: String) {
        text = ""
        Self.escape(plain, into: &text)
    }

    static let empty: HTML = ""

    static func += (a: inout HTML, b: HTML) { a.text += b.text }

    static func + (a: HTML, b: HTML) -> HTML {
        var result = a
        result += b
        return result
    }

    struct StringInterpolation: StringInterpolationProtocol {
        var text = ""

        init(literalCapacity: Int, interpolationCount: Int) { text.reserveCapacity(literalCapacity * 2) }

        mutating func appendLiteral(_ literal: String) { text += literal }

        mutating func appendInterpolation(_ plain: String) { HTML.escape(plain, into: &text) }

        mutating func appendInterpolation(_ markup: HTML) { text += markup.text }

        mutating func appendInterpolation(_ number: Int) { text += String(number) }

        /// A coordinate or length in a drawing: two decimals.
        mutating func appendInterpolation(_ number: Double) { text += Numbers.coordinate(number) }

        mutating func appendInterpolation(_ parts: [HTML]) { for part in parts { text += part.text } }
    }

    fileprivate static func escape(_ plain: String, into text: inout String) {
        for scalar in plain.unicodeScalars {
            switch scalar {
            case "&": text += "&amp;"
            case "<": text += "&lt;"
            case ">": text += "&gt;"
            case "\"": text += "&quot;"
            case "'": text += "&#39;"
            // Control characters are not allowed in HTML, and a log can hold any.
            case "\t", "\n", "\r": text.unicodeScalars.append(scalar)
            case _ where scalar.value < 32 || (127...159).contains(scalar.value): text += "\u{FFFD}"
            default: text.unicodeScalars.append(scalar)
            }
        }
    }
}

extension Sequence {
    /// Markup for each element, one after another.
    func html(_ transform: (Element) -> HTML) -> HTML {
        var result = HTML.empty
        for element in self { result += transform(element) }
        return result
    }
}
