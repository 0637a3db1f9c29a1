import BIDS

extension WorkflowDefinition {
    /// Checks that what steps name is known of people: without a column no task of such a step can succeed, and a training does
    /// not learn to tell what nobody has. Terms of a linear model are left out where they are absent, and not checked.
    ///
    /// - Parameters:
    ///   - columns: of participants.tsv and of the tables of sessions.
    ///   - values: what the people of the run, or (second argument) those of them who are in folds, have in a column.
    /// - Throws: `WorkflowError.noColumn` or `.nobodyHas` for the first that is not there.
    package func checkColumns(
        _ columns: [String], values: (_ column: String, _ inFolds: Bool) -> Set<String>
    ) throws(WorkflowError) {
        for step in steps where step.inputs.contains(where: { $0.source == .covariates }) {
            let parameters = TaskKindCatalog.kind(step.kind)?.parameters ?? []
            for parameter in parameters where parameter.namesColumns {
                let value = step.parameters[parameter.name]
                let names = value?.arrayValue?.compactMap(\.stringValue) ?? [value?.stringValue].compactMap { $0 }
                for name in names where !name.isEmpty && !columns.contains(name) {
                    throw .noColumn(name, parameter: parameter.name, step: step.name, known: columns)
                }
            }
            for parameter in parameters {
                guard let column = parameter.valueOf.flatMap({ step.parameters[$0]?.stringValue }), !column.isEmpty,
                    let wanted = step.parameters[parameter.name]?.stringValue, !wanted.isEmpty,
                    // Of more than two named classes none counts as positive, and a cohort need not have them all.
                    (step.parameters["classes"]?.arrayValue ?? []).count < 3
                else { continue }
                let known = values(column, step.people != nil)
                guard !known.contains(wanted) else { continue }
                throw .nobodyHas(
                    wanted, parameter: parameter.name, step: step.name, column: column, known: known.sorted())
            }
        }
    }
}
