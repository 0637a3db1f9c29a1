import BIDS

extension WorkflowDefinition {
    /// Checks that what steps name is known of people: without a column no task of such a step can succeed. Terms of a linear
    /// model are left out where they are absent, and not checked.
    ///
    /// - Parameter columns: of participants.tsv and of the tables of sessions.
    /// - Throws: `WorkflowError.noColumn` for the first that is not there.
    package func checkColumns(_ columns: [String]) throws(WorkflowError) {
        for step in steps where step.inputs.contains(where: { $0.source == .covariates }) {
            let parameters = TaskKindCatalog.kind(step.kind)?.parameters ?? []
            for parameter in parameters where parameter.namesColumns {
                let value = step.parameters[parameter.name]
                let names = value?.arrayValue?.compactMap(\.stringValue) ?? [value?.stringValue].compactMap { $0 }
                for name in names where !name.isEmpty && !columns.contains(name) {
                    throw .noColumn(name, parameter: parameter.name, step: step.name, known: columns)
                }
            }
        }
    }
}
