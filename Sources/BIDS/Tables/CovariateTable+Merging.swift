/// Tables of sessions are one per participant; a model wants one column over all of them.
extension CovariateColumn {
    /// The column that holds the values of both: numbers stay numbers, anything else becomes a category or text.
    package func merged(with other: CovariateColumn) -> CovariateColumn {
        var merged = self
        merged.description = description ?? other.description
        merged.units = units ?? other.units
        if let levels = other.levels { merged.levels = (self.levels ?? [:]).merging(levels) { own, _ in own } }
        merged.type = type.merged(with: other.type)
        return merged
    }
}

extension CovariateType {
    /// The narrowest type that can hold values of both.
    package func merged(with other: CovariateType) -> CovariateType {
        if self == other { return self }
        if isNumeric && other.isNumeric { return .number }
        return self == .text || other == .text ? .text : .category
    }
}

extension CovariateValue {
    /// This value as one of a column of `type`; nil when it cannot be (a text in a column of numbers).
    package func converted(to type: CovariateType) -> CovariateValue? {
        switch (type, self) {
        case (.integer, .integer), (.number, .number), (.boolean, .boolean), (.category, .category), (.text, .text):
            self
        case (.number, .integer(let value)): .number(Double(value))
        case (.integer, .number(let value)): Int64(exactly: value).map { .integer($0) }
        case (.category, _): .category(description)
        case (.text, _): .text(description)
        default: nil
        }
    }
}

extension CovariateTable {
    /// Gives several tables the same columns with the same types, in order of first appearance.
    ///
    /// A column that is empty in one table says nothing about its type there.
    package static func unify(_ tables: [CovariateTable]) -> (columns: [CovariateColumn], tables: [CovariateTable]) {
        var columns: [CovariateColumn] = []
        var place: [String: Int] = [:]
        var hasValues: [Bool] = []
        for table in tables {
            for column in table.columns {
                let isFilled = table.rows.values.contains { $0[column.name] != nil }
                guard let index = place[column.name] else {
                    place[column.name] = columns.count
                    columns.append(column)
                    hasValues.append(isFilled)
                    continue
                }
                if isFilled, hasValues[index] {
                    columns[index] = columns[index].merged(with: column)
                } else if isFilled {
                    columns[index] = column
                    hasValues[index] = true
                }
            }
        }
        let unified = tables.map { table in
            var table = table
            table.columns = columns
            table.rows = table.rows.mapValues { row in
                var converted: [String: CovariateValue] = [:]
                for (name, value) in row {
                    if let index = place[name] { converted[name] = value.converted(to: columns[index].type) }
                }
                return converted
            }
            return table
        }
        return (columns, unified)
    }
}
