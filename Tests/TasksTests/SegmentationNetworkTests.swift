import BIDS
import Kernels
import NIfTI
import Networks
import Testing
import Workflow

@testable import Tasks

/// Every network that segments, trained for a few steps and applied to somebody else.
@Suite(.serialized) struct SegmentationNetworkTests {
    /// Trains on eight people and gives the Dice of both regions of another.
    private func trained(_ changes: JSONValue) throws -> (card: ModelCard, bright: Double, dark: Double) {
        var parameters = NetworkTaskTests.segmentation
        for (name, value) in try #require(changes.objectValue) { parameters[name] = value }
        let folder = try ToyCohort.segmentationFolder(people: 1..<9)
        let result = try folder.perform("network.train", parameters: parameters, threads: 2)
        try #require(result.failure == nil, "\(result.failure?.message ?? "")")

        let (map, labels) = ToyCohort.person(20)
        let other = try TaskFolder()
        try other.add("image", map, name: "map")
        other.add("model", path: folder.modelPath, name: "model.safetensors")
        let card = try Model(path: folder.modelPath).card
        let isAlone = card.output == .sigmoid
        let regions = isAlone ? card.classes : Array(card.classes.dropFirst())
        let found = try other.perform("network.segment", parameters: ["probabilities": true], threads: 2)
        try #require(found.failure == nil, "\(found.failure?.message ?? "")")
        let segmented = try NIfTIFile.readLabelMap(other.path + "/out/labels.nii.gz")
        let background = try NIfTIFile.readVolume(other.path + "/out/probabilities.nii.gz", frame: 0)
        for (label, value) in zip(segmented.values, background.values.map { 1 - $0 }) {
            // What is probably a region is not background; of three classes the largest may be below one half.
            #expect(label > 0 ? value >= (isAlone ? 0.5 : 0.333) : value <= (regions.count > 1 ? 0.667 : 0.5))
        }
        _ = (folder, other)
        let isOneClass = card.classes.count < 3
        var truth = labels
        // One class of all that is labelled.
        if isOneClass { for n in truth.values.indices where truth.values[n] == 9 { truth.values[n] = 7 } }
        return (card, dice(segmented, 1, truth, 7), isOneClass ? 1 : dice(segmented, 2, truth, 9))
    }

    @Test func residualUNet() throws {
        let (card, bright, dark) = try trained(["network": "resunet", "normalisation": "group", "groups": 4])
        #expect(bright > 0.8 && dark > 0.8, "\(bright) \(dark)")
        #expect(card.architecture == "residual U-Net, 3-D, 8-16" && card.globalScale == nil)
    }

    @Test func doubleBranchUNet() throws {
        let (card, bright, dark) = try trained([
            "network": "dbresunet", "patch": [8, 8, 8], "global_scale": 2, "batch": 4, "samples_per_epoch": 32,
        ])
        #expect(bright > 0.8 && dark > 0.8, "\(bright) \(dark)")
        #expect(card.network.inputs.map(\.name) == ["local", "global"] && card.globalScale == 2)
        #expect(card.training?.patches?.globalScale == 2 && card.training?.patches?.spatial.beyond == .background)
    }

    /// Keras' slow running statistics have not arrived after so few steps: those of averaged weights are computed anew.
    @Test func deepMIROnWholeSlices() throws {
        let (card, bright, dark) = try trained([
            "network": "deepmir", "augmentation": "deepmir", "patch": [24, 24, 1], "batch": 4, "epochs": 6,
            "samples_per_epoch": 112, "foreground_fraction": 0.5, "averaging_from": 5,
        ])
        #expect(bright > 0.8 && dark > 0.8, "\(bright) \(dark)")
        #expect(card.architecture == "DEEPMIR U-Net, 2-D, 8-16")
        #expect(card.training?.settings.loss == .crossEntropy())
        let slices = try #require(card.training?.slices)
        #expect(slices.shapes == .deepmir(DEEPMIRAugmentation()) && slices.interpolation == .cubic)
        #expect(slices.foregroundFraction == 0.5 && slices.size == Extent3(1, 24, 24))
    }

    @Test func slicesByPatchesWithStandardAugmentation() throws {
        let (card, bright, dark) = try trained([
            "rank": 2, "patch": [16, 16, 1], "augmentation": "standard", "rotation_degrees": [0, 0, 20],
            "scaling": [0.9, 1.1], "elastic_mm": 0.5, "elastic_lattice_mm": 8, "batch": 8, "samples_per_epoch": 64,
            "foreground_weights": ["dark": 2], "upsampling": "linear",
        ])
        #expect(bright > 0.8 && dark > 0.8, "\(bright) \(dark)")
        let patches = try #require(card.training?.patches)
        #expect(patches.spatial.rotationDegrees == AxisValues(depth: 20) && patches.spatial.scaling == 0.9...1.1)
        #expect(
            patches.spatial.elastic
                == .init(probability: 0.2, latticeMillimetres: 8, displacementMillimetres: 0...0.5))
        #expect(patches.classWeights == [0, 1, 2] && patches.patch == Extent3(1, 16, 16))
    }

    @Test func oneClassByBinaryCrossEntropy() throws {
        let (card, found, _) = try trained([
            "classes": [], "loss": ["bce", "dice"], "class_weights": ["foreground": 2],
        ])
        #expect(found > 0.8, "\(found)")
        #expect(card.output == .sigmoid && card.classes == ["foreground"] && card.network.outputs.count == 1)
        #expect(
            card.training?.settings.loss
                == Loss.binaryCrossEntropy(positiveWeights: [2])
                + Loss([Loss.Term(.dice(settings: SoftDice(.sigmoid)))]))
    }
}
