import Kernels
import TestSupport
import Testing

@testable import Networks

struct DeepSMOTETests {
    /// Rows of vectors as a feature map.
    private func map(_ rows: [[Float]], _ storage: FeatureStorage) -> FeatureMap {
        let map = storage.map(FeatureShape(batch: rows.count, channels: rows[0].count, size: .one))
        rows.flatMap { $0 }.withUnsafeBufferPointer { map.fill(fromPlanar: $0.baseAddress!) }
        return map
    }

    private static let rows: [[Float]] = [[0, 0], [9, 9], [1, 0], [0, 3], [8, 9], [5, 0]]
    private static let isMinority = [true, false, true, true, false, true]

    @Test func everySampleIsMixedWithItsNearestOfTheMinority() {
        let storage = FeatureStorage(count: 6 * 16)
        let x = map(Self.rows, storage)
        let mixtures = DeepSMOTE().mixtures(
            x, isMinority: Self.isMinority, random: Philox(seed: 1), place: (epoch: 0, batch: 0))
        #expect(
            mixtures.map { [$0.first, $0.second] } == [
                [0, 2], [0, 3], [2, 0], [2, 3], [3, 0], [3, 2], [5, 2], [5, 0],
            ])
        #expect(mixtures.allSatisfy { (0..<1).contains($0.fraction) })
        #expect(Set(mixtures.map(\.fraction)).count == mixtures.count)
    }

    @Test func theReleasedCodesWayAppendsThreePerSampleItselfFirst() {
        let storage = FeatureStorage(count: 6 * 16)
        let x = map(Self.rows, storage)
        let mixtures = DeepSMOTE(includesSelf: true).mixtures(
            x, isMinority: Self.isMinority, random: Philox(seed: 1), place: (epoch: 0, batch: 0))
        #expect(mixtures.count == 12)
        #expect(mixtures.enumerated().allSatisfy { $0.offset % 3 != 0 || $0.element.first == $0.element.second })
    }

    @Test func twoSamplesAreTooFew() {
        let storage = FeatureStorage(count: 6 * 16)
        let x = map(Self.rows, storage)
        let few = [true, false, false, true, false, false]
        #expect(
            DeepSMOTE().mixtures(x, isMinority: few, random: Philox(seed: 1), place: (epoch: 0, batch: 0)).isEmpty)
    }

    @Test func everyBatchDrawsItsOwnPointsTheSameWhenRepeated() {
        let storage = FeatureStorage(count: 6 * 16)
        let x = map(Self.rows, storage)
        func fractions(_ epoch: UInt32, _ batch: UInt32) -> [Float] {
            DeepSMOTE().mixtures(
                x, isMinority: Self.isMinority, random: Philox(seed: 1), place: (epoch: epoch, batch: batch)
            ).map(\.fraction)
        }
        #expect(fractions(2, 3) == fractions(2, 3))
        #expect(Set([fractions(2, 3), fractions(3, 2), fractions(2, 4)]).count == 3)
    }

    /// ⟨A x, y⟩ = ⟨x, Aᵀ y⟩ for the linear map that the mixtures make, and zeros where there are no rows.
    @Test func theGradientIsTheTranspose() {
        var random = SeededGenerator(seed: 8)
        let (source, target) = (FeatureStorage(count: 6 * 16), FeatureStorage(count: 18 * 16))
        let x = map(Self.rows, source)
        let mixtures = DeepSMOTE().mixtures(
            x, isMinority: Self.isMinority, random: Philox(seed: 1), place: (epoch: 0, batch: 0))
        let y = target.map(FeatureShape(batch: 18, channels: 2, size: .one))
        for n in 0..<target.count { target.base[n] = 7 }
        DeepSMOTE.forward(x, mixtures, to: y)
        let result = y.tensor().values
        #expect(result[(6 + mixtures.count) * 2..<36].allSatisfy { $0 == 0 })
        let mixed = mixtures[1]
        #expect(abs(result[2 * 7 + 1] - 3 * mixed.fraction) < 1e-6)
        let (gradientStorage, backStorage) = (FeatureStorage(count: 18 * 16), FeatureStorage(count: 6 * 16))
        let gradient = map((0..<18).map { _ in [Float(random.gaussian()), Float(random.gaussian())] }, gradientStorage)
        let back = backStorage.map(x.shape)
        DeepSMOTE.backward(mixtures, gradient: gradient, to: back)
        let weights = gradient.tensor().values
        let left = zip(result, weights).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
        let right = zip(x.tensor().values, back.tensor().values).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
        #expect(abs(left - right) < 1e-4)
    }
}
