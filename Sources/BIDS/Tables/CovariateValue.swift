/// What is known about a participant or session; a missing value is the absence of one.
package enum CovariateValue: Codable, Hashable, Sendable, CustomStringConvertible {
    case integer(Int64)
    case number(Double)
    case boolean(Bool)
    case category(String)
    case text(String)

    /// The value for arithmetic: numbers, and 1 or 0 for a boolean.
    package var doubleValue: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        case .boolean(let value): value ? 1 : 0
        case .category, .text: nil
        }
    }

    package var description: String {
        switch self {
        case .integer(let value): String(value)
        case .number(let value): value.description
        case .boolean(let value): String(value)
        case .category(let value), .text(let value): value
        }
    }

    package var json: JSONValue {
        switch self {
        case .integer(let value): .integer(value)
        case .number(let value): .number(value)
        case .boolean(let value): .bool(value)
        case .category(let value), .text(let value): .string(value)
        }
    }
}

/// How a column of covariates is to be read.
package enum CovariateType: String, Codable, Hashable, Sendable, CaseIterable {
    case integer
    case number
    case boolean
    /// One of a few levels: `sex`, `site`, `group`.
    case category
    case text

    package var isNumeric: Bool { self == .integer || self == .number }
}

/// A column of `participants.tsv` or `sessions.tsv` with what its JSON sidecar says.
package struct CovariateColumn: Codable, Hashable, Sendable {
    package var name: String
    package var type: CovariateType
    package var description: String?
    package var units: String?
    /// Level as written in the table, to its meaning.
    package var levels: [String: String]?

    package init(
        name: String, type: CovariateType, description: String? = nil, units: String? = nil,
        levels: [String: String]? = nil
    ) {
        self.name = name
        self.type = type
        self.description = description
        self.units = units
        self.levels = levels
    }
}
