import BIDS
import Foundation

/// Text files of a dataset: JSON with sorted keys and tab-separated tables, the same bytes every time.
enum CohortFiles {
    /// The values that sidecars and descriptions hold.
    indirect enum JSON: Encodable, ExpressibleByStringLiteral, ExpressibleByFloatLiteral, ExpressibleByBooleanLiteral,
        ExpressibleByIntegerLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
    {
        case text(String)
        case number(Double)
        case flag(Bool)
        case list([JSON])
        case object([String: JSON])

        init(stringLiteral value: String) { self = .text(value) }
        init(floatLiteral value: Double) { self = .number(value) }
        init(integerLiteral value: Int) { self = .number(Double(value)) }
        init(booleanLiteral value: Bool) { self = .flag(value) }
        init(arrayLiteral elements: JSON...) { self = .list(elements) }
        init(dictionaryLiteral elements: (String, JSON)...) {
            self = .object(Dictionary(elements, uniquingKeysWith: { $1 }))
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch self {
            case .text(let value): try container.encode(value)
            case .number(let value): try container.encode(value)
            case .flag(let value): try container.encode(value)
            case .list(let value): try container.encode(value)
            case .object(let value): try container.encode(value)
            }
        }
    }

    static func write(_ json: JSON, to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try write(String(decoding: encoder.encode(json), as: UTF8.self) + "\n", to: path)
    }

    /// Writes a table; a missing value is `n/a`.
    static func write(header: [String], rows: [[String]], to path: String) throws {
        let lines = ([header] + rows).map { $0.joined(separator: "\t") }
        try write(lines.joined(separator: "\n") + "\n", to: path)
    }

    static func write(_ text: String, to path: String) throws {
        do {
            try Data(text.utf8).write(to: URL(filePath: path))
        } catch {
            throw PhantomError.cannotWrite(path: path, reason: SystemReason.of(error))
        }
    }

    static func createFolder(_ path: String) throws {
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw PhantomError.cannotWrite(path: path, reason: SystemReason.of(error))
        }
    }

    /// A number with at most `digits` decimals and no trailing zeros; `n/a` when it is not finite.
    static func number(_ value: Double, digits: Int = 4) -> String {
        guard value.isFinite else { return "n/a" }
        let scale = pow(10, Double(digits))
        let rounded = (value * scale).rounded() / scale
        return rounded == rounded.rounded() && abs(rounded) < 1e15 ? String(Int(rounded)) : String(rounded)
    }
}
