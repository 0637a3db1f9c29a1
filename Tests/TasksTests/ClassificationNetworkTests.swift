import BIDS
import Foundation
import Kernels
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
                "network": "resnet18", "target": "group", "patch": [16, 16, 16], "batch": 4, "epochs": 3,
                "augmentation": "none", "validation": 0.25, "learning_rate": 0.001,
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
                "network": "resnet18", "patch": [8, 8, 8], "batch": 12, "epochs": 3, "augmentation": "flips",
                "validation": 0.25, "minimum_positives": 3, "loss": ["cross_entropy", "focal"],
                "class_weights": ["rim": 2], "metric": "balanced_accuracy",
            ], threads: 2, memoryMiB: 2048)
        try #require(result.failure == nil, "\(result.failure?.message ?? "")")
        let card = try Model(path: folder.modelPath).card
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

    /// Images without anything to see: what is learned is in the features, which need their scaling to be seen.
    @Test func qsmRimNetUsesFeatures() throws {
        let folder = try ToyCohort.lesionFolder(people: 1..<7, features: true, image: false)
        let result = try folder.perform(
            "network.train",
            parameters: [
                "network": "qsmrim", "patch": [8, 8, 8], "batch": 12, "epochs": 3, "augmentation": "flips",
                "validation": 0.34, "minimum_positives": 4, "fusion": "concatenation", "smote_includes_self": true,
                "learning_rate": 0.0003, "positive": "rim",
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
        _ = folder
    }
}
