import BIDS

extension WorkflowDefinition {
    /// Checks that what steps name is known of people: without a column no task of such a step can succeed. Terms of a linear
    /// model are left out where they are absent, and not checked.
    ///
    /// - Parameter columns: of participants.tsv and of the tables of sessions.
    /// - Throws: `WorkflowError.noColumn` for the first that is not there.
    package func checkColumns(_ columns: [String]) throws(WorkflowError) {
        for step in steps where step.inputs.contains(where: { $0.source == .covariates }) {
            for parameter in ["target", "residualise"] {
                let value = step.parameters[parameter]
                let names = value?.arrayValue?.compactMap(\.stringValue) ?? [value?.stringValue].compactMap { $0 }
                for name in names where !name.isEmpty && !columns.contains(name) {
                    throw .noColumn(name, parameter: parameter, step: step.name, known: columns)
                }
            }
        }
    }
}
