import BIDS
import Workflow

/// Columns of numbers of participants.tsv that go with the cases of a classifier, such as age.
struct CaseCovariates {
    let names: [String]
    private let covariates: CohortCovariates?

    /// - Parameter names: none: nothing is read.
    /// - Throws: a sentence naming a column that is not there or holds no numbers.
    init(_ environment: TaskEnvironment, names: [String]) throws {
        self.names = names
        guard !names.isEmpty else {
            covariates = nil
            return
        }
        let item = try environment.input("covariates")
        let table = try CohortCovariates(try item.readJSON(), name: item.input.name)
        for name in names {
            guard let column = table.columns.first(where: { $0.name == name }) else {
                throw environment.refuse(
                    "features are residualised for “\(name)”, which is no column of participants.tsv"
                        + Suggestion.clause(for: name, among: table.columns.map(\.name)))
            }
            guard column.isNumeric else {
                throw environment.refuse(
                    "features are residualised for “\(name)”, which is no column of numbers; name columns such as age")
            }
        }
        covariates = table
    }

    /// In the order of the names; nil for what is not known of the person.
    func values(of context: TaskContext) -> [Double?] {
        names.map { covariates?.values[context.subject ?? ""]?[$0]?.doubleValue }
    }

    /// Of whom something is not known.
    func warnings(of contexts: [TaskContext]) -> [String] {
        Set(contexts.map { $0.subject ?? "" }).sorted().compactMap { subject in
            let context = TaskContext(subject: subject)
            let lacking = zip(names, values(of: context)).filter { $1 == nil }.map(\.0)
            guard !lacking.isEmpty else { return nil }
            return "\(context) has no \(lacking.joined(separator: " and no ")): taken as the mean of those trained on."
        }
    }
}
