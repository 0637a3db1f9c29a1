import Workflow

/// Judges the lesions or slices of a table, or the person it describes, by a classifier or by several made alike.
enum ClassifierApplyTask: TaskImplementation {
    static let kind = "classifier.apply"

    static func run(_ environment: TaskEnvironment) throws -> TaskResult {
        let models = try models(environment)
        let (first, item) = (models[0], try environment.input("features"))
        let features = try FeatureSamples(
            item, and: environment.optionalInput("features2"), columns: first.columns, reference: first.reference)
        guard features.unit == first.unit else {
            throw TaskResult.Failure.permanent(
                "\(item.input.name) is a table of \(features.unit.plural), the classifier judges \(first.unit.plural); bind tables as "
                    + "it was trained with")
        }
        let covariates = try CaseCovariates(environment, names: first.preparation.covariates?.names ?? [])
        let own = covariates.values(of: item.input.context)
        var rows: [[String]] = []
        var measured: [MeasuredValue] = []
        for sample in features.samples {
            var sums = [Double](repeating: 0, count: first.classes.count)
            for model in models {
                let values = try FeatureClassifier.features(
                    sample, names: model.preparation.names, table: item.input.name)
                let row = try FeatureClassifier.row(
                    FeaturePreparation.Case(features: values, covariates: own), model.preparation, sample,
                    first.unit, table: item.input.name)
                for (place, probability) in model.probabilities(row).enumerated() { sums[place] += probability }
            }
            let probabilities = sums.map { $0 / Double(models.count) }
            let best = MostProbable.index(of: probabilities)
            rows.append([sample.number.map { "\($0)" } ?? "n/a", first.classes[best]] + probabilities.map { "\($0)" })
            // Slices are in their table, as those of network.classify are.
            guard first.unit != .slice else { continue }
            let region = sample.number.map { "lesion-\($0)" }
            for (name, probability) in zip(first.classes, probabilities) {
                measured.append(
                    MeasuredValue(region: region, term: name, metric: "probability", value: probability, unit: "1"))
            }
            measured.append(MeasuredValue(region: region, metric: "decision", value: Double(best), unit: "1"))
        }
        // Tables without rows are alike, whosever they are, and nothing is judged.
        let seen =
            features.samples.isEmpty
            ? nil
            : TrainingRecord.warning(
                try environment.inputs("model").map { try FeatureClassifier.trainingRecord($0) }, judging: [item],
                noun: "table")
        let numbers = first.unit == .slice ? "slice" : "lesion"
        let table = TabSeparatedTable(columns: [numbers, "class"] + first.classes.map { "p_\($0)" }, rows: rows)
        return TaskResult(
            outputs: [try environment.writeTable(table, to: "table")], measurements: measured,
            warnings: covariates.warnings(of: [item.input.context]) + (seen.map { [$0] } ?? []))
    }

    /// In the order of their bytes, so that sums of probabilities are the same bits however the classifiers are listed.
    ///
    /// - Throws: a sentence naming two that judge differently.
    private static func models(_ environment: TaskEnvironment) throws -> [FeatureClassifier] {
        _ = try environment.input("model")
        let items = environment.inputs("model").sorted { $0.input.digest < $1.input.digest }
        let models = try items.map { try FeatureClassifier($0) }
        for (item, model) in zip(items, models).dropFirst() {
            guard let difference = models[0].difference(to: model) else { continue }
            throw TaskResult.Failure.permanent(
                "the classifiers of an ensemble must agree: \(items[0].input.name)\(fold(items[0])) has \(difference.first), "
                    + "\(item.input.name)\(fold(item)) \(difference.second); train them alike, with “classes” and “positive” stated"
            )
        }
        return models
    }

    /// Classifiers of folds have one name.
    private static func fold(_ item: TaskRequest.StagedInput) -> String {
        item.input.context.fold.map { " of fold \($0)" } ?? ""
    }
}
