import Workflow

/// What a session's table of features says about its lesions, about slices, or about the person.
struct FeatureSamples {
    /// What a row of a table is about; the raw value is the column that numbers them.
    enum Unit: String, Codable {
        case lesion, slice
        /// All rows together.
        case person

        var plural: String { self == .person ? "people" : rawValue + "s" }
    }

    struct Sample {
        /// Of the lesion or slice; nil: the person.
        let number: UInt16?
        /// By feature name; nil where the table says n/a.
        let values: [String: Double?]
        /// Cell of the column class; nil without.
        let kind: String?
    }

    /// Names of the features in the order of the table.
    let names: [String]
    let samples: [Sample]
    let unit: Unit

    /// Columns that name and place things, and are no features.
    static let descriptive: Set<String> = [
        "lesion", "slice", "index", "name", "region", "centre_region", "reference", "unit", "missing", "class",
        "polarity",
        "subject", "session", "session_id", "participant_id", "x_mm", "y_mm", "z_mm",
    ]

    /// - Parameters:
    ///   - further: a table of the same lesions with further columns.
    ///   - wanted: columns to use; empty: all but those that name and place things.
    ///   - reference: rows of a table with the column `reference` to use.
    init(
        _ item: TaskRequest.StagedInput, and further: TaskRequest.StagedInput? = nil, columns wanted: [String],
        reference: String
    ) throws {
        let name = item.input.name
        var table = try item.readTable()
        if let further { table = try Self.joined(table, name, try further.readTable(), further.input.name) }
        let places: [(name: String, place: Int)] =
            try wanted.isEmpty
            ? table.columns.enumerated().filter { !Self.descriptive.contains($0.element) }.map {
                ($0.element, $0.offset)
            }
            : wanted.map { ($0, try table.column($0, of: name)) }
        guard !places.isEmpty else {
            throw TaskResult.Failure.permanent("\(name) has no column of features; add some")
        }
        func numbers(_ row: [String], prefix: String = "") throws -> [(String, Double?)] {
            try places.map { column, place in
                let cell = row[place]
                let number = TabSeparatedTable.number(cell)
                guard cell == "n/a" || number?.isFinite == true else {
                    throw TaskResult.Failure.permanent(
                        "\(name) has “\(cell)” in column \(column), which is no number; correct it, or name the columns to use with "
                            + "“columns”")
                }
                return (prefix + column, number)
            }
        }
        let kinds = table.columns.firstIndex(of: "class")
        func samples(_ unit: Unit, _ number: Int, _ rows: [[String]]) throws -> [Sample] {
            var seen: Set<UInt16> = []
            return try rows.map { row in
                guard let own = UInt16(row[number]), seen.insert(own).inserted else {
                    throw TaskResult.Failure.permanent(
                        "\(name) has “\(row[number])” as the number of a \(unit), twice or no whole number; give each its own row"
                    )
                }
                return Sample(
                    number: own, values: Dictionary(try numbers(row), uniquingKeysWith: { $1 }),
                    kind: kinds.map { row[$0] })
            }
        }
        if let lesion = table.columns.firstIndex(of: "lesion") {
            (names, unit) = (places.map(\.name), .lesion)
            self.samples = try samples(.lesion, lesion, table.rows)
            return
        }
        let references = table.columns.firstIndex(of: "reference")
        let rows = table.rows.filter { row in references.map { row[$0] == reference } ?? true }
        guard !rows.isEmpty else {
            throw TaskResult.Failure.permanent(
                "\(name) has no row\(references == nil ? "" : " with the reference “\(reference)”"); name another with “reference”"
            )
        }
        if let slice = table.columns.firstIndex(of: "slice") {
            (names, unit) = (places.map(\.name), .slice)
            self.samples = try samples(.slice, slice, rows)
            return
        }
        // All rows describe one person.
        let region = table.columns.firstIndex(of: "region") ?? table.columns.firstIndex(of: "name")
        guard region != nil || rows.count == 1 else {
            throw TaskResult.Failure.permanent(
                "\(name) has \(rows.count) rows and no column lesion, slice, region or name to tell them apart; add one"
            )
        }
        var pairs: [(String, Double?)] = []
        for row in rows { pairs += try numbers(row, prefix: region.map { row[$0] + "." } ?? "") }
        let values = Dictionary(pairs, uniquingKeysWith: { $1 })
        guard values.count == pairs.count else {
            throw TaskResult.Failure.permanent("\(name) names a region twice; give each its own name")
        }
        names = pairs.map(\.0)
        self.samples = [Sample(number: nil, values: values, kind: kinds.map { rows[0][$0] })]
        unit = .person
    }

    /// The rows of a table of lesions with the columns that another has of them besides.
    ///
    /// - Throws: a sentence where either is of no lesions, both have a feature, or the other lacks a lesion.
    private static func joined(
        _ table: TabSeparatedTable, _ name: String, _ other: TabSeparatedTable, _ otherName: String
    ) throws -> TabSeparatedTable {
        let (lesion, own) = (try other.column("lesion", of: otherName), try table.column("lesion", of: name))
        let places = other.columns.indices.filter { !table.columns.contains(other.columns[$0]) }
        if let twice = other.columns.first(where: { table.columns.contains($0) && !descriptive.contains($0) }) {
            throw TaskResult.Failure.permanent(
                "\(otherName) has a feature “\(twice)” as \(name) has; call it something else in one of them, or leave it out"
            )
        }
        let rows = Dictionary(other.rows.map { ($0[lesion], $0) }) { first, _ in first }
        guard rows.count == other.rows.count else {
            throw TaskResult.Failure.permanent("\(otherName) has a lesion twice; keep one row of each")
        }
        return TabSeparatedTable(
            columns: table.columns + places.map { other.columns[$0] },
            rows: try table.rows.map { row in
                guard let further = rows[row[own]] else {
                    throw TaskResult.Failure.permanent(
                        "\(otherName) has no row for lesion \(row[own]) of \(name); bind tables of the same lesions")
                }
                return row + places.map { further[$0] }
            })
    }
}
