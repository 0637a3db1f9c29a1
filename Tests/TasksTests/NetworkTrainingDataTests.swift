import BIDS
import Foundation
import Kernels
import NIfTI
import Networks
import TestSupport
import Testing
import Workflow

@testable import Tasks

/// Cohorts as they are: people without a lesion, without a class, without a table.
@Suite(.serialized) struct NetworkTrainingDataTests {
    private static let grid = VoxelGrid(nx: 12, ny: 12, nz: 12, affine: .scaling(SIMD3(1, 1, 1)))

    private static func context(_ number: Int) -> TaskContext { TaskContext(subject: String(format: "%02d", number)) }

    /// Noise with a bright box, which is lesion 1, in those people that have one.
    private static func folder(people: Range<Int>, hasLesion: (Int) -> Bool, labelled: Bool = true) throws -> TaskFolder
    {
        let folder = try TaskFolder()
        for number in people {
            var random = SeededGenerator(seed: UInt64(number))
            var (map, labels) = (Volume(grid: grid), LabelMap(grid: grid))
            for n in map.values.indices { map.values[n] = Float(0.02 * random.gaussian()) }
            if hasLesion(number) {
                for k in 4..<8 {
                    for j in 4..<8 {
                        for i in 4..<8 {
                            map[i, j, k] += 0.15
                            labels.values[grid.index(i, j, k)] = 1
                        }
                    }
                }
                // A second lesion, of which tables may speak.
                labels.values[0] = 3
            }
            let (mapPath, labelPath) = ("\(folder.path)/m\(number).nii.gz", "\(folder.path)/l\(number).nii.gz")
            try NIfTIFile.write(map, to: mapPath)
            try NIfTIFile.write(labels, to: labelPath)
            folder.add(
                "images", path: mapPath, name: "\(number)_Chimap.nii.gz", context: context(number),
                metadata: ["Units": "ppm"])
            if labelled {
                folder.add("labels", path: labelPath, name: "\(number)_dseg.nii.gz", context: context(number))
            }
        }
        return folder
    }

    private static let segmentation: JSONValue = [
        "classes": [["name": "microbleed", "labels": [1]]], "widths": [4, 8], "patch": [8, 8, 8], "batch": 2,
        "epochs": 2, "samples_per_epoch": 4, "augmentation": "none", "validation": 0.25,
    ]

    /// Who is judged by depends on seed and name; found out by a training that leaves nobody without a lesion.
    private static func validating(_ people: Range<Int>) throws -> Set<Int> {
        let folder = try folder(people: people, hasLesion: { _ in true })
        let result = try folder.perform("network.train", parameters: segmentation)
        try #require(result.failure == nil, "\(result.failure?.message ?? "")")
        return Set(
            try folder.output("split.tsv").split(separator: "\n").filter { $0.hasSuffix("validation") }.compactMap {
                Int($0.dropFirst(4).prefix(2))
            })
    }

    @Test func validationPeopleWithoutALesionAreJudgedByTheLoss() throws {
        let judged = try Self.validating(1..<5)
        try #require(judged.count == 1)
        let folder = try Self.folder(people: 1..<5, hasLesion: { !judged.contains($0) })
        let result = try folder.perform("network.train", parameters: Self.segmentation)
        #expect(result.failure == nil, "\(result.failure?.message ?? "")")
        #expect(
            result.warnings.contains { $0.hasPrefix("No validation image has a voxel of microbleed: ") },
            "\(result.warnings)")
        #expect(result.measurements.first { $0.metric == "validation_metric" }?.term == "loss")
    }

    @Test func trainingWithoutAnyLesionNamesWhatIsMissing() throws {
        let folder = try Self.folder(people: 1..<5, hasLesion: { _ in false })
        let result = try folder.perform("network.train", parameters: Self.segmentation)
        #expect(result.failure?.outcome == .permanent)
        #expect(
            result.failure?.message
                == "Step step: no label map of the people to be trained on has a voxel of microbleed; check “classes” and what is bound to “labels”"
        )
    }

    @Test func aClassThatNeverOccursIsWarnedOf() throws {
        var parameters = Self.segmentation
        parameters["classes"] = [["name": "microbleed", "labels": [1]], ["name": "infarct", "labels": [2]]]
        let folder = try Self.folder(people: 1..<5, hasLesion: { _ in true })
        let result = try folder.perform("network.train", parameters: parameters)
        #expect(result.failure == nil, "\(result.failure?.message ?? "")")
        #expect(result.warnings.contains { $0.contains("have no voxel of infarct") }, "\(result.warnings)")
        func voxels(_ name: String) -> Double? { result.value("training_voxels", term: name) }
        #expect(voxels("infarct") == 0 && voxels("microbleed") == 3 * 64)
        #expect(result.measurements.filter { $0.metric == "dice" }.map(\.term).contains("microbleed"))
    }

    /// Where one warning of many is shown, it is not that somebody has no labels.
    @Test func whatCannotBeLearnedIsWarnedOfFirst() throws {
        var parameters = Self.segmentation
        parameters["classes"] = [["name": "microbleed", "labels": [1]], ["name": "infarct", "labels": [2]]]
        let folder = try Self.folder(people: 1..<5, hasLesion: { _ in true })
        try folder.add("images", Volume(grid: Self.grid), name: "09_Chimap", context: Self.context(9))
        let result = try folder.perform("network.train", parameters: parameters)
        #expect(result.failure == nil, "\(result.failure?.message ?? "")")
        #expect(result.warnings.first?.contains("have no voxel of infarct") == true, "\(result.warnings)")
        #expect(result.warnings.contains("sub-09 takes no part: it has no label map."), "\(result.warnings)")
    }

    /// Folds that each go by the first image of their own would give models of different grids.
    @Test func foldsOfImagesThatDifferInVoxelSizeNeedOne() throws {
        let folder = try Self.folder(people: 1..<4, hasLesion: { _ in true })
        let coarse = VoxelGrid(nx: 12, ny: 12, nz: 12, affine: .scaling(SIMD3(1, 1, 2)))
        var labels = LabelMap(grid: coarse)
        for n in 700..<710 { labels.values[n] = 1 }
        try folder.add("images", Volume(grid: coarse), name: "09_Chimap", context: Self.context(9))
        try folder.add("labels", labels, name: "09_dseg", context: Self.context(9))
        func result(fold: Int?, _ spacing: JSONValue = []) throws -> TaskResult {
            var parameters = Self.segmentation
            parameters["spacing_mm"] = spacing
            var request = try folder.request("network.train", parameters: parameters)
            request.context.fold = fold
            return AttemptRunner.perform(request)
        }
        let refused = try result(fold: 2)
        #expect(refused.failure?.outcome == .permanent)
        #expect(
            refused.failure?.message
                == "Step step: voxels of 1_Chimap.nii.gz have 1.0×1.0×1.0 mm, those of 09_Chimap.nii.gz 1.0×1.0×2.0 mm, and every "
                + "fold would take the size of its own first image; state spacing_mm, so that the models of all folds are of one grid"
        )
        // One training by itself goes by the first image, and folds by what is stated.
        for other in [try result(fold: nil), try result(fold: 2, [1, 1, 1])] {
            #expect(other.failure == nil, "\(other.failure?.message ?? "")")
        }
    }

    // MARK: Classes by names

    private func byName(_ tables: [Int: String], classes: JSONValue) throws -> (result: TaskResult, folder: TaskFolder)
    {
        let folder = try ToyCohort.segmentationFolder(people: 1..<6)
        for (number, table) in tables.sorted(by: { $0.key < $1.key }) {
            try folder.add("tables", table, name: "\(number)_dseg.tsv", context: ToyCohort.context(number))
        }
        var parameters = NetworkTaskTests.segmentation
        (parameters["classes"], parameters["epochs"], parameters["samples_per_epoch"]) = (classes, 1, 4)
        return (try folder.perform("network.train", parameters: parameters), folder)
    }

    private static let bright: JSONValue = [
        ["name": "bright", "regions": ["left_bright", "L_bright"]], ["name": "dark", "regions": ["dark", "dim"]],
    ]

    /// Whatever a table calls a region and numbers it: weights are those of classes by numbers.
    @Test func namesOfRegionsStandForTheirNumbers() throws {
        let (table, other) = ("index\tname\n7\tL_bright\n9\tdim\n", "index\tname\n5\tdark\n9\tdim\n7\tleft_bright\n")
        let (named, first) = try byName([1: table, 2: other, 3: table, 4: table, 5: other], classes: Self.bright)
        #expect(named.failure == nil && named.warnings.isEmpty, "\(named)")
        let (numbered, second) = try byName(
            [:], classes: [["name": "bright", "labels": [7]], ["name": "dark", "labels": [5, 9]]])
        #expect(numbered.failure == nil)
        let (a, b) = (try Model(path: first.modelPath), try Model(path: second.modelPath))
        #expect(a.card.classes == ["background", "bright", "dark"])
        #expect(a.weights == b.weights)
        // What the tables said belongs to what was learned from.
        #expect(a.card.data.map(\.file).contains("1_dseg.tsv") && a.card.data.count == b.card.data.count + 5)
    }

    @Test func whoseTableCannotNameAClassIsNotTakenToLackIt() throws {
        let table = "index\tname\n7\tL_bright\n9\tdim\n"
        let lacking = "index\tname\n7\tL_bright\n8\tputamen\n"
        let sentence =
            "4_dseg.tsv names no region of class dark (dark, dim); it has L_bright, putamen. Correct “regions” in classes, or "
            + "leave the class out"
        let (without, one) = try byName([1: table, 2: table, 3: table, 4: lacking, 5: table], classes: Self.bright)
        #expect(without.failure == nil && without.warnings == ["sub-04 takes no part: \(sentence)."])
        let (refused, _) = try byName([4: lacking], classes: Self.bright)
        #expect(refused.failure?.message.contains("takes no part") == true, "\(refused)")
        let (partly, two) = try byName([1: table, 2: table, 3: table, 5: table], classes: Self.bright)
        #expect(partly.failure == nil)
        #expect(partly.warnings == ["sub-04 takes no part: it has no table of the names of its regions."])
        _ = (one, two)
    }

    /// Who cannot be read is told, and the others are learned from as if the person had never been there.
    @Test func whoCannotBeReadTakesNoPart() throws {
        let folder = try ToyCohort.segmentationFolder(people: 1..<5)
        let broken = try #require(folder.inputs.first { $0.input.port == "images" && $0.input.context.subject == "02" })
        let data = try Data(contentsOf: URL(fileURLWithPath: broken.path))
        try data.prefix(data.count / 2).write(to: URL(fileURLWithPath: broken.path))
        var parameters = NetworkTaskTests.segmentation
        parameters["epochs"] = 1
        let result = try folder.perform("network.train", parameters: parameters)
        try #require(result.failure == nil, "\(result.failure?.message ?? "")")
        #expect(
            result.warnings.count == 1 && result.warnings[0].hasPrefix("sub-02 takes no part: "), "\(result.warnings)")
        // By the name that the dataset has for it, not by the place where a worker put it.
        #expect(!result.warnings[0].contains("/"), "\(result.warnings)")
        let split = try #require(try Model(path: folder.modelPath).card.split)
        #expect(Set(split.training + split.validation) == ["01", "03", "04"])
    }

    /// Which of two label maps counts would be chance; copies are one.
    @Test func twoLabelMapsOfAPersonAreRefused() throws {
        let folder = try ToyCohort.segmentationFolder(people: 1..<4)
        let labels = try #require(folder.inputs.first { $0.input.port == "labels" })
        folder.inputs.append(labels)
        var parameters = NetworkTaskTests.segmentation
        parameters["epochs"] = 1
        #expect(try folder.perform("network.train", parameters: parameters).failure == nil)
        folder.add("labels", path: labels.path, name: "rater2_dseg.nii.gz", context: labels.input.context)
        let message = try folder.perform("network.train", parameters: parameters).failure?.message ?? ""
        #expect(
            message.contains("\(labels.input.context) has two files at “labels”")
                && message.contains("rater2_dseg.nii.gz"),
            "\(message)")
    }

    @Test func theBytesOfAModelDoNotDependOnTheNameOfItsStep() throws {
        var models: [Data] = []
        for step in ["a", "b"] {
            let folder = try Self.folder(people: 1..<4, hasLesion: { _ in true })
            var request = try folder.request("network.train", parameters: Self.segmentation)
            request.step = step
            try #require(AttemptRunner.perform(request).failure == nil)
            models.append(try Data(contentsOf: URL(fileURLWithPath: folder.path + "/out/model.safetensors")))
        }
        #expect(models[0] == models[1])
    }

    @Test func averagedWeightsAreWhatIsReported() throws {
        var parameters = Self.segmentation
        parameters["averaging_from"] = 2
        parameters["averaging_rate"] = 0.05
        let folder = try Self.folder(people: 1..<5, hasLesion: { _ in true })
        let result = try folder.perform("network.train", parameters: parameters)
        #expect(result.failure == nil, "\(result.failure?.message ?? "")")
        #expect(!result.measurements.contains { $0.metric == "best_epoch" })
        #expect(result.measurements.contains { $0.metric == "validation_loss" })
        let curve = try folder.output("curve.tsv").split(separator: "\n").map { $0.split(separator: "\t") }
        #expect(curve.map { $0[1] } == ["learning_rate", "0.001", "0.05"])
        parameters["averaging_from"] = 3
        let late = try folder.perform("network.train", parameters: parameters)
        #expect(
            late.failure?.message
                == "Parameter averaging_from of step step: weights are averaged from epoch 3 on, and there are only 2 epochs"
        )
    }

    @Test func moreMemoryIsAskedForBeforeTheTrainingBegins() throws {
        var parameters = Self.segmentation
        parameters["widths"] = [128, 256]
        parameters["patch"] = [64, 64, 64]
        let folder = try Self.folder(people: 1..<3, hasLesion: { _ in true })
        let result = try folder.perform("network.train", parameters: parameters, memoryMiB: 64)
        #expect(result.failure?.outcome == .outOfMemory)
        #expect(
            result.failure?.message.contains("more than its 64 MiB; raise its memory") == true,
            "\(result.failure?.message ?? "")")
    }

    /// Judging whole images in the end may take more than learning from small pieces of them.
    @Test func judgingIsPartOfTheStatement() throws {
        let folder = try Self.folder(people: 1..<5, hasLesion: { _ in true })
        let environment = try TaskEnvironment(
            request: try folder.request("network.train", parameters: Self.segmentation))
        let parameters = try TrainingParameters(environment)
        let people = try TrainingPeople(environment, channels: 1, needs: [.labels], fraction: 0.25, seed: 1)
        let training = try SegmentationTraining(
            parameters, people, .init(spacingMillimetres: SIMD3(1, 1, 1), orientation: "RAS", otherGrids: .resample)
        ).training
        let judged = try #require(training.volumes?.volumes)
        #expect(judged.count == 1)
        let volume = try judged.volume(0)
        let model = try Model(card: training.card, weights: training.card.network.initialWeights(.heNormal, seed: 5))
        let run = try VolumeSegmentation(
            volume: volume.size, channels: volume.channels, background: volume.background,
            members: [try model.segmentationNetwork()], options: try #require(training.card.inference), threads: 1)
        let memory = try TrainingMemory(training, threads: 1)
        #expect(memory.judging == run.memory.total && memory.judging > 0)
        #expect(
            memory.total == max(memory.judging, memory.plan.total + memory.batches) + memory.copies + memory.volumes)
        withExtendedLifetime(folder) {}
    }

    @Test func segmentingAsksForMoreMemoryToo() throws {
        let folder = try Self.folder(people: 1..<4, hasLesion: { _ in true })
        try #require(folder.perform("network.train", parameters: Self.segmentation).failure == nil)
        let other = try TaskFolder()
        let big = VoxelGrid(nx: 80, ny: 80, nz: 80, affine: .scaling(SIMD3(1, 1, 1)))
        try NIfTIFile.write(Volume(grid: big), to: other.path + "/map.nii.gz")
        other.add("image", path: other.path + "/map.nii.gz", name: "map.nii.gz", metadata: ["Units": "ppm"])
        other.add("model", path: folder.path + "/out/model.safetensors", name: "model.safetensors")
        let result = try other.perform("network.segment", parameters: ["whole_volume": true], memoryMiB: 8)
        #expect(result.failure?.outcome == .outOfMemory)
        #expect(
            result.failure?.message.hasSuffix("more than its 8 MiB; raise its memory or leave out whole_volume")
                == true, "\(result.failure?.message ?? "")")
        // What is held already counts: the image alone takes 2 MB.
        let little = try other.perform("network.segment", memoryMiB: 1)
        #expect(little.failure?.outcome == .outOfMemory)
    }

    /// Sessions without a class are no part of the training, and lesions without one none of its samples.
    @Test func whoHasNoClassIsNotSaidToHaveBeenTrainedOn() throws {
        let folder = try Self.folder(people: 1..<8, hasLesion: { _ in true })
        for number in 1..<7 {
            let text = "lesion\tclass\n1\t\(number == 6 ? "n/a" : number % 2 == 0 ? "rim" : "none")\n3\tn/a\n"
            try folder.add("targets", text, name: "\(number).tsv", context: Self.context(number))
        }
        let result = try folder.perform(
            "network.train",
            parameters: [
                "network": "resnet18", "widths": [8, 16, 32, 64], "patch": [8, 8, 8], "batch": 3, "epochs": 1,
                "augmentation": "none", "validation": 0.2, "rank": 2,
            ], memoryMiB: 2048)
        #expect(result.failure == nil, "\(result.failure?.message ?? "")")
        let split = try folder.output("split.tsv")
        #expect(!split.contains("sub-06") && !split.contains("sub-07"))
        #expect(split.split(separator: "\n").count == 6)
        let card = try #require(result.outputs.first { $0.port == "model" }?.metadata?["card"])
        #expect(card["classes"]?.arrayValue?.compactMap(\.stringValue) == ["none", "rim"])
        #expect(card["data"]?.arrayValue?.contains { $0["subject"]?.stringValue == "06" } == false)
        #expect(result.warnings.contains("Lesion 3 of 1.tsv has no class and is left out."), "\(result.warnings)")
        #expect(result.warnings.contains { $0.contains("6.tsv names no lesion with a class") })
        #expect(result.warnings.contains { $0.contains("it has no table of targets") })
    }

    @Test func tooManyClassesAreSaidToBe() throws {
        var parameters = Self.segmentation
        parameters["classes"] = .array((1...256).map { ["name": .string("c\($0)"), "labels": [.integer(Int64($0))]] })
        let result = try Self.folder(people: 1..<3, hasLesion: { _ in true }).perform(
            "network.train", parameters: parameters)
        #expect(
            result.failure?.message.contains("256 classes are more than the 255 beside background") == true,
            "\(result.failure?.message ?? "")")
    }

    @Test func aClassifierThatGivesNoNumbersIsRefused() throws {
        var builder = NetworkBuilder()
        let image = try builder.input("image", channels: 1, rank: 3)
        let pooled = try builder.add("pool", .globalAveragePooling, image)
        let a = try builder.linear("a", pooled, outputs: 2)
        let b = try builder.linear("b", a, outputs: 2)
        let network = try builder.network(outputs: [b])
        var card = ModelCard(
            name: "loud", task: .classification, architecture: "two layers", network: network,
            channels: [.init(modality: "T1w", units: "arbitrary", normalisation: .none)],
            geometry: .init(spacingMillimetres: nil, orientation: nil, otherGrids: .resample), classes: ["x", "y"],
            output: .softmax, source: .trained, softwareVersion: "1")
        card.training = .init(
            settings: TrainingSettings(epochs: 1, loss: .crossEntropy(), schedule: Schedule(0.1)),
            targeted: TargetedOptions(patch: Extent3(4, 4, 4), batch: 1))
        let tensors = network.parameters.map { parameter in
            Tensor(shape: parameter.shape, values: [Float](repeating: 1e30, count: parameter.count))
        }
        let folder = try TaskFolder()
        try Model(card: card, weights: Weights(parameters: network.parameters, tensors: tensors)).write(
            to: folder.path + "/model.safetensors")
        var map = Volume(grid: Self.grid)
        for n in map.values.indices { map.values[n] = 1 }
        try NIfTIFile.write(map, to: folder.path + "/map.nii.gz")
        folder.add("image", path: folder.path + "/map.nii.gz", name: "map.nii.gz")
        folder.add("model", path: folder.path + "/model.safetensors", name: "model.safetensors")
        let result = try folder.perform("network.classify")
        #expect(result.failure?.outcome == .permanent)
        #expect(
            result.failure?.message
                == "model loud gives values that are no finite numbers; its weights or the image are unusable"
        )
    }

    /// What images take is what is there of them, not what there might be.
    @Test func imagesAreCountedAsTheyAre() throws {
        let folder = try ToyCohort.groupFolder(people: 1..<4)
        let environment = try TaskEnvironment(
            request: try folder.request("network.train", parameters: ["network": "resnet18", "target": "group"]))
        let people = try TrainingPeople(environment, channels: 1, needs: [], fraction: 0, seed: 1)
        func volumes(_ classes: [TrainingClass]?) -> TrainingVolumes {
            TrainingVolumes(
                channels: [.init(modality: "Chimap", units: "ppm", normalisation: .none)],
                geometry: .init(spacingMillimetres: SIMD3(2, 2, 2), orientation: "RAS", otherGrids: .resample),
                classes: classes, units: "sidecar", threads: 1)
        }
        let source = volumes(nil).source(people.training, limitBytes: 1 << 30)
        for n in 0..<3 { _ = try source.volume(n) }
        let (one, three) = (4 * 10 * 9 * 8, 3 * 4 * 10 * 9 * 8)
        let held = try volumes(nil).heldBytes(people.training, limitBytes: 1 << 30)
        #expect(held == three && source.heldBytes(threads: 1) == three)
        #expect(try volumes([]).heldBytes(people.training, limitBytes: 1 << 30) == three / 4 * 5)
        // Beyond what is kept, two volumes are held while samples are read from them.
        #expect(try volumes(nil).heldBytes(people.training, limitBytes: 4000) == 4000 + 2 * one)
        let small = volumes(nil).source(people.training, limitBytes: 4000)
        for n in 0..<3 { _ = try small.volume(n) }
        #expect(small.heldBytes(threads: 1) == one + 2 * one && small.heldBytes(threads: 4) == one + 4 * one)
        withExtendedLifetime(folder) {}
    }

    @Test func agesAreNoClasses() throws {
        let folder = try TaskFolder()
        var rows: [JSONValue] = []
        for number in 1..<7 {
            let context = ToyCohort.context(number)
            try folder.add("images", ToyCohort.person(number).map, name: "\(number)_Chimap", context: context)
            rows.append(["subject": .string(context.subject!), "values": ["age": .number(40.5 + Double(number))]])
        }
        let covariates: JSONValue = ["columns": [["name": "age", "type": "number"]], "rows": .array(rows)]
        try folder.add("covariates", covariates.canonicalString, name: "covariates.json")
        let result = try folder.perform(
            "network.train", parameters: ["network": "resnet18", "target": "age", "patch": [16, 16, 16]])
        #expect(
            result.failure?.message.hasPrefix(
                "Parameter target of step step: the column age has 6 levels for 6 people, 6 of them of one person each: it looks "
                    + "continuous") == true, "\(result.failure?.message ?? "trained")")
    }
}
