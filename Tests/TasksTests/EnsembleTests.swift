import BIDS
import Foundation
import Kernels
import NIfTI
import Networks
import Testing
import Workflow

@testable import Tasks

/// Several models on one port.
@Suite(.serialized) struct EnsembleTests {
    /// A small network that nobody trained, with its card.
    private static func model(
        _ name: String, seed: UInt64, change: (inout ModelCard) throws -> Void = { _ in }
    ) throws -> Model {
        let network = try UNet(rank: 3, inputChannels: 1, outputChannels: 3, widths: [4, 8]).network()
        var card = ModelCard(
            name: name, task: .segmentation, architecture: "U-Net", network: network,
            channels: [
                .init(
                    modality: "Chimap", units: "ppm", normalisation: .clip(lower: -0.25, upper: 0.25, low: -1, high: 1))
            ],
            geometry: .init(spacingMillimetres: SIMD3(1, 1, 1), orientation: "RAS", otherGrids: .resample),
            classes: ["background", "left", "right"], output: .softmax,
            inference: SlidingWindowOptions(
                window: Extent3(8, 8, 8), padding: .background, lateralPairs: [LateralPair(1, 2)]),
            source: .trained, softwareVersion: "1")
        try change(&card)
        return try Model(card: card, weights: card.network.initialWeights(.heNormal, seed: seed))
    }

    private func folder(_ models: [Model], map: Volume = ToyCohort.person(3).map) throws -> TaskFolder {
        let folder = try TaskFolder()
        try folder.add("image", map, name: "map")
        for (n, model) in models.enumerated() {
            try model.write(to: "\(folder.path)/fold-\(n + 1).safetensors")
            folder.add(
                "model", path: "\(folder.path)/fold-\(n + 1).safetensors", name: "fold-\(n + 1).safetensors")
        }
        return folder
    }

    @Test func probabilitiesOfMembersAndFlipsAreAveraged() throws {
        let models = try (1...3).map { try Self.model("fold \($0)", seed: UInt64($0)) }
        let folder = try folder(models)
        let result = try folder.perform(
            "network.segment",
            parameters: ["flips": ["width", "depth"], "overlap": 0.25, "probabilities": true], threads: 2)
        try #require(result.failure == nil, "\(result.failure?.message ?? "")")
        let found = try NIfTIFile.readLabelMap(folder.path + "/out/labels.nii.gz")

        // Every member and every flip by itself.
        let card = models[0].card
        let input = try ModelInput([("map", ToyCohort.person(3).map)], for: card)
        var sums = [[Double]](repeating: [Double](repeating: 0, count: input.size.product), count: 3)
        for model in models {
            var options = try #require(card.inference)
            (options.flips, options.overlap) = ([.width, .depth], 0.25)
            let alone = try VolumeSegmentation(
                volume: input.size, channels: input.channels, background: input.background,
                members: [try model.segmentationNetwork()], options: options, keeping: [0, 1, 2])
            for c in 0..<3 { for n in sums[c].indices { sums[c][n] += Double(alone.probabilities[c]![n]) } }
        }
        var decided = 0
        for n in found.values.indices {
            let order = (0..<3).sorted { sums[$0][n] > sums[$1][n] }
            guard sums[order[0]][n] - sums[order[1]][n] > 1e-4 else { continue }
            decided += 1
            #expect(Int(found.values[n]) == order[0])
        }
        #expect(decided > found.values.count * 9 / 10)
        // Written when asked for: volume n is label n.
        let path = folder.path + "/out/probabilities.nii.gz"
        #expect(try NIfTIFile.readHeader(path).frames == 3)
        for c in 0..<3 {
            let written = try NIfTIFile.readVolume(path, frame: c)
            let apart = zip(written.values, sums[c]).map { abs(Double($0) - $1 / 3) }.max()
            #expect(written.grid.matches(found.grid) && (apart ?? 1) < 1e-5)
        }
        // The members do not say the same by themselves.
        let (first, one) = (
            try self.folder([models[0]]), try NIfTIFile.readLabelMap(folder.path + "/out/labels.nii.gz")
        )
        try #require(first.perform("network.segment").failure == nil)
        #expect(try NIfTIFile.readLabelMap(first.path + "/out/labels.nii.gz").values != one.values)
    }

    /// Models are prepared one after the other: many fit where one does, beside the sums for the volume.
    @Test func memoryDoesNotGrowWithTheNumberOfMembers() throws {
        func big(_ name: String, _ seed: UInt64) throws -> Model {
            try Self.model(name, seed: seed) { card in
                card.network = try UNet(rank: 3, inputChannels: 1, outputChannels: 3, widths: [64, 128]).network()
                card.inference?.window = Extent3(16, 16, 16)
            }
        }
        func limited(_ models: [Model], memoryMiB: Int = 40) throws -> TaskResult {
            // One window: these networks are wide.
            let grid = VoxelGrid(nx: 16, ny: 16, nz: 16, affine: .scaling(SIMD3(1, 1, 1)))
            let folder = try folder(models, map: Volume(grid: grid, filledWith: 0.1))
            var request = try folder.request("network.segment", parameters: ["overlap": 0])
            request.memoryMiB = memoryMiB
            return withExtendedLifetime(folder) { AttemptRunner.perform(request) }
        }
        let models = try (1...6).map { try big("fold \($0)", UInt64($0)) }
        let one = try limited([models[0]])
        #expect(one.failure == nil, "\(one.failure?.message ?? "")")
        let all = try limited(models)
        #expect(all.failure == nil, "\(all.failure?.message ?? "")")
        let little = try limited(models, memoryMiB: 20)
        #expect(little.failure?.outcome == .outOfMemory)
        #expect(little.failure?.message.contains("more than its 20 MiB") == true, "\(little)")
    }

    /// What two members can say differently, and the words that must answer.
    @Test func membersThatDifferAreRefused() throws {
        let cases: [(words: String, change: (inout ModelCard) throws -> Void)] = [
            ("has the channels Chimap, fold-2.safetensors (other) QSM", { $0.channels[0].modality = "QSM" }),
            ("with the normalisation", { $0.channels[0].normalisation = .none }),
            ("has the grid 1.0×1.0×1.0 mm, RAS", { $0.geometry.spacingMillimetres = SIMD3(1, 1, 2) }),
            (
                "left, right, fold-2.safetensors (other) background, right, left",
                { $0.classes = ["background", "right", "left"] }
            ),
            ("has the output softmax, fold-2.safetensors (other) probabilities", { $0.output = .probabilities }),
            ("has the window 8×8×8", { $0.inference?.window = Extent3(16, 8, 8) }),
            ("has the lateral pairs left–right, fold-2.safetensors (other) none", { $0.inference?.lateralPairs = [] }),
        ]
        for (words, change) in cases {
            let folder = try folder([
                try Self.model("first", seed: 1), try Self.model("other", seed: 2, change: change),
            ])
            let result = try folder.perform("network.segment")
            #expect(result.failure?.outcome == .permanent)
            let message = result.failure?.message ?? ""
            #expect(message.contains("must agree") && message.contains(words), "\(message)")
        }
        // Nor is a classifier a member, nor are images missing.
        let classifier = try Self.model("groups", seed: 1) { card in
            var builder = NetworkBuilder()
            let image = try builder.input("image", channels: 1, rank: 3)
            let pooled = try builder.add("pool", .globalAveragePooling, image)
            let logits = try builder.linear("fc", pooled, outputs: 3)
            (card.task, card.inference) = (.classification, nil)
            card.network = try builder.network(outputs: [logits])
        }
        let mixed = try folder([try Self.model("first", seed: 1), classifier]).perform("network.segment")
        #expect(mixed.failure?.message.contains("model groups is one for classification") == true)
        let twoChannels = try Self.model("two", seed: 1) { card in
            card.network = try UNet(rank: 3, inputChannels: 2, outputChannels: 3, widths: [4, 8]).network()
            card.channels.append(.init(modality: "T1w", units: "arbitrary", normalisation: .none))
        }
        let lacking = try folder([twoChannels]).perform("network.segment")
        #expect(lacking.failure?.message.contains("takes 2 images (Chimap, T1w) and is given 1") == true)
    }

    /// Members of a classification may differ in how they were made, not in what they say.
    @Test func classifiersAreAveraged() throws {
        func classifier(_ seed: UInt64, widths: [Int], slab: Int = 4) throws -> Model {
            try Self.model("fold \(seed)", seed: 1) { card in
                var net = SliceSequenceNetwork()
                net.widths = widths
                card.network = try net.network()
                (card.task, card.inference, card.output) = (.classification, nil, .sigmoid)
                card.classes = ["control", "HH"]
                var targeted = TargetedOptions(patch: Extent3(slab, 8, 8), batch: 1)
                targeted.targets = .valuesPerSlice
                card.training = .init(
                    settings: TrainingSettings(epochs: 1, loss: .binaryCrossEntropy(), schedule: Schedule(1e-3)),
                    targeted: targeted)
            }
        }
        func probabilities(_ models: [Model]) throws -> (scan: Double, slices: [Double]) {
            let folder = try folder(models)
            let result = try folder.perform("network.classify")
            try #require(result.failure == nil, "\(result.failure?.message ?? "")")
            return (
                try #require(result.value("probability", term: "HH")),
                try folder.rows("slices.tsv").compactMap { Double($0[4]) }
            )
        }
        let models = try [classifier(1, widths: [4, 8]), classifier(2, widths: [6])]
        let (a, b, both) = try (probabilities([models[0]]), probabilities([models[1]]), probabilities(models))
        #expect(a.scan != b.scan && abs(both.scan - (a.scan + b.scan) / 2) < 1e-12)
        #expect(both.slices.count == 4)
        for n in 0..<4 { #expect(abs(both.slices[n] - (a.slices[n] + b.slices[n]) / 2) < 1e-12) }

        let differing = try folder([models[0], classifier(3, widths: [4], slab: 6)]).perform("network.classify")
        // In the order of the models' bytes.
        let message = differing.failure?.message ?? ""
        #expect(
            ["4×8×8, 6×8×8", "6×8×8, 4×8×8"].contains { message.contains("they judge slabs of \($0) voxels") },
            "\(message)")
    }
}
