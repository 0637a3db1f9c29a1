import BIDS
import Statistics
import Workflow

/// What is known about each person: the JSON form of participants.tsv and sessions.tsv that a run hands to cohort tasks.
struct CohortCovariates {
    struct Column {
        var name: String
        var isNumeric: Bool
    }

    let columns: [Column]
    /// Values by subject; a session's value wins over the participant's when the session is the subject's first.
    let values: [String: [String: JSONValue]]
    let problems: [String]

    init(_ json: JSONValue, name: String) throws {
        guard let columns = json["columns"]?.arrayValue, let rows = json["rows"]?.arrayValue else {
            throw TaskResult.Failure.permanent("\(name) is not a covariate table: it lacks “columns” or “rows”")
        }
        self.columns = columns.compactMap { column in
            guard let name = column["name"]?.stringValue else { return nil }
            return Column(name: name, isNumeric: column["type"]?.stringValue == "number")
        }
        var values: [String: [String: JSONValue]] = [:]
        // Participant rows first, then sessions from last to first, so that the first session's values remain.
        let ordered = rows.sorted { ($0["session"]?.stringValue ?? "") > ($1["session"]?.stringValue ?? "") }
        for row in ordered.filter({ $0["session"]?.stringValue == nil })
            + ordered.filter({ $0["session"]?.stringValue != nil })
        {
            guard let subject = row["subject"]?.stringValue, let cells = row["values"]?.objectValue else { continue }
            values[subject, default: [:]].merge(cells.filter { !$0.value.isNull }) { _, new in new }
        }
        self.values = values
        problems = (json["problems"]?.arrayValue ?? []).compactMap(\.stringValue)
    }

    /// The level that others are compared with where nobody says: the one that is named as such.
    private static func control(among levels: Set<String>) -> String? {
        let names = ["control", "controls", "healthy", "healthy control", "hc", "cn", "ctrl", "normal", "reference"]
        return levels.sorted().first {
            names.contains($0.lowercased().replacing("_", with: " ").replacing("-", with: " "))
        }
    }

    /// The covariate for these subjects, or why it cannot enter a model.
    func covariate(_ term: String, subjects: [String], baseline: String?) -> Result<Covariate, Exclusion> {
        guard let column = columns.first(where: { $0.name == term }) else {
            let known = columns.map(\.name).joined(separator: ", ")
            return .failure(
                Exclusion(reason: "the cohort has no column “\(term)”; it has \(known.isEmpty ? "none" : known)"))
        }
        let cells = subjects.map { values[$0]?[term] }
        if column.isNumeric {
            let numbers = cells.map { $0?.doubleValue }
            guard Set(numbers.compactMap { $0 }).count > 1 else {
                return .failure(Exclusion(reason: "it does not vary"))
            }
            return .success(.numeric(term, numbers, centring: .mean))
        }
        let texts = cells.map { cell -> String? in
            guard let cell, !cell.isNull else { return nil }
            return cell.stringValue ?? cell.canonicalString
        }
        let levels = Set(texts.compactMap { $0 })
        guard levels.count > 1 else { return .failure(Exclusion(reason: "it does not vary")) }
        guard baseline.map(levels.contains) ?? true else {
            return .failure(
                Exclusion(
                    reason:
                        "nobody has its baseline “\(baseline ?? "")”; levels are \(levels.sorted().joined(separator: ", "))"
                ))
        }
        return .success(.categorical(term, texts, reference: baseline ?? Self.control(among: levels)))
    }

    struct Exclusion: Error { var reason: String }
}
