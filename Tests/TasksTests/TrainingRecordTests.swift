import BIDS
import Foundation
import Kernels
import Networks
import Testing
import Workflow

@testable import Tasks

/// What models say of those they were trained with is no test of them, and that is said. Digests are those of file names here.
@Suite(.serialized) struct TrainingRecordTests {
    private static func card(_ change: (inout ModelCard) throws -> Void = { _ in }) throws -> ModelCard {
        var card = ModelCard(
            name: "toy", task: .segmentation, architecture: "U-Net",
            network: try UNet(rank: 3, inputChannels: 1, outputChannels: 2, widths: [4, 8]).network(),
            channels: [.init(modality: "Chimap", units: "ppm", normalisation: .none)],
            geometry: .init(spacingMillimetres: SIMD3(1, 1, 1), orientation: "RAS", otherGrids: .resample),
            classes: ["background", "lesion"], output: .softmax,
            inference: SlidingWindowOptions(window: Extent3(8, 8, 8)), source: .trained, softwareVersion: "1")
        try change(&card)
        return card
    }

    /// Models called fold-1.safetensors, … after whom each was trained with, applied to the image `map`.nii.gz.
    private func warnings(_ trained: [[String]], map: String, kind: String = "network.segment") throws -> [String] {
        let folder = try TaskFolder()
        try folder.add("image", ToyCohort.person(3).map, name: map)
        for (n, subjects) in trained.enumerated() {
            let card = try Self.card { card in
                card.data = subjects.map { subject in
                    let file = "sub-\(subject)_Chimap.nii.gz"
                    return .init(subject: subject, file: file, digest: ArtifactDigest(of: Data(file.utf8)).hex)
                }
                guard kind == "network.classify" else { return }
                var builder = NetworkBuilder()
                let image = try builder.input("image", channels: 1, rank: 3)
                let pooled = try builder.add("pool", .globalAveragePooling, image)
                let logits = try builder.linear("fc", pooled, outputs: 2)
                card.network = try builder.network(outputs: [logits])
                (card.task, card.inference, card.patch) = (.classification, nil, Extent3(8, 8, 8))
            }
            let (name, weights) = ("fold-\(n + 1).safetensors", card.network.initialWeights(.heNormal, seed: UInt64(n)))
            try Model(card: card, weights: weights).write(to: folder.path + "/" + name)
            folder.add("model", path: folder.path + "/" + name, name: name)
        }
        let result = try folder.perform(kind)
        try #require(result.failure == nil, "\(result.failure?.message ?? "")")
        return result.warnings.filter { !$0.hasPrefix("The model found no") }
    }

    @Test(arguments: ["network.segment", "network.classify"])
    func imagesOfTheTrainingAreNoTest(kind: String) throws {
        let (seen, other) = ("sub-03_Chimap", "sub-04_Chimap")
        #expect(
            try warnings([["01", "03"]], map: seen, kind: kind) == [
                "fold-1.safetensors was trained with this image (sub-03_Chimap.nii.gz, there of sub-03): what it says here "
                    + "is no test of it."
            ])
        #expect(try warnings([["01", "03"]], map: other, kind: kind).isEmpty)
        #expect(try warnings([[]], map: seen, kind: kind).isEmpty)
        #expect(
            try warnings([["01"], ["03"], ["01", "03"]], map: seen, kind: kind) == [
                "fold-2.safetensors and 1 more of 3 models were trained with this image (sub-03_Chimap.nii.gz, there of "
                    + "sub-03): what they say here is no test of them."
            ])
        #expect(
            try warnings([["01"], ["03"]], map: seen, kind: kind).first?.hasPrefix(
                "fold-2.safetensors, one of 2 models, was trained with this image") == true)
    }

    /// As cards of trainings have them: whoever the epochs were judged by counts, and who took no part does not.
    @Test func cardsOfTrainingsSayWhoWasSeen() throws {
        let training = try ToyCohort.segmentationFolder(people: 1..<4)
        try training.add("images", ToyCohort.person(9).map, name: "sub-09_Chimap", context: ToyCohort.context(9))
        var parameters = TrainingParameterTests.short
        parameters["validation"] = 0.34
        let trained = try training.perform("network.train", parameters: parameters)
        try #require(trained.failure == nil, "\(trained.failure?.message ?? "")")
        for (number, isSeen) in [(1, true), (2, true), (3, true), (9, false), (20, false)] {
            let folder = try TaskFolder()
            try folder.add(
                "image", ToyCohort.person(number).map, name: "sub-\(ToyCohort.context(number).subject!)_Chimap")
            folder.add("model", path: training.modelPath, name: "model.safetensors")
            let result = try folder.perform("network.segment")
            #expect(result.failure == nil && result.warnings.contains { $0.contains("no test of it") } == isSeen)
        }
        withExtendedLifetime(training) {}
    }

    @Test func tablesOfTheTrainingAreNoTest() throws {
        let header = "lesion\tname\tstrength\tsize\tmissing\n"
        let training = try ToyCohort.lesionFolder(people: 1..<7, features: true)
        training.inputs.removeAll { ["images", "labels"].contains($0.input.port) }
        // Who has no lesion takes no part.
        try training.add("features", header, name: "sub-08_features.tsv", context: ToyCohort.context(8))
        let trained = try training.perform("classifier.train", parameters: ["trees": 5])
        try #require(trained.failure == nil, "\(trained.failure?.message ?? "")")
        func warnings(_ number: Int, _ table: String) throws -> [String] {
            let folder = try TaskFolder()
            let context = ToyCohort.context(number)
            try folder.add("features", table, name: "sub-\(context.subject!)_features.tsv", context: context)
            folder.add("model", path: training.modelPath, name: "model.safetensors")
            let result = try folder.perform("classifier.apply")
            try #require(result.failure == nil, "\(result.failure?.message ?? "")")
            return result.warnings
        }
        let features = ToyCohort.lesions(2, rims: [1]).features
        #expect(
            try warnings(2, features) == [
                "model.safetensors was trained with this table (sub-02_features.tsv, there of sub-02): what it says here is no "
                    + "test of it."
            ])
        #expect(try warnings(20, features).isEmpty)
        // Nothing is judged, and tables without rows are alike.
        #expect(try warnings(2, header).isEmpty && warnings(8, header).isEmpty)
        withExtendedLifetime(training) {}
    }
}
