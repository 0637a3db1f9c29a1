import BIDS

/// The classes that a training tells apart, as its step names them: in a cross-validation every fold then makes the same of
/// its people, whatever classes they happen to have.
extension StepSettings {
    /// The parameter `classes` where it is a list of names; empty where the data alone tell the classes.
    ///
    /// - Returns: in the order stated, but for the class that counts as positive, where one is stated, which comes last. Of two
    ///   the last counts as positive in any case.
    package func classNames() throws(StepFinding) -> [String] {
        var names: [String] = []
        for value in list("classes") {
            guard let name = value.stringValue, !name.isEmpty, name != "n/a" else {
                throw StepFinding(
                    "classes",
                    "classes to tell people or lesions apart by are names, [no_rim, rim], not \(value.canonicalString)")
            }
            if names.contains(name) { throw StepFinding("classes", "\(name) is named twice; keep one") }
            names.append(name)
        }
        guard names.count != 1 else {
            throw StepFinding(
                "classes", "classes names \(names[0]) alone, and there is nothing to tell it from; add others")
        }
        let positive = text("positive")
        guard !names.isEmpty, !positive.isEmpty else { return names }
        guard names.contains(positive) else {
            throw StepFinding(
                "positive",
                "positive is “\(positive)”, which is not among the classes"
                    + Suggestion.clause(for: positive, among: names))
        }
        return names.filter { $0 != positive } + [positive]
    }
}

extension StepRules {
    /// Of a step that trains a classifier.
    static let trainingClassifier = StepRules([
        { step in _ = try step.classNames() },
        { step in
            let named = !step.text("target").isEmpty || !step.list("residualise").isEmpty
            guard named, step.isBound("covariates") == false else { return }
            throw StepFinding(
                .inputs,
                "target and residualise name columns of participants.tsv; bind covariates: {covariates: participants}")
        },
    ])
}
