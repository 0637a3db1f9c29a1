import Kernels
import Segmentation
import Workflow

/// What a person's table says of one class under one rule.
///
/// `tp` and `fn` are references found and missed, `right` and `fp` predictions that found one and that found none, and `f1` is
/// 2 tp / (2 tp + fp + fn). Volumes, voxels and `dice` are of all lesions, also of those too small to be counted. `absolute_count_difference` and `absolute_volume_difference` (mm³) are those of the VALDO challenge.
struct DetectionCount {
    static let columns = [
        "class", "rule", "references", "predictions", "tp", "fn", "right", "fp", "sensitivity", "precision", "f1",
        "dice_found", "dice", "reference_voxels", "prediction_voxels", "common_voxels", "reference_mm3",
        "prediction_mm3", "count_ratio", "volume_ratio", "absolute_count_difference", "absolute_volume_difference",
        "ignored_references", "ignored_predictions",
    ]

    let className: String
    let rule: String
    private let matches: LesionMatches
    private let diceOfFound: Double?
    private let overlap: OverlapMetrics
    private let voxelVolume: Double
    private let volumeDifference: Double

    /// - Parameters:
    ///   - contacts: of the lesions of this class.
    ///   - probableVoxels: as of `DetectionInput`.
    init(
        className: String, rule: String, _ contacts: LesionContacts, _ matches: LesionMatches,
        probableVoxels: [UInt16: Double]
    ) {
        (self.className, self.rule, self.matches) = (className, rule, matches)
        overlap = contacts.overlap
        voxelVolume = contacts.grid.voxelVolumeCubicMillimetres
        volumeDifference = Self.absoluteVolumeDifference(contacts, probableVoxels)
        let dices = matches.foundReferences.sorted().map { reference in
            contacts.overlap(
                of: reference, with: matches.assigned.filter { $0.reference == reference }.map(\.prediction)
            ).dice
        }
        diceOfFound = dices.isEmpty ? nil : dices.reduce(0, +) / Double(dices.count)
    }

    var row: [String] {
        let cell = TabSeparatedTable.cell
        return [
            className, rule, "\(matches.references)", "\(matches.predictions)", "\(matches.foundReferences.count)",
            "\(matches.missed)", "\(matches.rightPredictions.count)", "\(matches.falseAlarms)",
            cell(matches.sensitivity), cell(matches.precision), cell(matches.f1), cell(diceOfFound), cell(overlap.dice),
            "\(overlap.secondVoxels)", "\(overlap.firstVoxels)", "\(overlap.commonVoxels)",
            cell(Double(overlap.secondVoxels) * voxelVolume), cell(Double(overlap.firstVoxels) * voxelVolume),
            cell(Self.ratio(matches.predictions, matches.references)),
            cell(Self.ratio(overlap.firstVoxels, overlap.secondVoxels)),
            "\(abs(matches.predictions - matches.references))", cell(volumeDifference),
            "\(matches.ignoredReferences.count)", "\(matches.ignoredPredictions.count)",
        ]
    }

    /// Of a class that was not judged: no numbers.
    static func unjudgedRow(ofClass name: String, rule: String) -> [String] {
        [name, rule] + [String](repeating: "n/a", count: columns.count - 2)
    }

    /// Predicted over true; nil without a truth.
    static func ratio(_ predicted: Int, _ reference: Int) -> Double? {
        reference == 0 ? nil : Double(predicted) / Double(reference)
    }

    /// mm³; a voxel of a prediction counts by its probability.
    private static func absoluteVolumeDifference(
        _ contacts: LesionContacts, _ probableVoxels: [UInt16: Double]
    ) -> Double {
        // In order, so that the sum is the same bits every time.
        let predicted = contacts.predictions.sorted { $0.key < $1.key }.reduce(0.0) { sum, lesion in
            sum + (probableVoxels[lesion.key] ?? Double(lesion.value.voxels))
        }
        let difference = abs(predicted - Double(contacts.overlap.secondVoxels))
        return difference * contacts.grid.voxelVolumeCubicMillimetres
    }

    /// What depends on the rule: the class is the term, the rule the reference.
    var measurements: [MeasuredValue] {
        let numbers: [(String, Double?)] = [
            ("tp", Double(matches.foundReferences.count)), ("fn", Double(matches.missed)),
            ("right", Double(matches.rightPredictions.count)), ("fp", Double(matches.falseAlarms)),
            ("sensitivity", matches.sensitivity), ("precision", matches.precision), ("f1", matches.f1),
            ("dice_found", diceOfFound),
        ]
        return numbers.map { metric, value in
            MeasuredValue(reference: rule, term: className, metric: metric, value: value, unit: "1")
        }
    }

    /// What holds under every rule.
    ///
    /// - Parameter smallestVoxels: lesions of fewer are in the volumes and not in the numbers.
    static func measurements(
        ofClass name: String, _ contacts: LesionContacts, smallestVoxels: Int, probableVoxels: [UInt16: Double]
    ) -> [MeasuredValue] {
        let overlap = contacts.overlap
        let voxelVolume = contacts.grid.voxelVolumeCubicMillimetres
        let (references, predictions) = (
            contacts.references.values.count { $0.voxels >= smallestVoxels },
            contacts.predictions.values.count { $0.voxels >= smallestVoxels }
        )
        let numbers: [(String, Double?, String)] = [
            ("references", Double(references), "1"), ("predictions", Double(predictions), "1"),
            ("dice", overlap.dice, "1"), ("reference_volume", Double(overlap.secondVoxels) * voxelVolume, "mm3"),
            ("prediction_volume", Double(overlap.firstVoxels) * voxelVolume, "mm3"),
            ("count_ratio", ratio(predictions, references), "1"),
            ("volume_ratio", ratio(overlap.firstVoxels, overlap.secondVoxels), "1"),
            ("absolute_count_difference", Double(abs(predictions - references)), "1"),
            ("absolute_volume_difference", absoluteVolumeDifference(contacts, probableVoxels), "mm3"),
        ]
        return numbers.map { metric, value, unit in
            MeasuredValue(term: name, metric: metric, value: value, unit: unit)
        }
    }
}

/// What became of one lesion of either side under one rule.
struct MatchedLesion {
    static let columns = [
        "class", "rule", "side", "lesion", "result", "match", "common_voxels", "iou", "distance_mm", "voxels",
        "volume_mm3", "x_mm", "y_mm", "z_mm", "score",
    ]

    let row: [String]

    /// References first, then predictions, each by number.
    ///
    /// The score of a prediction is its own; that of a reference the highest among the predictions that found it, so that a
    /// free-response curve can be drawn from either side: a reference counts as found down to that threshold.
    static func all(
        className: String, rule: String, _ contacts: LesionContacts, _ matches: LesionMatches, scores: [UInt16: Double]
    ) -> [MatchedLesion] {
        func row(
            _ side: String, _ number: UInt16, _ lesion: LesionContacts.Lesion, _ result: String,
            _ pair: LesionMatches.Pair?,
            _ score: Double?
        ) -> MatchedLesion {
            let cell = TabSeparatedTable.cell
            let contact = pair.map { LesionContacts.Contact(reference: $0.reference, prediction: $0.prediction) }
            let common = contact.map { "\(contacts.common[$0] ?? 0)" }
            let iou = contact.map { contacts.intersectionOverUnion(of: $0) }
            let distance = contact.map { contacts.distanceMillimetres(of: $0) }
            let volume = Double(lesion.voxels) * contacts.grid.voxelVolumeCubicMillimetres
            let middle = contacts.middle(of: lesion)
            let match = pair.map { side == "reference" ? "\($0.prediction)" : "\($0.reference)" }
            let place = [cell(middle.x), cell(middle.y), cell(middle.z)]
            let own = [className, rule, side, "\(number)", result, match ?? "n/a", common ?? "n/a"]
            let sizes = [cell(iou), cell(distance), "\(lesion.voxels)", cell(volume)]
            return MatchedLesion(row: own + sizes + place + [cell(score)])
        }
        let byReference = Dictionary(grouping: matches.pairs, by: \.reference)
        let byPrediction = Dictionary(grouping: matches.pairs, by: \.prediction)
        let references = contacts.references.sorted { $0.key < $1.key }.map { number, lesion in
            let pairs = byReference[number] ?? []
            let missed = matches.ignoredReferences.contains(number) ? "ignored" : "fn"
            return row(
                "reference", number, lesion, pairs.isEmpty ? missed : "tp", contacts.best(of: pairs),
                pairs.compactMap { scores[$0.prediction] }.max())
        }
        let predictions = contacts.predictions.sorted { $0.key < $1.key }.map { number, lesion in
            let pairs = byPrediction[number] ?? []
            let other = matches.ignoredPredictions.contains(number) ? "ignored" : "fp"
            return row(
                "prediction", number, lesion, pairs.isEmpty ? other : "tp", contacts.best(of: pairs), scores[number])
        }
        return references + predictions
    }
}
