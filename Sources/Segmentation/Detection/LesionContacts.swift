import Kernels

/// Sizes, middles and common voxels of the lesions of two maps, in one pass.
package struct LesionContacts: Sendable {
    package struct Contact: Hashable, Sendable {
        package let reference: UInt16
        package let prediction: UInt16

        package init(reference: UInt16, prediction: UInt16) {
            (self.reference, self.prediction) = (reference, prediction)
        }
    }

    package struct Lesion: Sendable {
        package fileprivate(set) var voxels = 0
        fileprivate var sum = SIMD3<Double>()
    }

    package private(set) var references: [UInt16: Lesion] = [:]
    package private(set) var predictions: [UInt16: Lesion] = [:]
    /// Voxels that two lesions share; only of those that touch.
    package private(set) var common: [Contact: Int] = [:]
    package let grid: VoxelGrid

    /// - Parameters:
    ///   - reference, prediction: lesions by number on one grid, 0 elsewhere.
    /// - Throws: `GridError.mismatch` when they are on different grids.
    package init(_ reference: LabelMap, _ prediction: LabelMap) throws {
        try requireSameGrid(reference.grid, "the reference lesions", prediction.grid, "the predicted lesions")
        grid = reference.grid
        for k in 0..<grid.nz {
            for j in 0..<grid.ny {
                for i in 0..<grid.nx {
                    let index = grid.index(i, j, k)
                    let (r, p) = (reference.values[index], prediction.values[index])
                    if r | p == 0 { continue }
                    let place = SIMD3(Double(i), Double(j), Double(k))
                    if r > 0 {
                        references[r, default: Lesion()].voxels += 1
                        references[r]!.sum += place
                    }
                    if p > 0 {
                        predictions[p, default: Lesion()].voxels += 1
                        predictions[p]!.sum += place
                    }
                    if r > 0, p > 0 { common[Contact(reference: r, prediction: p), default: 0] += 1 }
                }
            }
        }
    }

    /// Of these lesions only.
    package func limited(
        toReferences isReference: (UInt16) -> Bool, predictions isPrediction: (UInt16) -> Bool
    ) -> LesionContacts {
        var part = self
        part.references = references.filter { isReference($0.key) }
        part.predictions = predictions.filter { isPrediction($0.key) }
        part.common = common.filter { isReference($0.key.reference) && isPrediction($0.key.prediction) }
        return part
    }

    /// The middle of a lesion, world mm.
    package func middle(of lesion: Lesion) -> SIMD3<Double> { grid.affine(lesion.sum / Double(lesion.voxels)) }

    /// Between the middles of a reference and a prediction, mm.
    package func distanceMillimetres(of contact: Contact) -> Double {
        let apart = middle(of: references[contact.reference]!) - middle(of: predictions[contact.prediction]!)
        return (apart * apart).sum().squareRoot()
    }

    /// Between the middles of all pairs, mm.
    func distances() -> [(contact: Contact, cost: Double)] {
        func middles(_ lesions: [UInt16: Lesion]) -> [(number: UInt16, place: SIMD3<Double>)] {
            lesions.sorted { $0.key < $1.key }.map { ($0.key, middle(of: $0.value)) }
        }
        let found = middles(predictions)
        return middles(references).flatMap { reference in
            found.map { prediction in
                let apart = reference.place - prediction.place
                return (
                    Contact(reference: reference.number, prediction: prediction.number),
                    (apart * apart).sum().squareRoot()
                )
            }
        }
    }

    /// Of several pairs the one that shares most voxels, of equals the nearest, of those the first; nil without any.
    package func best(of pairs: [LesionMatches.Pair]) -> LesionMatches.Pair? {
        func cost(_ pair: LesionMatches.Pair) -> (Int, Double) {
            let contact = Contact(reference: pair.reference, prediction: pair.prediction)
            return (-(common[contact] ?? 0), distanceMillimetres(of: contact))
        }
        return pairs.min { cost($0) < cost($1) }
    }

    /// Common voxels over those of either; 0 for lesions that do not touch.
    package func intersectionOverUnion(of contact: Contact) -> Double {
        let shared = common[contact] ?? 0
        let all = references[contact.reference]!.voxels + predictions[contact.prediction]!.voxels
        return Double(shared) / Double(all - shared)
    }

    /// Voxels of all lesions together, and those that both sides have: of the lesions as one region.
    package var overlap: OverlapMetrics {
        OverlapMetrics(
            firstVoxels: predictions.values.reduce(0) { $0 + $1.voxels },
            secondVoxels: references.values.reduce(0) { $0 + $1.voxels }, commonVoxels: common.values.reduce(0, +))
    }

    /// A reference against the union of the predictions assigned to it.
    package func overlap(of reference: UInt16, with predicted: [UInt16]) -> OverlapMetrics {
        OverlapMetrics(
            firstVoxels: predicted.reduce(0) { $0 + (predictions[$1]?.voxels ?? 0) },
            secondVoxels: references[reference]?.voxels ?? 0,
            commonVoxels: predicted.reduce(0) {
                $0 + (common[Contact(reference: reference, prediction: $1)] ?? 0)
            })
    }
}
