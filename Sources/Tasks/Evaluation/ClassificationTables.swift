import BIDS
import Kernels
import Statistics
import Workflow

/// The tables of an evaluation of classes, level by level: `slice`, `item`, `person`, `person_by_slices`.
struct ClassificationTables {
    static let all = "all"

    /// What results call everything but the class asked for, which may have that name itself.
    static func rest(of className: String) -> String { className == "rest" ? "not rest" : "rest" }

    /// Levels at which a case is a person.
    private static let ofPeople: Set<String> = ["person", "person_by_slices"]

    private let environment: TaskEnvironment
    private let settings: BinaryMetrics.Settings
    private let folds: PeopleFolds
    private var metrics = TabSeparatedTable(columns: [
        "level", "class", "fold", "metric", "value", "ci_low", "ci_high", "fold_mean", "fold_sd", "folds", "cases",
        "positives", "people", "published", "published_source",
    ])
    private var roc = TabSeparatedTable(columns: [
        "level", "class", "threshold", "false_positive_rate", "true_positive_rate",
    ])
    private var precisionRecall = TabSeparatedTable(columns: ["level", "class", "threshold", "recall", "precision"])
    private var calibration = TabSeparatedTable(columns: [
        "level", "class", "lower", "upper", "cases", "stated", "observed",
    ])
    private var confusion = TabSeparatedTable(columns: ["level", "class", "truth", "decision", "cases"])
    private var people = TabSeparatedTable(columns: [
        "participant_id", "fold", "level", "class", "truth", "score", "decision", "true_count", "predicted_count",
    ])
    private var measured: [MeasuredValue] = []
    private let published: [PublishedFigure]
    /// Which of these stand beside a number of ours.
    private var shown: Set<Int> = []

    init(_ environment: TaskEnvironment, _ folds: PeopleFolds) throws {
        (self.environment, self.folds) = (environment, folds)
        published = try PublishedFigure.namedOnce(environment, label: "class", rule: "level")
        settings = BinaryMetrics.Settings(
            threshold: environment.number("threshold"), partialFalsePositiveRate: environment.number("partial_fpr"),
            calibrationBins: environment.integer("calibration_bins"))
    }

    /// Numbers of which intervals and folds are wanted, of cases that belong to people.
    private struct Cases: Sendable {
        var scores: [Double]
        var isPositive: [Bool]
        /// Places of each person's cases.
        var ofPerson: [[Int]]

        func chosen(_ people: [Int]) -> (scores: [Double], isPositive: [Bool]) {
            let places = people.flatMap { ofPerson[$0] }
            return (places.map { scores[$0] }, places.map { isPositive[$0] })
        }
    }

    // MARK: A class against the rest

    /// - Parameter areDecisions: whether the scores were made of decisions, which have no curves, areas and calibration.
    mutating func add(level: String, className: String, _ items: [ScoredItems.Item], areDecisions: Bool) {
        let items = items.filter { $0.scores[className] != nil }
        guard !items.isEmpty else { return }
        let scores = items.map { $0.scores[className]! }
        let isPositive = items.map { $0.truth == className }
        let order = Set(items.map { $0.owner.subject ?? "" }).sorted()
        let places = Dictionary(uniqueKeysWithValues: order.enumerated().map { ($1, $0) })
        var ofPerson = [[Int]](repeating: [], count: order.count)
        for (n, item) in items.enumerated() { ofPerson[places[item.owner.subject ?? ""]!].append(n) }
        let cases = Cases(scores: scores, isPositive: isPositive, ofPerson: ofPerson)
        var settings = settings
        if areDecisions { settings.threshold = ScoredItems.decided }
        addMetrics(
            level: level, className: className,
            names: areDecisions ? BinaryMetrics.decisionNames : BinaryMetrics.names, people: order, cases: scores.count,
            positives: isPositive.count { $0 }
        ) { [settings] chosen in
            let part = cases.chosen(chosen)
            return areDecisions
                ? BinaryMetrics.measureDecisions(
                    scores: part.scores, isPositive: part.isPositive, threshold: settings.threshold)
                : BinaryMetrics.measure(scores: part.scores, isPositive: part.isPositive, settings)
        }
        if !areDecisions { addCurves(level: level, className: className, scores, isPositive) }
        let matrix = BinaryMetrics.confusion(scores: scores, isPositive: isPositive, threshold: settings.threshold)
        let rest = Self.rest(of: className)
        for (t, truth) in [rest, className].enumerated() {
            for (d, decision) in [rest, className].enumerated() {
                confusion.rows.append([level, className, truth, decision, "\(matrix.counts[t][d])"])
            }
        }
        guard Self.ofPeople.contains(level) else { return }
        for (item, score) in zip(items, scores) {
            people.rows.append(
                personCells(item.owner, level, className) + [
                    item.truth, TabSeparatedTable.cell(score), score >= settings.threshold ? className : rest,
                    "n/a",
                    "n/a",
                ])
        }
    }

    private func personCells(_ owner: TaskContext, _ level: String, _ className: String) -> [String] {
        ["sub-\(owner.subject ?? "")", folds.fold(of: owner).map { "\($0)" } ?? "n/a", level, className]
    }

    private mutating func addCurves(level: String, className: String, _ scores: [Double], _ isPositive: [Bool]) {
        let cell = TabSeparatedTable.cell
        // Curves of one class only do not exist; the metrics say so with n/a.
        if let curve = try? ROCCurve(scores: scores, isPositive: isPositive) {
            let points = Self.corners(curve.points) { ($0.falsePositiveRate, $0.truePositiveRate) }
            roc.rows += points.map {
                [level, className, cell($0.threshold), cell($0.falsePositiveRate), cell($0.truePositiveRate)]
            }
        }
        if let curve = try? PrecisionRecallCurve(scores: scores, isPositive: isPositive) {
            // Of points of one recall the first and the last: between them nothing is added to any area.
            let points = Self.ends(curve.points, \.recall)
            precisionRecall.rows += points.map {
                [level, className, cell($0.threshold), cell($0.recall), cell($0.precision)]
            }
        }
        if let bins = try? Calibration(
            probabilities: scores, isPositive: isPositive, bins: settings.calibrationBins
        ).bins {
            calibration.rows += bins.map {
                [level, className, cell($0.lower), cell($0.upper), "\($0.cases)", cell($0.stated), cell($0.observed)]
            }
        }
    }

    /// Without the points that lie on a line between their neighbours along one axis.
    private static func corners<P>(_ points: [P], _ place: (P) -> (Double, Double)) -> [P] {
        points.indices.filter { n in
            guard n > 0, n + 1 < points.count else { return true }
            let (a, b, c) = (place(points[n - 1]), place(points[n]), place(points[n + 1]))
            return !(a.0 == b.0 && b.0 == c.0) && !(a.1 == b.1 && b.1 == c.1)
        }.map { points[$0] }
    }

    private static func ends<P>(_ points: [P], _ value: (P) -> Double) -> [P] {
        points.indices.filter { n in
            guard n > 0, n + 1 < points.count else { return true }
            return value(points[n - 1]) != value(points[n]) || value(points[n]) != value(points[n + 1])
        }.map { points[$0] }
    }

    // MARK: Decisions among all classes

    /// Of the predictions' own decisions, where their tables have them.
    mutating func addDecisions(level: String, _ items: [ScoredItems.Item], classes: [String]) {
        let items = items.filter { $0.decision != nil }
        guard !items.isEmpty else { return }
        let places = Dictionary(uniqueKeysWithValues: classes.enumerated().map { ($1, $0) })
        let order = Set(items.map { $0.owner.subject ?? "" }).sorted()
        let personOf = Dictionary(uniqueKeysWithValues: order.enumerated().map { ($1, $0) })
        var ofPerson = [[(Int, Int)]](repeating: [], count: order.count)
        for item in items {
            ofPerson[personOf[item.owner.subject ?? ""]!].append((places[item.truth]!, places[item.decision!]!))
        }
        let decisions = ofPerson
        @Sendable func matrix(_ people: [Int]) -> ConfusionMatrix {
            var matrix = ConfusionMatrix(classes: classes)
            for person in people { for (t, d) in decisions[person] { matrix.add(truth: t, decision: d) } }
            return matrix
        }
        addMetrics(
            level: level, className: Self.all, names: ["accuracy", "balanced_accuracy", "kappa"], people: order,
            cases: items.count, positives: nil
        ) { chosen in
            let matrix = matrix(chosen)
            return [matrix.accuracy, matrix.balancedAccuracy, matrix.cohensKappa]
        }
        let whole = matrix(Array(order.indices))
        for (t, truth) in classes.enumerated() {
            for (d, decision) in classes.enumerated() {
                confusion.rows.append([level, Self.all, truth, decision, "\(whole.counts[t][d])"])
                measured.append(
                    MeasuredValue(
                        region: truth, reference: level, term: decision, metric: "decided",
                        value: Double(whole.counts[t][d]), unit: "1"))
            }
        }
    }

    // MARK: Numbers per person

    /// How many of a class each person has, and how many the prediction says, right or wrong; people with none count. Of
    /// several images of a person it is the mean: who was scanned twice does not have twice the lesions.
    mutating func addCounts(className: String, _ items: ScoredItems) {
        var predicted: [TaskContext: Int] = [:]
        let threshold = items.areDecisions ? ScoredItems.decided : settings.threshold
        for item in items.predictions where (item.scores[className] ?? -.infinity) >= threshold {
            predicted[item.owner, default: 0] += 1
        }
        let people = items.imagesOfPeople
        let order = people.map(\.person)
        let pairs = people.map { _, images in
            let number = Double(images.count)
            return (
                Double(images.reduce(0) { $0 + (items.trueCounts[$1]?[className] ?? 0) }) / number,
                Double(images.reduce(0) { $0 + (predicted[$1] ?? 0) }) / number
            )
        }
        addMetrics(
            level: "person", className: className, names: CountAgreement.names.map { "count_" + $0 }, people: order,
            cases: order.count, positives: pairs.count { $0.0 > 0 }
        ) { chosen in
            CountAgreement(reference: chosen.map { pairs[$0].0 }, predicted: chosen.map { pairs[$0].1 }).values
        }
        // Fisher's interval, which papers give, beside that of the bootstrap.
        let agreement = CountAgreement(
            reference: pairs.map(\.0), predicted: pairs.map(\.1), confidence: environment.number("confidence"))
        appendRow(
            level: "person", className: className, fold: "all", metric: "count_r_fisher", value: agreement.r,
            interval: agreement.fisher, spread: nil, cases: order.count, positives: nil, people: order.count)
        for (person, pair) in zip(order, pairs) {
            self.people.rows.append(
                personCells(TaskContext(subject: person), "count", className)
                    + ["n/a", "n/a", "n/a", TabSeparatedTable.cell(pair.0), TabSeparatedTable.cell(pair.1)])
        }
    }

    // MARK: Rows

    private mutating func addMetrics(
        level: String, className: String, names: [String], people order: [String], cases: Int, positives: Int?,
        _ measure: @Sendable ([Int]) -> [Double?]
    ) {
        let values = measure(Array(order.indices))
        let repeats = environment.integer("bootstrap")
        let intervals: [Bootstrap?] =
            repeats < 2 || order.count < 2
            ? values.map { _ in nil }
            : Bootstrap.several(
                people: order.count, repeats: repeats, confidence: environment.number("confidence"),
                seed: UInt64(environment.integer("seed")), threads: environment.threads, statistics: measure)
        let members = Dictionary(grouping: order.indices) { folds.fold(of: TaskContext(subject: order[$0])) }
        let byFold = members.keys.compactMap { $0 }.sorted().map { ($0, measure(members[$0]!)) }
        for (place, name) in names.enumerated() {
            let inFolds = byFold.compactMap { $0.1[place] }
            appendRow(
                level: level, className: className, fold: "all", metric: name, value: values[place],
                interval: intervals[place]?.interval, spread: inFolds.isEmpty ? nil : Spread(inFolds), cases: cases,
                positives: positives, people: order.count)
        }
        for (fold, values) in byFold {
            for (name, value) in zip(names, values) {
                appendRow(
                    level: level, className: className, fold: "\(fold)", metric: name, value: value, interval: nil,
                    spread: nil, cases: nil, positives: nil, people: members[fold]!.count)
            }
        }
    }

    private mutating func appendRow(
        level: String, className: String, fold: String, metric: String, value: Double?,
        interval: ClosedRange<Double>?, spread: Spread?, cases: Int?, positives: Int?, people: Int
    ) {
        let cell = TabSeparatedTable.cell
        func count(_ number: Int?) -> String { number.map { "\($0)" } ?? "n/a" }
        // Of everybody: who published a number had not our folds.
        let place =
            fold == "all"
            ? published.firstIndex { $0.fits(label: className, rule: level, metric: metric) } : nil
        if let place { shown.insert(place) }
        let figure = place.map { published[$0] }
        metrics.rows.append([
            level, className, fold, metric, cell(value), cell(interval?.lowerBound), cell(interval?.upperBound),
            cell(spread?.mean), cell(spread?.standardDeviation), count(spread?.count), count(cases), count(positives),
            "\(people)", cell(figure?.value), figure?.source ?? "n/a",
        ])
        guard fold == "all" else { return }
        func add(_ term: String?, _ value: Double?) {
            measured.append(
                MeasuredValue(
                    region: className, reference: level, term: term, metric: metric, value: value, unit: "1"))
        }
        add(nil, value)
        if let interval {
            add("ci_low", interval.lowerBound)
            add("ci_high", interval.upperBound)
        }
        if let spread {
            add("fold_mean", spread.mean)
            add("fold_sd", spread.standardDeviation)
            add("folds", Double(spread.count))
        }
        if let cases { add("cases", Double(cases)) }
        if let positives { add("positives", Double(positives)) }
        add("people", Double(people))
        if let figure {
            add("published", figure.value)
            add(PublishedFigures.term(figure.source), figure.value)
        }
    }

    /// - Parameters:
    ///   - areDecisions: of the items; no threshold was used.
    ///   - withoutPredictions: who has true classes and nothing to be judged.
    func result(
        warnings: [String], rule: String, areDecisions: Bool, withoutPredictions: [TaskContext]
    ) throws -> TaskResult {
        let missing =
            (environment.request.missing.map { ($0.context, $0.reason) }
            + withoutPredictions.map { ($0, "there is no table of predictions") }).map { context, reason in
                JSONValue.object(["context": .string(context.description), "reason": .string(reason)])
            }
        let report: JSONValue = [
            "person_score": .string(rule), "decisions_alone": .bool(areDecisions),
            "threshold": areDecisions ? .null : .number(settings.threshold),
            "partial_fpr": .number(settings.partialFalsePositiveRate),
            "confidence": .number(environment.number("confidence")), "missing": .array(missing),
            "intervals": "percentiles of a bootstrap that draws people with everything that is theirs",
        ]
        return TaskResult(
            outputs: [
                try environment.writeTable(metrics, to: "metrics"), try environment.writeTable(roc, to: "roc"),
                try environment.writeTable(precisionRecall, to: "pr"),
                try environment.writeTable(calibration, to: "calibration"),
                try environment.writeTable(confusion, to: "confusion"),
                try environment.writeTable(people, to: "people"), try environment.writeJSON(report, to: "report"),
            ], measurements: measured,
            warnings: warnings
                + published.indices.filter { !shown.contains($0) }.map { published[$0].withoutCounterpart })
    }
}
