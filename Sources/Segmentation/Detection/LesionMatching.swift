import Kernels

/// When a predicted lesion counts as a reference lesion that was found.
package enum LesionMatchingRule: Sendable, Hashable {
    /// They share this many voxels or more. Not one to one: a reference is found when any prediction touches it, and a
    /// prediction is right when it touches any reference (the rule of this project's tables for DEEPMIR).
    case overlap(voxels: Int)
    /// Intersection over union is this or more; one to one, the largest first.
    case intersectionOverUnion(Double)
    /// The middles are at most this far apart; one to one, the nearest first.
    case centreDistance(millimetres: Double)
    /// Every prediction goes to its nearest reference if that is nearer than this. Of several at one reference the nearest
    /// counts (all of them where equally near), the others are false (the VALDO challenge, microbleeds).
    case nearestReference(millimetres: Double)

    /// Short, for tables.
    package var name: String {
        switch self {
        case .overlap(let voxels): "overlap_\(voxels)"
        case .intersectionOverUnion(let share): "iou_\(share)"
        case .centreDistance(let distance): "centre_\(distance)mm"
        case .nearestReference(let distance): "valdo_\(distance)mm"
        }
    }
}

/// Which lesions of a person were found, and which findings are lesions.
package struct LesionMatches: Sendable, Equatable {
    package struct Pair: Sendable, Equatable {
        package let reference: UInt16
        package let prediction: UInt16

        package init(reference: UInt16, prediction: UInt16) {
            (self.reference, self.prediction) = (reference, prediction)
        }
    }

    package let references: Int
    package let predictions: Int
    /// By number of the reference, then of the prediction.
    package let pairs: [Pair]
    /// The pairs, and predictions that lie at a found reference without counting for it (`nearestReference`).
    package let assigned: [Pair]
    package let foundReferences: Set<UInt16>
    package let rightPredictions: Set<UInt16>
    /// What is too small to be asked for, on neither side among the numbers above.
    package let ignoredReferences: Set<UInt16>
    package let ignoredPredictions: Set<UInt16>

    package var missed: Int { references - foundReferences.count }
    package var falseAlarms: Int { predictions - rightPredictions.count }
    /// Found references / references; nil without a reference.
    package var sensitivity: Double? {
        references == 0 ? nil : Double(foundReferences.count) / Double(references)
    }
    /// Right predictions / predictions; nil without a prediction.
    package var precision: Double? {
        predictions == 0 ? nil : Double(rightPredictions.count) / Double(predictions)
    }
    /// 2TP / (2TP + FP + FN) of references found, predictions that are right for none, and references missed: 0 where nothing was
    /// found; nil without a reference.
    ///
    /// One to one it is the harmonic mean of sensitivity and precision. Under `overlap` a lesion that was found in several pieces
    /// is one TP, and none of its pieces an FP; one prediction that joins several lesions found them all. Under
    /// `nearestReference` it is the F1 of the VALDO challenge, but for predictions equally near to one reference: there each is
    /// a TP, which may make the challenge's FN negative and its F1 more than 1.
    package var f1: Double? {
        let found = 2 * foundReferences.count
        return references == 0 ? nil : Double(found) / Double(found + falseAlarms + missed)
    }

    /// - Parameters:
    ///   - reference, prediction: lesions by number on one grid, 0 elsewhere; every number is one lesion.
    ///   - rule: ties go to the lower number of the reference, then of the prediction.
    /// - Throws: `GridError.mismatch` when they are on different grids.
    package init(reference: LabelMap, prediction: LabelMap, rule: LesionMatchingRule) throws {
        self.init(try LesionContacts(reference, prediction), rule: rule)
    }

    /// The same from contacts that are known, for several rules or for the lesions of one class.
    package init(_ table: LesionContacts, rule: LesionMatchingRule) {
        references = table.references.count
        predictions = table.predictions.count
        let chosen: [Pair]
        var others: [Pair] = []
        switch rule {
        case .overlap(let voxels):
            chosen = table.common.filter { $0.value >= voxels }.map {
                Pair(reference: $0.key.reference, prediction: $0.key.prediction)
            }
        case .intersectionOverUnion(let least):
            chosen = Self.oneToOne(
                table.common.compactMap { contact, voxels in
                    let all =
                        table.references[contact.reference]!.voxels + table.predictions[contact.prediction]!.voxels
                    let share = Double(voxels) / Double(all - voxels)
                    return share >= least ? (contact, -share) : nil
                })
        case .centreDistance(let farthest):
            chosen = Self.oneToOne(table.distances().filter { $0.cost <= farthest })
        case .nearestReference(let farthest):
            (chosen, others) = Self.nearest(table.distances(), farthest: farthest)
        }
        func ordered(_ pairs: [Pair]) -> [Pair] {
            pairs.sorted { ($0.reference, $0.prediction) < ($1.reference, $1.prediction) }
        }
        pairs = ordered(chosen)
        assigned = ordered(chosen + others)
        foundReferences = Set(chosen.map(\.reference))
        rightPredictions = Set(chosen.map(\.prediction))
        (ignoredReferences, ignoredPredictions) = ([], [])
    }

    /// The same where lesions below a size are not asked for, as in the area ranges of the COCO challenge (Lin et al. 2014, doi
    /// 10.1007/978-3-319-10602-1_48): a smaller reference is neither found nor missed, and a prediction that is right for such a
    /// reference only, or for none and is smaller itself, is neither right nor false. A smaller prediction may be right for a
    /// larger reference.
    package init(_ table: LesionContacts, rule: LesionMatchingRule, smallestVoxels: Int) {
        let isSmall = { (lesion: LesionContacts.Lesion) in lesion.voxels < smallestVoxels }
        let small = Set(table.references.filter { isSmall($0.value) }.keys)
        let counted = LesionMatches(
            table.limited(toReferences: { !small.contains($0) }, predictions: { _ in true }), rule: rule)
        let others = Set(table.predictions.keys).subtracting(counted.rightPredictions)
        let ofSmall = LesionMatches(
            table.limited(toReferences: small.contains, predictions: others.contains), rule: rule)
        ignoredReferences = small
        ignoredPredictions = ofSmall.rightPredictions.union(others.filter { isSmall(table.predictions[$0]!) })
        references = counted.references
        predictions = counted.predictions - ignoredPredictions.count
        (pairs, assigned) = (counted.pairs, counted.assigned)
        (foundReferences, rightPredictions) = (counted.foundReferences, counted.rightPredictions)
    }

    /// The cheapest pair first, each lesion once.
    private static func oneToOne(_ candidates: [(contact: LesionContacts.Contact, cost: Double)]) -> [Pair] {
        var (usedReferences, usedPredictions): (Set<UInt16>, Set<UInt16>) = ([], [])
        var pairs: [Pair] = []
        let order = candidates.sorted {
            ($0.cost, $0.contact.reference, $0.contact.prediction) < (
                $1.cost, $1.contact.reference, $1.contact.prediction
            )
        }
        for (contact, _) in order
        where !usedReferences.contains(contact.reference) && !usedPredictions.contains(contact.prediction) {
            usedReferences.insert(contact.reference)
            usedPredictions.insert(contact.prediction)
            pairs.append(Pair(reference: contact.reference, prediction: contact.prediction))
        }
        return pairs
    }

    private static func nearest(
        _ distances: [(contact: LesionContacts.Contact, cost: Double)], farthest: Double
    ) -> (counting: [Pair], others: [Pair]) {
        var home: [UInt16: (reference: UInt16, distance: Double)] = [:]
        for (contact, distance) in distances {
            let before = home[contact.prediction]
            if before == nil || (distance, contact.reference) < (before!.distance, before!.reference) {
                home[contact.prediction] = (contact.reference, distance)
            }
        }
        let near = home.filter { $0.value.distance < farthest }
        var closest: [UInt16: Double] = [:]
        for (_, place) in near { closest[place.reference] = min(closest[place.reference] ?? .infinity, place.distance) }
        var (counting, others): ([Pair], [Pair]) = ([], [])
        for (prediction, place) in near {
            let pair = Pair(reference: place.reference, prediction: prediction)
            if place.distance == closest[place.reference] { counting.append(pair) } else { others.append(pair) }
        }
        return (counting, others)
    }
}
