import Workflow

/// What a classifier says of lesions: a table as `classifier.apply` and `network.classify` write it.
struct LesionDecisions {
    struct Decision {
        /// What was decided for: cell of the column `class`.
        let className: String
        /// By class, in the order of the table's columns.
        let probabilities: [Double]
    }

    /// Classes with a column `p_CLASS`, in the order of the columns.
    let classes: [String]
    let byLesion: [UInt16: Decision]

    /// - Throws: a sentence naming the table and the cell or column that is wrong.
    init(_ item: TaskRequest.StagedInput) throws {
        let (table, name) = (try item.readTable(), item.input.name)
        let (lesion, decided) = (try table.column("lesion", of: name), try table.column("class", of: name))
        let places = table.columns.indices.filter { table.columns[$0].hasPrefix("p_") }
        let classes = places.map { String(table.columns[$0].dropFirst(2)) }
        guard !classes.isEmpty else {
            throw TaskResult.Failure.permanent(
                "\(name) has no column p_CLASS with probabilities (it has \(table.columns.joined(separator: ", "))); bind the "
                    + "table of classifier.apply or network.classify")
        }
        var found: [UInt16: Decision] = [:]
        for row in table.rows {
            guard let number = UInt16(row[lesion]), number > 0, found[number] == nil else {
                throw TaskResult.Failure.permanent(
                    "\(name) has “\(row[lesion])” as the number of a lesion, twice or no whole number from 1 to 65535; give each "
                        + "lesion one row")
            }
            guard classes.contains(row[decided]) else {
                throw TaskResult.Failure.permanent(
                    "\(name) decides for “\(row[decided])” of lesion \(number), but has probabilities of "
                        + "\(classes.joined(separator: ", ")); correct it")
            }
            let probabilities = try places.map { place in
                guard let value = TabSeparatedTable.number(row[place]), (0...1).contains(value) else {
                    throw TaskResult.Failure.permanent(
                        "\(name) has “\(row[place])” in column \(table.columns[place]), which is no probability from 0 to 1; "
                            + "correct it")
                }
                return value
            }
            found[number] = Decision(className: row[decided], probabilities: probabilities)
        }
        (self.classes, byLesion) = (classes, found)
    }
}
