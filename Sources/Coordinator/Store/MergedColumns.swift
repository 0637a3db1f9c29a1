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
                let known = merged[place]
                merged[place] = known.merged(with: column)
                // A column without a value was typed by guess, and has no say.
                if !isFilled { merged[place].type = known.type }
                if isFilled, !hasValues[place] { merged[place].type = column.type }
                hasValues[place] = hasValues[place] || isFilled
            }
        }
        return merged
    }
}
