import BIDS
import Kernels
import NIfTI
import Networks
import Testing
import Workflow

@testable import Tasks

/// Slices that hold nothing are background, whatever a network would say of them.
@Suite struct EmptySliceTests {
    /// A network that nobody trained.
    private func model(
        emptyChannel: Int?, output: SegmentationNetwork.Output = .softmax, seed: UInt64 = 1
    ) throws -> Model {
        let network = try UNet(
            rank: 2, inputChannels: 2, outputChannels: output == .sigmoid ? 2 : 3, widths: [4, 8]
        ).network()
        var card = ModelCard(
            name: "slices", task: .segmentation, architecture: "U-Net", network: network,
            channels: [
                .init(modality: "Chimap", units: "ppm", normalisation: .none),
                .init(modality: "SWI", units: "arbitrary", normalisation: .zScore(over: .volume)),
            ],
            geometry: .init(spacingMillimetres: nil, orientation: "RAS", otherGrids: .resample),
            classes: (output == .sigmoid ? [] : ["background"]) + ["bleed", "iron"], output: output,
            inference: SlidingWindowOptions(window: Extent3(1, 16, 16), padding: .background),
            source: .trained, softwareVersion: "1")
        card.emptyChannel = emptyChannel
        return try Model(card: card, weights: network.initialWeights(.heNormal, seed: seed))
    }

    /// SWI sums to 0 in slice 3, to less in slice 5, to little in slice 7.
    private func susceptibilityWeighted() -> Volume {
        var volume = Volume(grid: ToyCohort.grid)
        for n in volume.values.indices { volume.values[n] = Float(n % 7) + 1 }
        for j in 0..<18 {
            for i in 0..<20 {
                volume[i, j, 3] = 0
                volume[i, j, 5] = i == 0 ? 1 : -1
                volume[i, j, 7] = i == 0 && j == 0 ? 1 : 0
            }
        }
        return volume
    }

    private func segment(_ model: Model) throws -> (labels: LabelMap, probabilities: [Volume]) {
        let folder = try TaskFolder()
        try folder.add("image", ToyCohort.person(3).map, name: "map")
        try folder.add("image2", susceptibilityWeighted(), name: "swi")
        try model.write(to: folder.path + "/slices.safetensors")
        folder.add("model", path: folder.path + "/slices.safetensors", name: "slices.safetensors")
        let result = try folder.perform("network.segment", parameters: ["probabilities": true])
        try #require(result.failure == nil, "\(result.failure?.message ?? "")")
        let path = folder.path + "/out/probabilities.nii.gz"
        let volumes = try (0..<3).map { try NIfTIFile.readVolume(path, frame: $0) }
        return (try NIfTIFile.readLabelMap(folder.path + "/out/labels.nii.gz"), volumes)
    }

    @Test(arguments: [SegmentationNetwork.Output.softmax, .sigmoid])
    func emptySlicesAreBackground(output: SegmentationNetwork.Output) throws {
        let plane = 20 * 18
        // One that finds something where there is nothing.
        var (seed, saved) = (UInt64(0), 0)
        var plain = (labels: LabelMap(grid: ToyCohort.grid), probabilities: [Volume]())
        while saved == 0, seed < 20 {
            seed += 1
            plain = try segment(try model(emptyChannel: nil, output: output, seed: seed))
            saved = plain.labels.values.indices.count { [3, 5].contains($0 / plane) && plain.labels.values[$0] > 0 }
        }
        #expect(saved > 0)
        let ruled = try segment(try model(emptyChannel: 1, output: output, seed: seed))
        for n in 0..<ToyCohort.grid.count {
            if [3, 5].contains(n / plane) {
                #expect(ruled.labels.values[n] == 0)
                #expect(ruled.probabilities.map { $0.values[n] } == [1, 0, 0])
            } else {
                #expect(ruled.labels.values[n] == plain.labels.values[n])
                #expect(ruled.probabilities.map { $0.values[n] } == plain.probabilities.map { $0.values[n] })
            }
        }
    }

    /// A model says by which rule it was trained, and one without the rule goes with none that has it.
    @Test func theRuleIsKept() throws {
        func train(_ changes: JSONValue) throws -> ModelCard {
            let folder = try ToyCohort.segmentationFolder(people: 1..<3)
            var parameters = TrainingParameterTests.short
            for (name, value) in try #require(changes.objectValue) { parameters[name] = value }
            let result = try folder.perform("network.train", parameters: parameters)
            try #require(result.failure == nil, "\(result.failure?.message ?? "")")
            return try withExtendedLifetime(folder) { try Model(path: folder.modelPath).card }
        }
        #expect(try train(["rank": 2, "sampling": "slices"]).emptyChannel == nil)
        #expect(try train(["rank": 2, "sampling": "slices", "skip_empty": "Chimap"]).emptyChannel == 0)

        let folder = try TaskFolder()
        try folder.add("image", ToyCohort.person(3).map, name: "map")
        try folder.add("image2", susceptibilityWeighted(), name: "swi")
        for (name, channel) in [("a", nil), ("b", 1)] as [(String, Int?)] {
            try model(emptyChannel: channel).write(to: "\(folder.path)/\(name).safetensors")
            folder.add("model", path: "\(folder.path)/\(name).safetensors", name: "\(name).safetensors")
        }
        let refused = try folder.perform("network.segment").failure?.message ?? ""
        #expect(
            refused.contains("has the empty slices none, b.safetensors (slices) those without SWI"), "\(refused)")
    }
}
