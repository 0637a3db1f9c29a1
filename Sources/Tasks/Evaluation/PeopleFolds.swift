import BIDS
import Workflow

/// In which fold of a cross-validation each person was judged: by a model that had not seen them.
struct PeopleFolds {
    /// By label without `sub-`, from 1 on or however the document counts.
    private let byPerson: [String: Int]

    /// - Parameters:
    ///   - item: JSON, `{"folds": 5, "people": {"01": 1, …}}`; nil: people have the folds of their tables.
    ///   - tables: predictions or evaluations, whose contexts name a fold where steps fan out over folds.
    init(_ item: TaskRequest.StagedInput?, tables: [TaskRequest.StagedInput]) throws {
        guard let item else {
            let known = tables.compactMap { table in
                table.input.context.subject.flatMap { subject in table.input.context.fold.map { (subject, $0) } }
            }
            byPerson = Dictionary(known) { first, _ in first }
            return
        }
        guard let people = try item.readJSON()["people"]?.objectValue else {
            throw TaskResult.Failure.permanent(
                "\(item.input.name) is no list of folds: it lacks “people”, an object of a fold per person")
        }
        var byPerson: [String: Int] = [:]
        for (person, value) in people {
            guard let fold = value.integerValue else {
                throw TaskResult.Failure.permanent(
                    "\(item.input.name): the fold of \(person) is \(value.kindName); write a whole number")
            }
            byPerson[Self.label(person)] = Int(fold)
        }
        self.byPerson = byPerson
    }

    /// nil where there are no folds, or the person is in none.
    func fold(of context: TaskContext) -> Int? {
        context.fold ?? context.subject.flatMap { byPerson[Self.label($0)] }
    }

    /// A person as BIDS tables or as contexts name them, as a label.
    static func label(_ person: String) -> String { person.hasPrefix("sub-") ? String(person.dropFirst(4)) : person }
}

/// Whose a row of a table is.
struct TableRowOwner {
    /// Columns that say whose a row is.
    static let columns: Set<String> = ["participant_id", "session_id", "session"]

    private let column: Int?
    private let session: Int?
    private let context: TaskContext

    /// Whether the table has rows of anybody, rather than of the person that it is of.
    var isOfEverybody: Bool { context.subject == nil }

    /// By the column `participant_id` where there is one, which a table of everybody has, and there by `session_id` or
    /// `session`; else whoever the table is of.
    init(_ table: TabSeparatedTable, _ item: TaskRequest.StagedInput) throws {
        column = table.columns.firstIndex(of: "participant_id")
        session =
            column == nil
            ? nil : table.columns.firstIndex(of: "session_id") ?? table.columns.firstIndex(of: "session")
        context = item.input.context
        guard column != nil || context.subject != nil else {
            throw TaskResult.Failure.permanent(
                "\(item.input.name) is of nobody in particular and has no column participant_id; add the column")
        }
    }

    func callAsFunction(_ row: [String]) -> TaskContext {
        guard let column else { return context }
        var owner = context
        owner.subject = PeopleFolds.label(row[column])
        if let session, !row[session].isEmpty, row[session] != "n/a" {
            owner.session = row[session].hasPrefix("ses-") ? String(row[session].dropFirst(4)) : row[session]
        }
        return owner
    }
}
