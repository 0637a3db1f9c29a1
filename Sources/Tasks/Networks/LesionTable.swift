import Networks
import Workflow

/// A table with a row per lesion: its number in the column `lesion`, and what is known of it.
struct LesionTable {
    /// How to call it in a message.
    let name: String
    let columns: [String]
    /// By number, the cells in the order of the columns.
    let rows: [UInt16: [String]]

    /// - Parameter centres: of the lesions there are, to which every row must belong.
    init(_ item: TaskRequest.StagedInput, lesions centres: LesionCentres, map: String) throws {
        let table = try item.readTable()
        let name = item.input.name
        let lesion = try table.column("lesion", of: name)
        var rows: [UInt16: [String]] = [:]
        for row in table.rows {
            guard let number = UInt16(row[lesion]), centres.worldMillimetres[number] != nil else {
                throw TaskResult.Failure.permanent(
                    "\(name) speaks of lesion “\(row[lesion])”, which \(map) does not have; correct the table")
            }
            guard rows.updateValue(row, forKey: number) == nil else {
                throw TaskResult.Failure.permanent("\(name) has lesion \(number) twice; keep one row")
            }
        }
        (self.name, columns, self.rows) = (name, table.columns, rows)
    }

    /// - Throws: a sentence naming the column that is not there.
    func column(_ wanted: String) throws -> Int {
        try TabSeparatedTable(columns: columns).column(wanted, of: name)
    }

    /// The numbers of one lesion, in the order of `names`; NaN where the table says that it has none (n/a).
    func numbers(_ names: [String], lesion: UInt16) throws -> [Double] {
        guard let row = rows[lesion] else {
            throw TaskResult.Failure.permanent("\(name) has no row for lesion \(lesion); add its features")
        }
        return try names.map { feature in
            let cell = row[try column(feature)]
            if cell == "n/a" { return .nan }
            guard let number = TabSeparatedTable.number(cell), number.isFinite else {
                throw TaskResult.Failure.permanent(
                    "\(name) has “\(cell)” as \(feature) of lesion \(lesion), which is no number; correct it or take the column out"
                )
            }
            return number
        }
    }
}
