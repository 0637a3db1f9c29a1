import Foundation
import Kernels
import TestSupport
import Testing

@testable import Networks

@Suite("Normalisation")
struct IntensityNormalisationTests {
    private let size = Extent3(2, 3, 4)
    private var values: [Float] {
        var random = SeededGenerator(seed: 12)
        return (0..<24).map { _ in Float(random.gaussian() * 3 + 5) }
    }

    private func apply(_ normalisation: IntensityNormalisation, mask: [UInt8]? = nil) throws
        -> IntensityNormalisation.Normalised
    {
        try normalisation.apply(to: values, size: size, mask: mask, volume: "sub-01", channel: 1)
    }

    private func moments(_ values: [Double]) -> (mean: Double, variance: Double) {
        let mean = values.reduce(0, +) / Double(values.count)
        return (mean, values.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / Double(values.count))
    }

    @Test("clip and scale")
    func clip() throws {
        let result = try IntensityNormalisation.clip(lower: -0.25, upper: 0.25, low: -1, high: 1).apply(
            to: [-1, -0.25, 0, 0.125, 3], size: Extent3(1, 1, 5), volume: "x", channel: 0)
        #expect(result.values == [-1, -1, 0, 0.5, 1])
        #expect(result.background == 0)
    }

    @Test("z-score over the volume, the mask, non-zero voxels")
    func zScore() throws {
        let whole = try apply(.zScore(over: .volume))
        var found = moments(whole.values.map { Double($0) })
        #expect(abs(found.mean) < 1e-6 && abs(found.variance - 1) < 1e-5)
        let mask: [UInt8] = (0..<24).map { $0 % 3 == 0 ? 1 : 0 }
        let masked = try apply(.zScore(over: .mask, outsideMask: -7), mask: mask)
        found = moments(zip(masked.values, mask).filter { $1 != 0 }.map { Double($0.0) })
        #expect(abs(found.mean) < 1e-6 && abs(found.variance - 1) < 1e-5)
        #expect(zip(masked.values, mask).allSatisfy { $1 != 0 || $0 == -7 })
        #expect(masked.background == -7)
    }

    @Test("z-score as DEEPMIR: zeros around the volume count")
    func padded() throws {
        let padded = try apply(.zScore(over: .paddedVolume(size: Extent3(1, 10, 10))))
        // 2 × 10 × 10 voxels, 24 of them of the volume.
        let (mean, variance) = moments(values.map { Double($0) } + [Double](repeating: 0, count: 176))
        for (a, b) in zip(padded.values, values) {
            #expect(abs(Double(a) - (Double(b) - mean) / variance.squareRoot()) < 1e-5)
        }
        #expect(abs(Double(padded.background) + mean / variance.squareRoot()) < 1e-5)
    }

    @Test("percentiles")
    func percentiles() throws {
        let result = try IntensityNormalisation.percentiles(lower: 10, upper: 90, low: 0, high: 1, over: .volume).apply(
            to: (0...10).map { Float($0) }, size: Extent3(1, 1, 11), volume: "x", channel: 0)
        #expect(result.values[0] == 0 && result.values[10] == 1)
        #expect(abs(result.values[5] - 0.5) < 1e-6)
        #expect(abs(result.values[3] - 0.25) < 1e-6)
    }

    @Test("what cannot be normalised is refused by name")
    func refused() throws {
        #expect(throws: TrainingDataError.maskMissing(volume: "sub-01", channel: 1)) {
            try apply(.zScore(over: .mask))
        }
        #expect(throws: TrainingDataError.maskMissing(volume: "sub-01", channel: 1)) {
            try apply(.zScore(over: .mask), mask: [UInt8](repeating: 0, count: 24))
        }
        #expect(throws: TrainingDataError.constant(volume: "flat", channel: 0)) {
            try IntensityNormalisation.zScore(over: .volume).apply(
                to: [2, 2], size: Extent3(1, 1, 2), volume: "flat", channel: 0)
        }
        #expect(throws: TrainingDataError.self) { try apply(.clip(lower: 1, upper: 1, low: 0, high: 1)) }
    }

    @Test("survives JSON")
    func json() throws {
        let all: [IntensityNormalisation] = [
            .none, .clip(lower: -1, upper: 1, low: 0, high: 1), .zScore(over: .paddedVolume(size: Extent3(1, 2, 3))),
            .zScore(over: .mask, outsideMask: 0), .percentiles(lower: 1, upper: 99, low: 0, high: 1, over: .nonZero),
        ]
        let data = try JSONEncoder().encode(all)
        #expect(try JSONDecoder().decode([IntensityNormalisation].self, from: data) == all)
    }
}
