import BIDS

/// One set of columns for the `sessions.tsv` of many participants, each of which was typed by itself.
enum MergedColumns {
    /// Columns in the order in which they first appear, each of the narrowest type that holds every table's values.
    static func merge(_ tables: [CovariateTable]) -> [CovariateColumn] {
        var merged: [CovariateColumn] = []
        var places: [String: Int] = [:]
        var hasValues: [Bool] = []
        for table in tables {
            for column in table.columns {
                let isFilled = table.rows.values.contains { $0[column.name] != nil }
                guard let place = places[column.name] else {
                    places[column.name] = merged.count
                    merged.append(column)
                    hasValues.append(isFilled)
                    continue
                }
                // A column without a value was typed by guess, and has no say.
                if isFilled {
                    merged[place].type = hasValues[place] ? common(merged[place].type, column.type) : column.type
                    hasValues[place] = true
                }
                merged[place].description = merged[place].description ?? column.description
                merged[place].units = merged[place].units ?? column.units
                if let levels = column.levels {
                    merged[place].levels = (merged[place].levels ?? [:]).merging(levels) { first, _ in first }
                }
            }
        }
        return merged
    }

    private static func common(_ a: CovariateType, _ b: CovariateType) -> CovariateType {
        if a == b { return a }
        if a.isNumeric, b.isNumeric { return .number }
        return a == .text || b == .text ? .text : .category
    }

    /// A stored value as its column's type; nil when it cannot be one.
    static func value(_ json: JSONValue, as type: CovariateType) -> CovariateValue? {
        switch type {
        case .integer: json.integerValue.map { .integer($0) }
        case .number: json.doubleValue.map { .number($0) }
        case .boolean: json.boolValue.map { .boolean($0) }
        case .category: text(json).map { .category($0) }
        case .text: text(json).map { .text($0) }
        }
    }

    private static func text(_ json: JSONValue) -> String? {
        json.isNull ? nil : json.stringValue ?? json.canonicalString
    }
}
