import BIDS
import Foundation
import Kernels
import NIfTI
import Networks
import Testing
import Workflow

@testable import Tasks

/// Every network that classifies, trained for a few steps and applied to somebody else.
@Suite(.serialized) struct ClassificationNetworkTests {
    /// The decision about every lesion of somebody whose lesions `rims` are bright.
    private func decisions(
        _ model: String, rims: Set<Int>, image: Bool = true, features: Bool = false
    ) throws -> [(lesion: String, name: String)] {
        let lesions = ToyCohort.lesions(40, rims: rims, image: image)
        let folder = try TaskFolder()
        try folder.add("image", lesions.map, name: "map")
        try folder.add("lesions", lesions.labels, name: "lesions")
        if features { try folder.add("features", lesions.features, name: "features.tsv") }
        folder.add("model", path: model, name: "model.safetensors")
        let result = try folder.perform("network.classify", threads: 2)
        try #require(result.failure == nil, "\(result.failure?.message ?? "")")
        let rows = try folder.rows("table.tsv")
        for row in rows {
            let probabilities = row[2...].compactMap { Double($0) }
            #expect(abs(probabilities.reduce(0, +) - 1) < 1e-6)
            let stated = try #require(result.value("probability", region: "lesion-\(row[0])", term: "rim"))
            #expect(probabilities.contains(stated))
        }
        return rows.map { ($0[0], $0[1]) }
    }

    @Test func peopleAreToldApart() throws {
        let folder = try ToyCohort.groupFolder(people: 1..<13)
        let result = try folder.perform(
            "network.train",
            parameters: [
                "network": "resnet18", "widths": [8, 16, 32, 64], "target": "group", "patch": [16, 16, 16], "batch": 4,
                "epochs": 12, "augmentation": "none", "validation": 0.25, "learning_rate": 0.003,
            ], threads: 2, memoryMiB: 2048)
        #expect(result.failure == nil, "\(result.failure?.message ?? "")")
        let metric = try #require(result.measurements.first { $0.metric == "validation_metric" })
        #expect(metric.term == "accuracy" && metric.value == 1, "\(metric)")

        let other = try TaskFolder()
        try other.add("image", ToyCohort.groupMap(20, isBright: true), name: "map")
        other.add("model", path: folder.modelPath, name: "model.safetensors")
        let found = try other.perform("network.classify")
        #expect(found.failure == nil, "\(found.failure?.message ?? "")")
        #expect(try other.rows("table.tsv").map { $0[0...1] } == [["n/a", "HH"]])
        #expect(found.outputs.map(\.port) == ["table"])
        _ = folder
    }

    /// Networks of other programs say in their card what they judge, and may end in what makes probabilities.
    @Test(arguments: [nil, Layer.softmax, .activation(function: .sigmoid)])
    func importedClassifiers(last: Layer?) throws {
        let logits = last == .activation(function: .sigmoid) ? 1 : 2
        func network(_ last: Layer?) throws -> Network {
            var builder = NetworkBuilder()
            var x = try builder.input("image", channels: 1, rank: 3)
            x = try builder.convolution("conv", x, channels: 4, kernel: 3)
            x = try builder.add("pool", .globalAveragePooling, x)
            x = try builder.linear("fc", x, outputs: logits)
            if let last { x = try builder.add("last", last, x) }
            return try builder.network(outputs: [x])
        }
        let whole = try network(last)
        let weights = whole.initialWeights(.heNormal, seed: 3)
        let description = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).json")
        defer { try? FileManager.default.removeItem(at: description) }  // best effort
        try Data(
            #"""
            {"name": "iron", "task": "classification", "classes": ["control", "HH"], "window": [8, 6, 4],
             "channels": [{"modality": "Chimap", "units": "ppm", "normalise": "none"}]}
            """#.utf8
        ).write(to: description)
        let card = try ModelDescription(path: description.path).card(
            whole, size: nil, source: .imported(file: "iron.onnx", digest: "", producer: "test"), softwareVersion: "1")
        #expect(card.inference == nil && card.judged?.patch == Extent3(4, 6, 8))
        let folder = try TaskFolder()
        let model = try Model(card: card, weights: weights)
        try model.checkWindow()
        try model.write(to: folder.path + "/iron.safetensors")
        let map = ToyCohort.groupMap(20, isBright: true)
        try folder.add("image", map, name: "map")
        folder.add("model", path: folder.path + "/iron.safetensors", name: "iron.safetensors")
        let result = try folder.perform("network.classify")
        try #require(result.failure == nil, "\(result.failure?.message ?? "")")
        let found = try #require(folder.rows("table.tsv").first.flatMap { Double($0[3]) })

        // The same network to its logits, on the middle of the image.
        let plain = try network(nil)
        let plan = try InferencePlan(
            plain, weights: weights, inputs: [FeatureShape(batch: 1, channels: 1, size: Extent3(4, 6, 8))], threads: 1)
        let first = SIMD3((map.grid.nx - 8) / 2, (map.grid.ny - 6) / 2, (map.grid.nz - 4) / 2)
        var values: [Float] = []
        for z in 0..<4 {
            for y in 0..<6 {
                for x in 0..<8 {
                    values.append(
                        map.values[((first.z + z) * map.grid.ny + first.y + y) * map.grid.nx + first.x + x])
                }
            }
        }
        let answer = try plan.run([Tensor(shape: [1, 1, 4, 6, 8], values: values)])[0].values.map(Double.init)
        let expected = 1 / (1 + exp((logits == 1 ? 0 : answer[0]) - answer[logits - 1]))
        #expect(abs(found - expected) < 1e-6, "\(found) \(expected)")
    }

    @Test func lesionsOfAnotherPersonAreToldApart() throws {
        let folder = try ToyCohort.lesionFolder(people: 1..<9)
        let result = try folder.perform(
            "network.train",
            parameters: [
                "network": "resnet18", "widths": [16, 32, 64, 64], "patch": [8, 8, 8], "batch": 12, "epochs": 30,
                "learning_rate": 0.003, "augmentation": "flips", "validation": 0.25, "minimum_positives": 3,
                "loss": ["cross_entropy", "focal"],
                "class_weights": ["rim": 2], "metric": "balanced_accuracy",
            ], threads: 2, memoryMiB: 2048)
        try #require(result.failure == nil, "\(result.failure?.message ?? "")")
        let card = try Model(path: folder.modelPath).card
        #expect(card.architecture == "ResNet-18, 3-D, 16-32-64-64")
        #expect(try Model(path: folder.modelPath).weights["fc.weight"]?.shape == [2, 64])
        // The rarer class counts as positive.
        #expect(card.classes == ["none", "rim"] && card.training?.targeted?.minimumPositives == 3)
        #expect(
            card.training?.settings.loss
                == Loss.crossEntropy(classWeights: [1, 2]) + .focal(classWeights: [1, 2]))
        #expect(card.metrics.map(\.name) == ["balanced_accuracy"] && card.metrics[0].value == 1)
        let found = try decisions(folder.modelPath, rims: [2, 5, 6])
        #expect(found.map(\.lesion) == (1...6).map(String.init))
        #expect(found.map(\.name) == ["none", "rim", "none", "none", "rim", "rim"])
        _ = folder
    }

    /// In a cross-validation no fold learns other classes than the next.
    @Test func classesAreThoseThatAreStated() throws {
        let folder = try ToyCohort.lesionFolder(people: 1..<5)
        var third = ToyCohort.lesions(9, rims: [2])
        third.targets = third.targets.replacing("1\tnone", with: "1\tvein")
        let context = ToyCohort.context(9)
        try folder.add("images", third.map, name: "sub-09_Chimap", context: context)
        try folder.add("labels", third.labels, name: "sub-09_lesions", context: context)
        try folder.add("targets", third.targets, name: "sub-09_targets.tsv", context: context)
        func trained(_ folder: TaskFolder, _ further: [String: JSONValue]) throws -> TaskResult {
            let parameters: [String: JSONValue] = [
                "network": "resnet18", "widths": [8, 16, 32, 64], "patch": [8, 8, 8], "batch": 6, "epochs": 1,
                "augmentation": "lesions", "validation": 0, "minimum_positives": 2,
            ]
            return try folder.perform(
                "network.train", parameters: .object(parameters.merging(further) { $1 }), threads: 2, memoryMiB: 2048)
        }
        let three = try trained(folder, [:])
        #expect(three.failure?.message.contains("minimum_positives is for two classes, and there are 3") == true)
        let result = try trained(folder, ["classes": ["rim", "none"], "notes": ["A design of ours."]])
        try #require(result.failure == nil, "\(result.failure?.message ?? "")")
        let left = "1 lesion is of the class “vein” and left out, such as "
        #expect(
            result.warnings.count == 1 && result.warnings[0].hasPrefix(left)
                && result.warnings[0].hasSuffix(": the classes are rim, none."), "\(result.warnings)")
        let card = try Model(path: folder.modelPath).card
        // The last counts as positive, though it is not the rarer.
        #expect(card.classes == ["rim", "none"] && card.notes == ["A design of ours."])
        var spatial = SpatialAugmentation.lesions(isFlat: false)
        spatial.beyond = .background
        #expect(card.training?.targeted?.spatial == spatial)

        // A fold whose training has nobody with a rim.
        let healthy = try TaskFolder()
        for number in 1..<4 {
            let (lesions, context) = (ToyCohort.lesions(number, rims: []), ToyCohort.context(number))
            try healthy.add("images", lesions.map, name: "\(number)_Chimap", context: context)
            try healthy.add("labels", lesions.labels, name: "\(number)_lesions", context: context)
            try healthy.add("targets", lesions.targets, name: "\(number)_targets.tsv", context: context)
        }
        #expect(
            try trained(healthy, ["classes": ["none", "rim"]]).failure?.message
                == "Step step: what is to be told apart has only the class “none” among the people trained on, and nothing of "
                + "“rim”; a training needs lesions of two classes or more: add people who have them, or let “stratify” of folds "
                + "give every fold its share")
        _ = folder
    }

    /// Whoever lacks the mask that a channel is normalised in takes no part, and stops nobody else.
    @Test func masksAreNeededWhereChannelsAre() throws {
        let folder = try ToyCohort.lesionFolder(people: 1..<5)
        var mask = Mask(grid: ToyCohort.grid)
        for n in mask.values.indices { mask.values[n] = 1 }
        try NIfTIFile.write(mask, to: folder.path + "/mask.nii.gz")
        for number in 1..<4 {
            folder.add(
                "masks", path: folder.path + "/mask.nii.gz", name: "mask.nii.gz", context: ToyCohort.context(number))
        }
        let result = try folder.perform(
            "network.train",
            parameters: [
                "network": "resnet18", "widths": [8, 16, 32, 64], "patch": [8, 8, 8], "batch": 6, "epochs": 1,
                "augmentation": "none", "validation": 0,
                "channels": [["modality": "Chimap", "normalise": "zscore_mask"]],
            ], threads: 2, memoryMiB: 2048)
        try #require(result.failure == nil, "\(result.failure?.message ?? "")")
        #expect(
            result.warnings == ["sub-04 takes no part: it has no brain mask, inside which a channel is normalised."])
        #expect(try folder.rows("split.tsv").map { $0[0] } == ["sub-01", "sub-02", "sub-03"])
    }

    /// Images without anything to see: what is learned is in the features, which need their scaling to be seen.
    @Test func qsmRimNetUsesFeatures() throws {
        let folder = try ToyCohort.lesionFolder(people: 1..<7, features: true, image: false)
        let result = try folder.perform(
            "network.train",
            parameters: [
                "network": "qsmrim", "widths": [8, 16, 32, 64], "patch": [8, 8, 8], "batch": 12, "epochs": 24,
                "augmentation": "flips", "validation": 0.34, "minimum_positives": 4, "fusion": "concatenation",
                "smote_includes_self": true, "learning_rate": 0.003, "positive": "rim",
            ], threads: 2, memoryMiB: 2048)
        try #require(result.failure == nil, "\(result.failure?.message ?? "")")
        let card = try Model(path: folder.modelPath).card
        #expect(card.classes == ["none", "rim"] && card.output == .sigmoid)
        #expect(card.network.nodes.contains { $0.layer == .deepSMOTE(neighbours: 3, includesSelf: true) })
        #expect(card.network.nodes.contains { $0.name == "fusionNet.fc" })
        let metric = try #require(result.measurements.first { $0.metric == "validation_metric" })
        #expect(metric.term == "balanced_accuracy" && metric.value! > 0.9, "\(metric)")
        // The split is by person, and features are scaled as the training people's are.
        let split = try folder.rows("split.tsv")
        let learned = split.filter { $0[2] == "training" }.compactMap { Int($0[0].dropFirst(4)) }
        #expect(learned.count == 4 && split.count == 6)
        let strengths = learned.flatMap { number in
            ToyCohort.lesions(number, rims: [number % 6 + 1, (number + 2 + number % 2) % 6 + 1]).features
                .split(separator: "\n").dropFirst().compactMap { Double($0.split(separator: "\t")[2]) }
        }
        let features = try #require(card.features)
        #expect(features.names == ["strength", "size"])
        #expect(abs(features.means[0] - strengths.reduce(0, +) / 24) < 1e-9)

        let found = try decisions(folder.modelPath, rims: [1, 4], image: false, features: true)
        #expect(found.map(\.name) == ["rim", "none", "none", "rim", "none", "none"])
        // The same image with other features is judged otherwise.
        let others = try decisions(folder.modelPath, rims: [2, 3], image: false, features: true)
        #expect(others.map(\.name) == ["none", "rim", "rim", "none", "none", "none"])
        _ = folder
    }

    /// A small network that takes what QSMRim-Net takes, trained by nobody.
    private func featureModel() throws -> Model {
        var builder = NetworkBuilder()
        let image = try builder.input("image", channels: 1, rank: 3)
        let numbers = try builder.input("radiomics", channels: 2, rank: 0)
        let seen = try builder.convolution("convolution", image, channels: 4, kernel: 3)
        let pooled = try builder.add("pool", .globalAveragePooling, seen)
        let joined = try builder.add("join", .concatenation, pooled, numbers)
        let logit = try builder.linear("head", joined, outputs: 1)
        let network = try builder.network(outputs: [logit])
        var card = ModelCard(
            name: "rims", task: .classification, architecture: "small", network: network,
            channels: [.init(modality: "Chimap", units: "ppm", normalisation: .none)],
            geometry: .init(spacingMillimetres: nil, orientation: nil, otherGrids: .resample),
            classes: ["none", "rim"], output: .sigmoid, source: .trained, softwareVersion: "1")
        card.features = FeatureStandardisation(names: ["strength", "size"], samples: [[900, 0], [1100, 1]])
        card.training = .init(
            settings: TrainingSettings(epochs: 1, loss: .binaryCrossEntropy(), schedule: Schedule(1e-3)),
            targeted: TargetedOptions(patch: Extent3(4, 4, 4), batch: 1))
        return try Model(card: card, weights: network.initialWeights(.heNormal, seed: 1))
    }

    @Test func whatAModelWithFeaturesNeedsIsAskedFor() throws {
        let model = try featureModel()
        let lesions = ToyCohort.lesions(40, rims: [1])
        func classified(_ table: String?, lesionMap: Bool = true) throws -> TaskResult {
            let folder = try TaskFolder()
            try folder.add("image", lesions.map, name: "map")
            if lesionMap { try folder.add("lesions", lesions.labels, name: "lesions") }
            if let table { try folder.add("features", table, name: "features.tsv") }
            try model.write(to: folder.path + "/model.safetensors")
            folder.add("model", path: folder.path + "/model.safetensors", name: "model.safetensors")
            return try folder.perform("network.classify")
        }
        func refusal(_ table: String?, lesionMap: Bool = true) throws -> String {
            let result = try classified(table, lesionMap: lesionMap)
            #expect(result.failure?.outcome == .permanent)
            return result.failure?.message ?? ""
        }
        let table = lesions.features
        let whole = try classified(table)
        #expect(whole.failure == nil, "\(whole.failure?.message ?? "")")
        // Columns are found by name, wherever they stand, and others do not matter.
        let turned = table.split(separator: "\n").enumerated().map { n, line -> String in
            let cells = line.split(separator: "\t").map(String.init)
            return [n == 0 ? "site" : "A", cells[3], cells[0], cells[2]].joined(separator: "\t") + "\n"
        }.joined()
        #expect(try classified(turned).measurements == whole.measurements)

        #expect(try refusal(nil).contains("bind a table of them to “features”"))
        #expect(try refusal(table, lesionMap: false).contains("bind a map of them to “lesions”"))
        #expect(try refusal(table.replacing("strength", with: "force")).contains("no column “strength”"))
        let short = table.split(separator: "\n").dropLast().joined(separator: "\n") + "\n"
        #expect(try refusal(short).contains("has no row for lesion 6"))
        #expect(
            try refusal(table + "9\tl\t1\t1\tn/a\n").contains(
                "speaks of lesion “9”, which lesions.nii.gz does not have"))
        #expect(try refusal(short + "6\tl\tnan\t1\tn/a\n").contains("has “nan” as strength of lesion 6"))
        // What a lesion does not have is taken as the mean.
        #expect(
            try classified(short + "6\tl\tn/a\t1\tn/a\n").measurements
                == classified(short + "6\tl\t1000\t1\tn/a\n").measurements)
        #expect(try refusal(table + "6\tl\t1\t1\tn/a\n").contains("has lesion 6 twice"))
    }

    @Test func slicesAndScansAreJudged() throws {
        let folder = try ToyCohort.groupFolder(people: 1..<13)
        let result = try folder.perform(
            "network.train",
            parameters: [
                "network": "slices", "target": "group", "positive": "HH", "patch": [16, 16, 6], "batch": 4,
                "epochs": 6, "averaging_from": 5, "augmentation": "flips", "validation": 0.25, "widths": [4, 8],
                "learning_rate": 0.01, "class_weights": ["HH": 3, "control": 2],
            ], threads: 2, memoryMiB: 2048)
        try #require(result.failure == nil, "\(result.failure?.message ?? "")")
        let metric = try #require(result.measurements.first { $0.metric == "validation_metric" })
        #expect(metric.term == "accuracy" && metric.value == 1, "\(metric)")
        // Averaged weights are those of no epoch.
        #expect(result.value("best_epoch") == nil)
        let card = try Model(path: folder.modelPath).card
        #expect(card.classes == ["control", "HH"])
        #expect(card.training?.settings.averaging == .init(firstEpoch: 4))
        let loss = Loss.binaryCrossEntropy(positiveWeights: [1.5])
        #expect(card.training?.settings.loss == loss + loss.on(output: 1))

        for isBright in [true, false] {
            let other = try TaskFolder()
            try other.add("image", ToyCohort.groupMap(20, isBright: isBright), name: "map")
            other.add("model", path: folder.modelPath, name: "model.safetensors")
            let found = try other.perform("network.classify")
            try #require(found.failure == nil, "\(found.failure?.message ?? "")")
            let (row, name) = (try other.rows("table.tsv")[0], isBright ? "HH" : "control")
            #expect(row[0] == "n/a" && row[1] == name && Double(row[isBright ? 3 : 2])! > 0.5)
            #expect(found.value("decision") == (isBright ? 1 : 0))
            // Six slices about the middle of sixteen, 5 to 10.
            let slices = try other.rows("slices.tsv")
            #expect(slices.map { $0[0] } == (5...10).map(String.init))
            #expect(slices.map { $0[1] } == (5...10).map(String.init))
            #expect(slices.allSatisfy { $0[2] == name }, "\(slices)")
            #expect(found.outputs.map(\.port) == ["table", "slices"])
        }
        try onlySlicesOfRegions(folder.modelPath)
        _ = folder
    }

    /// With regions those slices alone are judged that meet one; a map of another grid is none of them.
    private func onlySlicesOfRegions(_ model: String) throws {
        func folder(_ grid: VoxelGrid, regionIn slices: Set<Int>) throws -> TaskFolder {
            let folder = try TaskFolder()
            try folder.add("image", ToyCohort.groupMap(20, isBright: true), name: "map")
            folder.add("model", path: model, name: "model.safetensors")
            var regions = LabelMap(grid: grid)
            for k in slices { regions.values[grid.index(4, 4, k)] = 3 }
            try folder.add("regions", regions, name: "regions")
            return folder
        }
        let some = try folder(ToyCohort.grid, regionIn: [2, 6, 9])
        try #require(try some.perform("network.classify").failure == nil)
        #expect(try some.rows("slices.tsv").map { $0[0] } == ["6", "9"])
        let none = try folder(ToyCohort.grid, regionIn: [2])
        #expect(
            try none.perform("network.classify").failure?.message.hasPrefix("no slice of the slab meets a region")
                == true)
        let elsewhere = try folder(VoxelGrid(nx: 20, ny: 18, nz: 12, affine: .scaling([1, 1, 1])), regionIn: [6])
        #expect(try elsewhere.perform("network.classify").failure?.message.contains("regions") == true)
    }
}
