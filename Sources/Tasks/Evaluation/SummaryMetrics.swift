import Statistics
import Workflow

/// The metrics of one structure, or of one class under one rule, over people.
///
/// Several sessions of a person are averaged before people are, and before two numbers of theirs are compared; pooled
/// numbers are sums over all images.
struct SummaryMetrics {
    let rows: [SummaryRow]

    init(_ group: EvaluatedPeople.Group, _ all: EvaluatedPeople) {
        rows = all.isDetection ? Self.detection(group) : Self.segmentation(group)
    }

    // MARK: What is computed of some of the entries

    private typealias Entries = [EvaluatedPeople.Entry]

    private static func value(_ entry: EvaluatedPeople.Entry, _ column: String) -> Double? {
        entry.values[column] ?? nil
    }

    private static func sum(_ entries: Entries, _ column: String) -> Double {
        entries.reduce(0) { $0 + (value($1, column) ?? 0) }
    }

    private static func ratio(_ numerator: Double, _ denominator: Double) -> Double? {
        denominator == 0 ? nil : numerator / denominator
    }

    /// A person's mean over sessions, of those who have one.
    private static func byPerson(_ entries: Entries, _ column: String) -> [Double] {
        Dictionary(grouping: entries) { $0.owner.subject ?? "" }.sorted { $0.key < $1.key }.compactMap { _, own in
            let values = own.compactMap { value($0, column) }
            return values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
        }
    }

    /// A row of a metric that people have.
    private static func row(
        _ group: EvaluatedPeople.Group, _ metric: String, _ column: String, _ unit: String,
        pooled: (Entries) -> Double? = { _ in nil }
    ) -> SummaryRow {
        let values = byPerson(group.entries, column)
        let people = Set(group.entries.map(\.owner.subject)).count
        return SummaryRow(
            label: group.label, rule: group.rule, metric: metric, unit: unit, spread: Spread(values),
            empty: people - values.count, pooled: pooled(group.entries), interval: nil,
            folds: inFolds(group) { Spread(byPerson($0, column))?.mean })
    }

    /// A row of a metric that only exists over people.
    private static func row(
        _ group: EvaluatedPeople.Group, _ metric: String, _ unit: String, interval: ClosedRange<Double>? = nil,
        over: (Entries) -> Double?
    ) -> SummaryRow {
        SummaryRow(
            label: group.label, rule: group.rule, metric: metric, unit: unit, spread: nil, empty: nil,
            pooled: over(group.entries), interval: interval, folds: inFolds(group, over))
    }

    private static func inFolds(_ group: EvaluatedPeople.Group, _ value: (Entries) -> Double?) -> Spread? {
        let folds = Dictionary(grouping: group.entries, by: \.fold)
        return Spread(folds.keys.compactMap { $0 }.sorted().compactMap { value(folds[$0]!) })
    }

    /// Of people: images of one person are no independent observations.
    private static func agreement(_ entries: Entries, _ reference: String, _ prediction: String) -> CountAgreement {
        let known = entries.filter { value($0, reference) != nil && value($0, prediction) != nil }
        return CountAgreement(reference: byPerson(known, reference), predicted: byPerson(known, prediction))
    }

    /// Images in which a side has no voxel.
    private static func emptyRows(_ group: EvaluatedPeople.Group) -> [SummaryRow] {
        func count(_ entries: Entries, _ isCounted: (String) -> Bool) -> Double {
            Double(entries.count { $0.empty.map(isCounted) ?? false })
        }
        return [
            row(group, "both_empty", "1") { count($0) { $0 == "both" } },
            row(group, "one_empty", "1") { count($0) { $0 != "both" } },
        ]
    }

    /// Mean squared error, Pearson's r and the limits of agreement of two columns.
    private static func agreementRows(
        _ group: EvaluatedPeople.Group, _ prefix: String, _ reference: String, _ prediction: String, unit: String
    ) -> [SummaryRow] {
        let whole = agreement(group.entries, reference, prediction)
        let units = [unit == "1" ? "1" : unit + "^2", "1", unit, unit, unit]
        return CountAgreement.names.enumerated().map { place, name in
            row(group, "\(prefix)_\(name)", units[place], interval: name == "r" ? whole.fisher : nil) {
                agreement($0, reference, prediction).values[place]
            }
        }
    }

    // MARK: Kinds of tables

    private static func segmentation(_ group: EvaluatedPeople.Group) -> [SummaryRow] {
        func common(_ entries: Entries) -> Double { sum(entries, "common_voxels") }
        func both(_ entries: Entries) -> Double { sum(entries, "reference_voxels") + sum(entries, "prediction_voxels") }
        var rows: [SummaryRow] = []
        rows.append(row(group, "dice", "dice", "1") { ratio(2 * common($0), both($0)) })
        rows.append(row(group, "jaccard", "jaccard", "1") { ratio(common($0), both($0) - common($0)) })
        for (metric, column) in [
            ("hausdorff", "hausdorff_mm"), ("hd95", "hd95_mm"), ("hd95_larger", "hd95_larger_mm"), ("assd", "assd_mm"),
        ] {
            rows.append(row(group, metric, column, "mm"))
        }
        rows.append(row(group, "volume_ratio", "volume_ratio", "1", pooled: volumeRatio))
        return rows + emptyRows(group)
            + agreementRows(group, "volume", "reference_mm3", "prediction_mm3", unit: "mm3")
    }

    private static func volumeRatio(_ entries: Entries) -> Double? {
        ratio(sum(entries, "prediction_mm3"), sum(entries, "reference_mm3"))
    }

    private static func detection(_ group: EvaluatedPeople.Group) -> [SummaryRow] {
        func sensitivity(_ entries: Entries) -> Double? { ratio(sum(entries, "tp"), sum(entries, "references")) }
        func precision(_ entries: Entries) -> Double? { ratio(sum(entries, "right"), sum(entries, "predictions")) }
        func f1(_ entries: Entries) -> Double? {
            guard sum(entries, "references") > 0 else { return nil }
            let found = 2 * sum(entries, "tp")
            return ratio(found, found + sum(entries, "fp") + sum(entries, "fn"))
        }
        func dice(_ entries: Entries) -> Double? {
            ratio(
                2 * sum(entries, "common_voxels"), sum(entries, "reference_voxels") + sum(entries, "prediction_voxels"))
        }
        var rows: [SummaryRow] = []
        rows.append(row(group, "sensitivity", "sensitivity", "1", pooled: sensitivity))
        rows.append(row(group, "precision", "precision", "1", pooled: precision))
        rows.append(row(group, "f1", "f1", "1", pooled: f1))
        rows.append(row(group, "dice_found", "dice_found", "1"))
        rows.append(row(group, "dice", "dice", "1", pooled: dice))
        rows.append(row(group, "fp_per_image", "fp", "1") { ratio(sum($0, "fp"), Double($0.count)) })
        rows.append(row(group, "fp_per_lesion", "1") { ratio(sum($0, "fp"), sum($0, "references")) })
        rows.append(
            row(group, "count_ratio", "count_ratio", "1") { ratio(sum($0, "predictions"), sum($0, "references")) })
        rows.append(row(group, "volume_ratio", "volume_ratio", "1", pooled: volumeRatio))
        rows.append(row(group, "absolute_count_difference", "absolute_count_difference", "1"))
        rows.append(row(group, "absolute_volume_difference", "absolute_volume_difference", "mm3"))
        return rows + emptyRows(group) + agreementRows(group, "count", "references", "predictions", unit: "1")
            + agreementRows(group, "volume", "reference_mm3", "prediction_mm3", unit: "mm3")
    }
}

/// Free-response curves from everybody's tables of lesions.
struct EvaluatedLesions {
    struct Curve {
        var rows: [SummaryRow]
        var points: [[String]]
    }

    let curves: [Curve]
    let warnings: [String]

    /// False alarms per image at which the sensitivity is given, as lung nodule challenges do.
    private static let operatingPoints = [0.125, 0.25, 0.5, 1, 2, 4, 8]

    private struct Key: Hashable { var label: String, rule: String }

    init(_ environment: TaskEnvironment, _ people: EvaluatedPeople) throws {
        var order: [Key] = []
        var scores: [Key: (lesions: [Double?], alarms: [Double], known: Int, predictions: Int)] = [:]
        for item in environment.inputs("lesions") {
            let table = try item.readTable()
            let name = item.input.name
            let columns = try ["class", "rule", "side", "result", "score"].map { try table.column($0, of: name) }
            for row in table.rows {
                let key = Key(label: row[columns[0]], rule: row[columns[1]])
                if scores[key] == nil {
                    order.append(key)
                    scores[key] = ([], [], 0, 0)
                }
                // Too small to be asked for.
                if row[columns[3]] == "ignored" { continue }
                let score = TabSeparatedTable.number(row[columns[4]])
                switch (row[columns[2]], row[columns[3]]) {
                case ("reference", _): scores[key]!.lesions.append(score)
                case (_, "fp"): if let score { scores[key]!.alarms.append(score) }
                default: break
                }
                if row[columns[2]] == "prediction" {
                    scores[key]!.predictions += 1
                    if score != nil { scores[key]!.known += 1 }
                }
            }
        }
        var warnings: [String] = []
        for key in order {
            let (known, all) = (scores[key]!.known, scores[key]!.predictions)
            guard known > 0, known < all else { continue }
            let warning =
                "\(all - known) of \(all) predictions of \(key.label) have no score, so it has no free-response curve; "
                + "give all of them a score, or none."
            // It is the same under every rule.
            if !warnings.contains(warning) { warnings.append(warning) }
        }
        self.warnings = warnings
        curves = order.compactMap { key in
            let own = scores[key]!
            // Without scores there is no threshold to move, and without a lesion nothing to be found; a finding without a
            // score would be kept, or left out, at every threshold.
            guard own.known > 0, own.known == own.predictions,
                let curve = try? FreeResponseCurve(
                    lesionScores: own.lesions, falseAlarmScores: own.alarms,
                    images: people.images(of: key.label, rule: key.rule))
            else { return nil }
            let cell = TabSeparatedTable.cell
            var rows = Self.operatingPoints.map { limit in
                SummaryRow(
                    label: key.label, rule: key.rule, metric: "froc_sensitivity_at_\(cell(limit))", unit: "1",
                    pooled: curve.sensitivity(atFalseAlarmsPerImage: limit))
            }
            rows.append(
                SummaryRow(
                    label: key.label, rule: key.rule, metric: "froc_mean_sensitivity", unit: "1",
                    pooled: rows.reduce(0) { $0 + $1.pooled! } / Double(rows.count)))
            rows.append(
                SummaryRow(
                    label: key.label, rule: key.rule, metric: "froc_false_alarms", unit: "1",
                    pooled: curve.points.last?.falseAlarmsPerImage ?? 0))
            return Curve(
                rows: rows,
                points: curve.points.map {
                    [key.label, key.rule, cell($0.threshold), cell($0.falseAlarmsPerImage), cell($0.sensitivity)]
                })
        }
    }
}
