import Workflow

/// Judges the lesions of a table, or the person it describes.
enum ClassifierApplyTask: TaskImplementation {
    static let kind = "classifier.apply"

    static func run(_ environment: TaskEnvironment) throws -> TaskResult {
        let model = try FeatureClassifier(try environment.input("model"))
        let item = try environment.input("features")
        let features = try FeatureSamples(item, columns: model.columns, reference: model.reference)
        guard features.isOfLesions == model.isOfLesions else {
            throw TaskResult.Failure.permanent(
                "\(item.input.name) has \(features.isOfLesions ? "a row per lesion" : "no column lesion"), the classifier judges "
                    + "\(model.isOfLesions ? "lesions" : "people"); bind tables as it was trained with")
        }
        var rows: [[String]] = []
        var measured: [MeasuredValue] = []
        for sample in features.samples {
            let row = try FeatureClassifier.row(
                sample, names: model.featureNames, medians: model.medians, table: item.input.name)
            let probabilities = model.probabilities(row)
            let best = probabilities.indices.max { probabilities[$0] < probabilities[$1] }!
            let region = sample.lesion.map { "lesion-\($0)" }
            rows.append([sample.lesion.map { "\($0)" } ?? "n/a", model.classes[best]] + probabilities.map { "\($0)" })
            for (name, probability) in zip(model.classes, probabilities) {
                measured.append(
                    MeasuredValue(region: region, term: name, metric: "probability", value: probability, unit: "1"))
            }
            measured.append(MeasuredValue(region: region, metric: "decision", value: Double(best), unit: "1"))
        }
        let table = TabSeparatedTable(columns: ["lesion", "class"] + model.classes.map { "p_\($0)" }, rows: rows)
        return TaskResult(outputs: [try environment.writeTable(table, to: "table")], measurements: measured)
    }
}
