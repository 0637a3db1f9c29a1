import BIDS
import Foundation
import Kernels
import Statistics
import Workflow

/// Trains a classifier on tables of features, and judges it on people that it did not see.
enum ClassifierTrainTask: TaskImplementation {
    static let kind = "classifier.train"

    static func run(_ environment: TaskEnvironment) throws -> TaskResult {
        var warnings: [String] = []
        let cases = try TrainingCases(environment, &warnings)
        let number = cases.classes.count
        let seed = UInt64(environment.integer("seed"))
        let weights: ClassWeights = environment.text("class_weights") == "equal" ? .equal : .balanced
        let everybody = Array(cases.targets.indices)
        let preparation = cases.preparation(learnedFrom: everybody)
        let features = try cases.features(everybody, preparation)
        let content: FeatureClassifier.Content
        let judged: [[Double]]
        var isOutOfBag = false
        let importance: TabSeparatedTable
        switch environment.text("method") {
        case "logistic":
            guard number == 2 else {
                throw environment.refuse(
                    "logistic regression tells two classes apart, not \(number) (\(cases.classes.joined(separator: ", "))); take "
                        + "method random-forest")
            }
            var options = LogisticRegression.Options()
            (options.inversePenalty, options.weights) = (environment.number("inverse_penalty"), weights)
            let isPositive = cases.targets.map { $0 == 1 }
            let model = try LogisticRegression.fit(features, isPositive: isPositive, options: options)
            content = .logistic(model)
            judged = try crossValidated(cases, folds: environment.integer("folds"), seed: seed) {
                features, targets, _ in
                .logistic(
                    try LogisticRegression.fit(features, isPositive: targets.map { $0 == 1 }, options: options))
            }
            importance = TabSeparatedTable(
                columns: ["feature", "coefficient"],
                rows: zip(model.featureNames, model.coefficients).map { [$0, TabSeparatedTable.cell($1)] })
        default:
            var options = RandomForest.Options()
            options.trees = environment.integer("trees")
            let split = environment.integer("features_per_split")
            options.featuresPerSplit = split > 0 ? split : nil
            options.smallestLeaf = environment.integer("smallest_leaf")
            (options.weights, options.seed) = (weights, seed)
            let (forest, assessment) = try RandomForest.fit(
                features, classes: cases.targets, of: number, groups: cases.people, options: options,
                permutes: true, threads: environment.threads)
            content = .forest(forest)
            // What a tree did not see, the slopes of covariates have seen: only another preparation has not.
            isOutOfBag = cases.covariateNames.isEmpty
            judged =
                try isOutOfBag
                ? assessment.outOfBag
                : crossValidated(cases, folds: environment.integer("folds"), seed: seed) { features, targets, people in
                    .forest(
                        try RandomForest.fit(
                            features, classes: targets, of: number, groups: people, options: options,
                            threads: environment.threads
                        ).forest)
                }
            importance = TabSeparatedTable(
                columns: ["feature", "impurity", "permutation"],
                rows: forest.featureNames.enumerated().map { place, name in
                    [
                        name, TabSeparatedTable.cell(assessment.impurityImportance[place]),
                        TabSeparatedTable.cell(assessment.permutationImportance?[place]),
                    ]
                })
        }

        let measured = try measurements(cases, judged)
        let model = FeatureClassifier(
            classes: cases.classes, preparation: preparation, unit: cases.unit, columns: environment.texts("columns"),
            reference: environment.text("reference"), content: content)
        let judges = isOutOfBag ? "people out of bag" : "people left out of an inner cross-validation"
        let card = card(environment, cases, measured, on: judges)
        let (path, entry) = environment.output("model", metadata: .object(["type": "model", "card": card]))
        try model.write(to: path, card: card)
        let predictions = TabSeparatedTable(
            columns: ["participant_id", "session_id", cases.unit == .slice ? "slice" : "lesion", "target", "class"]
                + cases.classes.map { "p_\($0)" },
            rows: judged.enumerated().map { n, probabilities in
                let best = probabilities.isEmpty ? nil : MostProbable.index(of: probabilities)
                return cases.labels[n] + [cases.classes[cases.targets[n]], best.map { cases.classes[$0] } ?? "n/a"]
                    + cases.classes.indices.map { TabSeparatedTable.cell(best == nil ? nil : probabilities[$0]) }
            })
        return TaskResult(
            outputs: [
                entry, try environment.writeTable(predictions, to: "predictions"),
                try environment.writeTable(importance, to: "importance"),
            ], measurements: measured, warnings: warnings)
    }

    /// What is known of the classifier, in the words of the card of a network.
    private static func card(
        _ environment: TaskEnvironment, _ cases: TrainingCases, _ measured: [MeasuredValue], on judges: String
    ) -> JSONValue {
        let isLogistic = environment.text("method") == "logistic"
        let number = cases.featureNames.count
        let architecture =
            (isLogistic ? "logistic regression" : "random forest, \(environment.integer("trees")) trees")
            + ", \(number) \(number == 1 ? "feature" : "features") of \(cases.unit.plural)"
        let metrics = measured.filter { !["cases", "features"].contains($0.metric) }.map { value -> JSONValue in
            [
                "name": .string(value.metric), "measuredOn": .string(judges),
                "value": value.value.map { .number($0) } ?? .null,
            ]
        }
        let items = ["features", "features2", "targets"].flatMap { environment.inputs($0) }
        let data = items.map { item -> JSONValue in
            var entry: [String: JSONValue] = [
                "file": .string(item.input.name), "digest": .string(item.input.digest.description),
            ]
            entry["subject"] = item.input.context.subject.map { .string($0) }
            entry["session"] = item.input.context.session.map { .string($0) }
            return .object(entry)
        }
        func texts(_ names: [String]) -> JSONValue { .array(names.map { .string($0) }) }
        return [
            "name": .string("\(environment.text("method"))-\(cases.unit.plural)"), "task": "classification",
            "architecture": .string(architecture), "inputs": texts(cases.featureNames), "classes": texts(cases.classes),
            "residualised": texts(cases.covariateNames), "source": "trained",
            "split": ["training": texts(cases.subjects)], "data": .array(data), "metrics": .array(metrics),
            "training": environment.request.parameters, "softwareVersion": .string(Version.text),
        ]
    }

    /// Probabilities by classifiers that have not seen the person, nor has what prepares the features: people are dealt into
    /// folds, those with most cases of the last class first, so that every fold has some.
    ///
    /// - Parameter fit: makes a classifier from features, classes and people of cases.
    private static func crossValidated(
        _ cases: TrainingCases, folds: Int, seed: UInt64,
        fit: (FeatureMatrix, [Int], [Int]) throws -> FeatureClassifier.Content
    ) throws -> [[Double]] {
        let number = (cases.people.max() ?? 0) + 1
        let last = cases.classes.count - 1
        var positives = [Int](repeating: 0, count: number)
        for (person, target) in zip(cases.people, cases.targets) where target == last { positives[person] += 1 }
        var random = Philox(seed: seed).stream(0x464F_4C44)
        let order = random.permutation(number).sorted { positives[$0] > positives[$1] }
        var fold = [Int](repeating: 0, count: number)
        for (place, person) in order.enumerated() { fold[person] = place % folds }
        var judged = [[Double]](repeating: [], count: cases.targets.count)
        for left in 0..<folds {
            let learned = cases.targets.indices.filter { fold[cases.people[$0]] != left }
            let other = cases.targets.indices.filter { fold[cases.people[$0]] == left }
            // Without every class among the others nothing can be said about these.
            guard !other.isEmpty, Set(learned.map { cases.targets[$0] }).count == cases.classes.count else { continue }
            let preparation = cases.preparation(learnedFrom: learned)
            let content = try fit(
                try cases.features(learned, preparation), learned.map { cases.targets[$0] },
                learned.map { cases.people[$0] })
            let features = try cases.features(other, preparation)
            for (place, n) in other.enumerated() { judged[n] = content.probabilities(features.row(place)) }
        }
        return judged
    }

    private static func measurements(_ cases: TrainingCases, _ judged: [[Double]]) throws -> [MeasuredValue] {
        var values = cases.classes.enumerated().map { index, name in
            MeasuredValue(
                term: name, metric: "cases", value: Double(cases.targets.count { $0 == index }), unit: "1")
        }
        values.append(MeasuredValue(metric: "features", value: Double(cases.featureNames.count), unit: "1"))
        let known = judged.indices.filter { !judged[$0].isEmpty }
        let truth = known.map { cases.targets[$0] }
        guard Set(truth).count > 1 else { return values }
        let decisions = known.map { MostProbable.index(of: judged[$0]) }
        let matrix = try ConfusionMatrix(classes: cases.classes, truth: truth, decisions: decisions)
        values.append(MeasuredValue(metric: "accuracy", value: matrix.accuracy, unit: "1"))
        values.append(MeasuredValue(metric: "balanced_accuracy", value: matrix.balancedAccuracy, unit: "1"))
        if cases.classes.count == 2 {
            let (scores, isPositive) = (known.map { judged[$0][1] }, truth.map { $0 == 1 })
            let area = try ROCCurve(scores: scores, isPositive: isPositive).area
            let precision = try PrecisionRecallCurve(scores: scores, isPositive: isPositive).averagePrecision
            values.append(MeasuredValue(metric: "roc_auc", value: area, unit: "1"))
            values.append(MeasuredValue(metric: "average_precision", value: precision, unit: "1"))
        }
        return values
    }
}
