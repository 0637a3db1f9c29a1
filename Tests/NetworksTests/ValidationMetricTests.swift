import Foundation
import Kernels
import TestSupport
import Testing

@testable import Networks

/// Losses and metrics that are given what they cannot compare, and metrics against plain counts.
struct ValidationMetricTests {
    private static func map(_ logits: [Float], channels: Int) -> (map: FeatureMap, owner: FeatureStorage) {
        let shape = FeatureShape(batch: 1, channels: channels, size: Extent3(1, 1, logits.count / channels))
        let storage = FeatureStorage(shape)
        let map = storage.map(shape)
        map.fill(fromPlanar: logits)
        return (map, storage)
    }

    private static func value(_ metric: ValidationMetric, _ logits: [Float], channels: Int, _ target: Target) throws
        -> Double
    {
        let (map, owner) = map(logits, channels: channels)
        return try withExtendedLifetime(owner) {
            ValidationMetric.value(
                try metric.measure([map], Batch(inputs: [], targets: [target]), LossValue(total: 0, terms: [])))
        }
    }

    // Classes found at six positions: 0 1 2 0 1 2.
    private static let logits: [Float] = [2, 0, 0, 2, 0, 0, 0, 2, 0, 0, 2, 0, 0, 0, 2, 0, 0, 2]

    @Test func positionsOfAnIgnoredClassDoNotCount() throws {
        let target = Target.classes([0, 1, 1, 255, 255, 255])
        #expect(try Self.value(.accuracy(ignoredClass: 255), Self.logits, channels: 3, target) == 2.0 / 3)
        #expect(try Self.value(.accuracy(), Self.logits, channels: 3, target) == 2.0 / 6)
        // Of class 1 one is found of two, of class 2 one is found where there is none.
        #expect(
            try Self.value(.dice(classes: 3, ignoredClass: 255), Self.logits, channels: 3, target) == (2.0 / 3 + 0) / 2)
    }

    @Test func absentClassesDoNotCount() throws {
        let onlyOne: [Float] = [0, 0, 2, 1, 1, 0, 0, 0, 0]
        #expect(try Self.value(.dice(classes: 3), onlyOne, channels: 3, .classes([1, 1, 0])) == 1)
        #expect(try Self.value(.dice(classes: 2), [-1, -1], channels: 1, .classes([0, 0])) == 0)
    }

    @Test func everyChannelOfValuesIsCompared() throws {
        // Two channels of three positions; the second channel is wrong everywhere.
        let target = Target.values(Tensor(shape: [1, 2, 1, 1, 3], values: [1, 0, 1, 1, 1, 1]))
        let logits: [Float] = [1, -1, 1, -1, -1, -1]
        #expect(try Self.value(.accuracy(), logits, channels: 2, target) == 0.5)
        #expect(try Self.value(.dice(classes: 3), logits, channels: 2, target) == 0.5)
        #expect(
            try Self.value(
                .accuracy(), [1, -1], channels: 1, .values(Tensor(shape: [1, 1, 1, 1, 2], values: [1, 1]))) == 0.5)
    }

    @Test func moreThan256ChannelsAndOtherNumbersOfClasses() throws {
        var many = [Float](repeating: 0, count: 300)
        many[299] = 1
        #expect(try Self.value(.accuracy(), many, channels: 300, .classes([43])) == 0)
        #expect(throws: NetworkError.input("the Dice coefficient of 2 classes is asked of an output of 3 channels")) {
            try Self.value(.dice(classes: 2), Self.logits, channels: 3, .classes([0, 1, 2, 0, 1, 2]))
        }
    }

    @Test func lossesRefuseWhatTheyCannotCompare() throws {
        func problem(_ loss: Loss, channels: Int, _ target: Target) -> String {
            do {
                try loss.terms[0].kind.check(target, FeatureShape(batch: 1, channels: channels, size: Extent3(1, 1, 2)))
                return ""
            } catch {
                return "\(error)"
            }
        }
        func values(_ values: [Float]) -> Target {
            .values(Tensor(shape: [1, values.count / 2, 1, 1, 2], values: values))
        }
        let dice = Loss([.init(.dice(settings: SoftDice(.sigmoid, classWeights: [1, 1, 1])))])
        #expect(
            problem(.crossEntropy(), channels: 1, .classes([1, 0])).hasPrefix("the loss takes a softmax over channels"))
        #expect(problem(.focal(), channels: 1, .classes([1, 0])).hasPrefix("the loss takes a softmax over channels"))
        #expect(problem(.crossEntropy(), channels: 2, .classes([1, 0])) == "")
        #expect(
            problem(.binaryCrossEntropy(positiveWeights: [1, 2]), channels: 1, values([0, 1]))
                == "2 positive weights for 1 channels")
        #expect(problem(dice, channels: 2, values([0, 1, 0, 1])) == "3 class weights for 2 channels")
        #expect(problem(dice, channels: 2, .classes([0, 1])) == "3 class weights for 2 channels")
        for wrong in [2, -0.5, Float.nan] {
            #expect(
                problem(.binaryCrossEntropy(), channels: 1, values([0, wrong]))
                    == "a target is \(wrong); the loss compares values from 0 to 1")
            #expect(
                problem(Loss([.init(.dice(settings: SoftDice(.sigmoid)))]), channels: 1, values([0, wrong])).hasPrefix(
                    "a target is \(wrong)"))
        }
        #expect(problem(.meanSquaredError, channels: 1, values([0, 2])) == "")
        #expect(
            problem(.meanSquaredError, channels: 1, values([0, .infinity]))
                == "a target is inf, which is no finite number")
    }
}
