import BIDS
import Foundation
import Kernels
import NIfTI
import Networks
import Testing
import Workflow

@testable import Tasks

/// What the parameters of `network.train` become, and what is said where they or the data are wrong.
@Suite struct TrainingParameterTests {
    /// One short epoch.
    static let short: JSONValue = [
        "widths": [4, 8], "patch": [8, 8, 8], "epochs": 1, "samples_per_epoch": 2, "validation": 0,
        "augmentation": "none",
    ]

    private func card(_ changes: JSONValue) throws -> ModelCard {
        var parameters = Self.short
        for (name, value) in try #require(changes.objectValue) { parameters[name] = value }
        let folder = try ToyCohort.segmentationFolder(people: 1..<2)
        let result = try folder.perform("network.train", parameters: parameters)
        try #require(result.failure == nil, "\(result.failure?.message ?? "")")
        return try withExtendedLifetime(folder) { try Model(path: folder.modelPath).card }
    }

    @Test func optimisation() throws {
        let steps = try #require(
            try card([
                "optimiser": "sgd", "momentum": 0.5, "weight_decay": 0.01, "schedule": "step", "step_epochs": 2,
                "step_factor": 0.5, "warm_up_batches": 3, "learning_rate": 0.1, "gradient_norm": 12, "seed": 7,
            ]).training?.settings)
        #expect(steps.optimiser == .sgd(momentum: 0.5, nesterov: true, weightDecay: 0.01))
        #expect(steps.schedule == Schedule(0.1, .step(everyEpochs: 2, factor: 0.5), warmUpBatches: 3))
        #expect(steps.largestGradientNorm == 12 && steps.seed == 7 && steps.averaging == nil)
        let plain = try #require(
            try card(["optimiser": "sgd", "momentum": 0, "schedule": "cosine", "averaging_from": 1]).training?.settings)
        #expect(plain.optimiser == .sgd(momentum: 0, nesterov: false, weightDecay: 0))
        #expect(plain.schedule == Schedule(0.001, .cosine(minimum: 0)))
        #expect(plain.averaging == .init(firstEpoch: 0))
    }

    @Test func lossesAndTheirWeights() throws {
        let own = try card([:]).training?.settings.loss
        #expect(
            own == Loss([Loss.Term(.dice(settings: SoftDice(.softmax, includesBackground: false)))]) + .crossEntropy())
        let weighed = try card([
            "classes": [["name": "bright", "labels": [7]], ["name": "dark", "labels": [9]]],
            "loss": ["dice", "cross_entropy", "focal"], "class_weights": ["dark": 3, "background": 0.5],
        ]).training?.settings.loss
        let weights: [Float] = [0.5, 1, 3]
        let dice = SoftDice(.softmax, includesBackground: false, classWeights: weights)
        #expect(
            weighed
                == Loss([Loss.Term(.dice(settings: dice))]) + .crossEntropy(classWeights: weights)
                + .focal(classWeights: weights))
    }

    @Test func architectures() throws {
        let tutorial = try card([
            "normalisation": "none", "widths": [4, 8, 16], "level_dropout": [0.1, 0.2, 0.3], "upsampling": "nearest",
        ]).network
        let dropped = tutorial.nodes.compactMap { node -> Float? in
            if case .dropout(let probability, _) = node.layer { probability } else { nil }
        }
        #expect(dropped == [0.1, 0.2, 0.3, 0.2, 0.1])
        func kinds(_ network: Network) -> Set<NormalisationSettings.Kind> {
            Set(
                network.nodes.compactMap { node in
                    if case .normalisation(let settings) = node.layer { settings.kind } else { nil }
                })
        }
        #expect(kinds(tutorial).isEmpty)
        #expect(tutorial.nodes.contains { if case .upsampling = $0.layer { true } else { false } })
        #expect(kinds(try card([:]).network) == [.instance])
        #expect(kinds(try card(["normalisation": "group", "groups": 2]).network) == [.group(groups: 2)])
        #expect(kinds(try card(["network": "dbresunet"]).network) == [.batch])
        #expect(
            kinds(try card(["network": "dbresunet", "normalisation": "instance", "dropout": 0.1]).network)
                == [.instance])
        let clipped = try card(["network": "deepmir", "head_activation": "relu"]).network
        #expect(clipped.nodes.last?.layer == .activation(function: .relu) && kinds(clipped) == [.batch])
    }

    @Test func slicesOfZerosAreLeftOut() throws {
        // Maps with a constant well above or below zero: all slices are kept, or none.
        func train(_ shift: Float) throws -> TaskResult {
            let folder = try TaskFolder()
            var (map, labels) = ToyCohort.person(1)
            for n in map.values.indices { map.values[n] += shift }
            try folder.add("images", map, name: "map", context: ToyCohort.context(1))
            try folder.add("labels", labels, name: "labels", context: ToyCohort.context(1))
            labels.values = []
            var parameters = Self.short
            parameters["rank"] = 2
            parameters["sampling"] = "slices"
            parameters["skip_empty"] = "Chimap"
            return try folder.perform("network.train", parameters: parameters)
        }
        let kept = try train(1)
        #expect(kept.failure == nil, "\(kept.failure?.message ?? "")")
        #expect(try train(-1).failure?.message.contains("there is no slice that is not empty") == true)
    }

    @Test(arguments: [("iou", 1.0 / 3), ("accuracy", 0.5), ("balanced_accuracy", 0.5), ("loss", 0)])
    func metrics(name: String, least: Double) throws {
        var parameters = NetworkTaskTests.segmentation
        parameters["epochs"] = 3
        parameters["metric"] = .string(name)
        let folder = try ToyCohort.segmentationFolder(people: 1..<5)
        let result = try folder.perform("network.train", parameters: parameters, threads: 2)
        let metric = try #require(result.measurements.first { $0.metric == "validation_metric" })
        // On patches it is not that of whole images.
        let term = name == "iou" ? "patch_iou" : name
        #expect(metric.term == term && metric.value! > least, "\(metric)")
    }

    /// What a user can get wrong, and the words that must answer.
    @Test(
        arguments: [
            (
                ["classes": [["name": "a", "labels": [7]], ["name": "b", "labels": [7]]]],
                "label 7 belongs to both a and b"
            ),
            (["patch": [15, 16, 16]], "edges are multiples of 2, such as [16, 16, 16]"),
            (["loss": ["hinge"]], "there is no loss “hinge”"),
            (["loss": ["bce"]], "the loss bce is for one class, and 2 are named"),
            (["network": "resnet18"], "samples_per_epoch is a parameter of the networks unet"),
            (["channels": [["modality": "Chimap"], ["modality": "T1w"]]], "lacks one of the 2 channels"),
            (["channels": [["modality": "Chimap", "units": "ppb"]]], "units ppm, not ppb"),
            (["class_weights": ["grey": 2]], "class_weights speaks of “grey”; there are background, bright, dark"),
            (["foreground_weights": ["bright": -1]], "foreground_weights gives bright the weight -1"),
            (["fusion": "concatenation"], "fusion is a parameter of the networks qsmrim, not of unet"),
            (["network": "dbresunet", "rank": 2], "network dbresunet takes volumes"),
            (["network": "dbresunet", "global_scale": 3, "patch": [16, 16, 16]], "such as [18, 18, 18]"),
            (
                ["network": "dbresunet", "patch": [6, 6, 6]],
                "Parameter patch of step step: 6×6×6 voxels do not pass the network: layer global.centre"
            ),
            (["augmentation": "deepmir"], "augmentation deepmir is for sampling slices"),
            (["sampling": "slices"], "sampling slices is for rank 2"),
            (["elastic_mm": 2], "elastic_mm is of augmentation standard, not flips"),
            (["augmentation": "standard", "rotation_degrees": [10, 20]], "rotation_degrees is three angles"),
            (["augmentation": "standard", "scaling": [1.2, 0.8]], "scaling is the smallest and the largest factor"),
            (["widths": [8, "many"]], "widths is whole numbers from 1 to 4096, and has \"many\""),
            (["level_dropout": [0.1]], "level_dropout has 1 probabilities for 2 levels"),
            (["spacing_mm": [1, 1]], "spacing_mm is three positive numbers"),
            (["network": "deepmir", "skip_empty": "SWI"], "skip_empty names the channel “SWI”; there are Chimap"),
            (["metric": "dice", "network": "unet", "skip_empty": "Chimap"], "skip_empty is for sampling slices"),
        ] as [(JSONValue, String)])
    func whatCannotBeTrainedIsSaid(change: JSONValue, words: String) throws {
        var parameters = NetworkTaskTests.segmentation
        for (name, value) in try #require(change.objectValue) { parameters[name] = value }
        let result = try ToyCohort.segmentationFolder(people: 1..<3).perform("network.train", parameters: parameters)
        #expect(result.failure?.outcome == .permanent)
        #expect(result.failure?.message.contains(words) == true, "\(result.failure?.message ?? "nothing")")
    }

    @Test func peopleWithoutLabelsAreNamed() throws {
        let result = try ToyCohort.segmentationFolder(people: 1..<3, labelled: false).perform(
            "network.train", parameters: NetworkTaskTests.segmentation)
        #expect(result.failure?.message.contains("it has no label map") == true)
    }

    // MARK: Classes of people and lesions

    private func refusal(_ folder: TaskFolder, _ changes: JSONValue) throws -> String {
        var parameters: JSONValue = ["patch": [8, 8, 8], "batch": 4, "epochs": 1, "validation": 0]
        for (name, value) in try #require(changes.objectValue) { parameters[name] = value }
        let result = try folder.perform("network.train", parameters: parameters)
        #expect(result.failure?.outcome == .permanent, "\(result)")
        return result.failure?.message ?? ""
    }

    @Test func peopleThatCannotBeToldApart() throws {
        let one = try ToyCohort.groupFolder(people: 2..<3)
        #expect(
            try refusal(one, ["network": "resnet18", "target": "group"])
                .contains("only the class “HH” among the people trained on; the column group needs two"))
        let folder = try ToyCohort.groupFolder(people: 1..<5)
        #expect(
            try refusal(folder, ["network": "resnet18", "target": "grup"])
                .contains("participants.tsv has no column “grup”; did you mean group?"))
        #expect(
            try refusal(folder, ["network": "resnet18", "target": "diagnosis"]).contains("; valid: group"))
        #expect(
            try refusal(folder, ["network": "resnet18", "target": "group", "widths": [4, 8]])
                .contains("network resnet18 has four stages, and there are 2 widths"))
        #expect(try refusal(folder, ["network": "slices"]).contains("name a column of participants.tsv"))
        #expect(
            try refusal(folder, ["network": "slices", "target": "group", "positive": "hh"])
                .contains("positive names the class “hh”; there are HH, control"))
        #expect(
            try refusal(folder, ["network": "slices", "target": "group", "loss": ["dice"]])
                .contains("network slices is not trained with the loss dice; there are bce"))
        #expect(
            try refusal(folder, ["network": "resnet18", "target": "group", "metric": "iou"])
                .contains("the metric iou is of networks that segment"))
        #expect(
            try refusal(folder, ["network": "resnet18", "target": "group", "augmentation": "deepmir"])
                .contains("augmentation deepmir is for slices that are segmented"))
        #expect(
            try refusal(folder, ["network": "qsmrim"]).contains("it has no label map"))
    }

    @Test func lesionsThatCannotBeLearnedFrom() throws {
        func folder(
            targets: String? = nil, features: [String?] = [], people: ClosedRange<Int> = 1...2
        ) throws -> TaskFolder {
            let folder = try TaskFolder()
            for number in people {
                let lesions = ToyCohort.lesions(number, rims: [1, 2])
                let context = ToyCohort.context(number)
                try folder.add("images", lesions.map, name: "map\(number)", context: context)
                try folder.add("labels", lesions.labels, name: "lesions\(number)", context: context)
                try folder.add(
                    "targets", number == 1 ? targets ?? lesions.targets : lesions.targets,
                    name: "targets\(number).tsv", context: context)
                if number <= features.count {
                    try folder.add(
                        "features", features[number - 1] ?? lesions.features, name: "features\(number).tsv",
                        context: context)
                }
            }
            return folder
        }
        let resnet: JSONValue = ["network": "resnet18"]
        let absent = try refusal(try folder(targets: "lesion\tclass\n1\trim\n8\tnone\n", people: 1...1), resnet)
        #expect(absent.contains("targets1.tsv speaks of lesion “8”, which lesions1.nii.gz does not have"))
        // One person's table is no reason to stop for the others.
        let others = try folder(targets: "lesion\tclass\n1\trim\n8\tnone\n").perform(
            "network.train",
            parameters: [
                "network": "resnet18", "widths": [4, 4, 8, 8], "patch": [8, 8, 8], "batch": 4, "epochs": 1,
                "validation": 0,
            ])
        #expect(others.failure == nil, "\(others.failure?.message ?? "")")
        #expect(
            others.warnings.contains {
                $0.contains("takes no part: targets1.tsv speaks of lesion “8”, which lesions1.nii.gz does not have")
            }, "\(others.warnings)")
        let nameless = try refusal(try folder(targets: "number\tclass\n1\trim\n", people: 1...1), resnet)
        #expect(nameless.contains("targets1.tsv has no column “lesion”"))
        let one = try refusal(try folder(targets: "lesion\tclass\n1\trim\n2\trim\n", people: 1...1), resnet)
        #expect(one.contains("only the class “rim”"))
        let three = try folder(targets: "lesion\tclass\n1\trim\n2\tnone\n3\tunsure\n", features: [nil, nil])
        #expect(
            try refusal(three, ["network": "qsmrim"]).contains("network qsmrim is for two classes, and there are 3"))
        #expect(try refusal(try folder(), ["network": "qsmrim"]).contains("it has no table of features"))

        let rim: JSONValue = ["network": "qsmrim"]
        let lesions = ToyCohort.lesions(2, rims: [1, 2])
        let renamed = lesions.features.replacing("size", with: "volume")
        #expect(
            try refusal(try folder(features: [nil, renamed]), rim).contains("features1.tsv has no column “volume”"))
        let unreadable = lesions.features.replacing("\n3\t", with: "\n3\tl\tnan\t0\tn/a\n13\t")
        let message = try refusal(try folder(features: [nil, unreadable], people: 2...2), rim)
        #expect(message.contains("features2.tsv speaks of lesion “13”"), "\(message)")
        let cells =
            lesions.features.split(separator: "\n").map { line in
                line.hasPrefix("3\t") ? "3\tl\tNaN\t0\tn/a" : String(line)
            }.joined(separator: "\n") + "\n"
        let nan = try refusal(try folder(features: [nil, cells], people: 2...2), rim)
        #expect(nan.contains("features2.tsv has “NaN” as strength of lesion 3, which is no number"), "\(nan)")
        let elsewhere = try TaskFolder()
        let own = lesions.labels.grid
        let shifted = VoxelGrid(
            nx: own.nx, ny: own.ny, nz: own.nz, affine: .translation([40, 0, 0]) * own.affine)
        try elsewhere.add("images", lesions.map, name: "map", context: ToyCohort.context(2))
        try elsewhere.add(
            "labels", LabelMap(grid: shifted, values: lesions.labels.values), name: "lesions",
            context: ToyCohort.context(2))
        try elsewhere.add("targets", lesions.targets, name: "targets.tsv", context: ToyCohort.context(2))
        let apart = try refusal(elsewhere, resnet)
        #expect(apart.contains("lesions.nii.gz") && apart.contains("grid"), "\(apart)")
        let bare = try refusal(try folder(features: ["lesion\n1\n", "lesion\n1\n"]), rim)
        #expect(bare.contains("features1.tsv has no column of features beside lesion"), "\(bare)")
    }
}
