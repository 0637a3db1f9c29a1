import BIDS
import Foundation
import Kernels
import NIfTI
import Networks
import TestSupport
import Testing
import Workflow

@testable import Tasks

/// Networks small enough to be trained here, on blobs that anybody could find.
@Suite(.serialized) struct NetworkTaskTests {
    static let grid = VoxelGrid(nx: 20, ny: 18, nz: 16, affine: .scaling(SIMD3(1, 1, 1)))

    /// A susceptibility map with a bright and a dark box at a place of its own, and the boxes as regions 7 and 9.
    private static func person(_ number: Int) -> (map: Volume, labels: LabelMap) {
        var random = SeededGenerator(seed: UInt64(number))
        var map = Volume(grid: grid)
        var labels = LabelMap(grid: grid)
        let (dx, dy, dz) = (Int(random.uniform() * 4), Int(random.uniform() * 4), Int(random.uniform() * 4))
        for k in 0..<16 {
            for j in 0..<18 {
                for i in 0..<20 {
                    let bright = (3 + dx..<8 + dx).contains(i) && (4 + dy..<10 + dy).contains(j)
                    let dark = (11 + dx..<15 + dx).contains(i) && (4 + dy..<10 + dy).contains(j)
                    let inside = (3 + dz..<10 + dz).contains(k)
                    map[i, j, k] = Float(0.02 * random.gaussian()) + (inside ? bright ? 0.15 : dark ? -0.15 : 0 : 0)
                    labels.values[grid.index(i, j, k)] = inside ? bright ? 7 : dark ? 9 : 0 : 0
                }
            }
        }
        return (map, labels)
    }

    private static func context(_ number: Int) -> TaskContext { TaskContext(subject: String(format: "%02d", number)) }

    /// A folder with the images of some people on the ports of `network.train`.
    private func trainingFolder(people: Range<Int>, labelled: Bool = true) throws -> TaskFolder {
        let folder = try TaskFolder()
        for number in people {
            let (map, labels) = Self.person(number)
            let (mapPath, labelPath) = ("\(folder.path)/m\(number).nii.gz", "\(folder.path)/l\(number).nii.gz")
            try NIfTIFile.write(map, to: mapPath)
            try NIfTIFile.write(labels, to: labelPath)
            let name = "sub-\(Self.context(number).subject!)"
            folder.add(
                "images", path: mapPath, name: "\(name)_Chimap.nii.gz", context: Self.context(number),
                metadata: ["Units": "ppm"])
            if labelled {
                folder.add(
                    "labels", path: labelPath, name: "\(name)_dseg.nii.gz", context: Self.context(number))
            }
        }
        return folder
    }

    private static let segmentation: JSONValue = [
        "classes": [["name": "bright", "labels": [7]], ["name": "dark", "labels": [9]]], "widths": [8, 16],
        "patch": [16, 16, 16], "batch": 2, "epochs": 6, "samples_per_epoch": 16, "learning_rate": 0.01,
        "augmentation": "flips", "validation": 0.25,
    ]

    @Test func aTrainedModelFindsTheRegionsOfAnotherPerson() throws {
        let folder = try trainingFolder(people: 1..<9)
        let result = try folder.perform("network.train", parameters: Self.segmentation, threads: 2)
        #expect(result.failure == nil, "\(result.failure?.message ?? "")")
        let metric = try #require(result.measurements.first { $0.metric == "validation_metric" })
        #expect(metric.term == "patch_dice" && metric.value! > 0.85, "\(metric)")
        let output = try #require(result.outputs.first { $0.port == "model" })
        #expect(output.metadata?["type"]?.stringValue == "model")
        #expect(
            output.metadata?["card"]?["classes"]?.arrayValue?.compactMap(\.stringValue) == [
                "background", "bright", "dark",
            ])
        // Whole images of the validation people, class by class, in the measurements and in the card.
        let dice = result.measurements.filter { $0.metric == "dice" }
        #expect(dice.map(\.term) == ["bright", "dark"] && dice.allSatisfy { $0.value! > 0.85 }, "\(dice)")
        let metrics = try #require(output.metadata?["card"]?["metrics"]?.arrayValue)
        #expect(metrics.map { $0["name"]?.stringValue } == ["patch_dice", "dice", "dice"])
        #expect(metrics.dropFirst().map { $0["className"]?.stringValue } == ["bright", "dark"])
        #expect(metrics.dropFirst().map { $0["value"]?.doubleValue } == dice.map(\.value))
        let best = try #require(result.measurements.first { $0.metric == "best_epoch" }?.value)
        let curve = try folder.output("curve.tsv").split(separator: "\n").map { $0.split(separator: "\t") }
        let row = try #require(curve.first { Double($0[0]) == best })
        #expect(Double(row[4]) == metric.value)
        let split = try folder.output("split.tsv").split(separator: "\n").dropFirst()
        #expect(split.count == 8 && split.count { $0.hasSuffix("validation") } == 2)
        #expect(try folder.output("curve.tsv").split(separator: "\n").count == 7)

        let (map, labels) = Self.person(20)
        let other = try TaskFolder()
        try NIfTIFile.write(map, to: other.path + "/map.nii.gz")
        other.add("image", path: other.path + "/map.nii.gz", name: "map.nii.gz", metadata: ["Units": "ppm"])
        other.add("model", path: folder.path + "/out/" + output.file, name: "model.safetensors")
        let found = try other.perform("network.segment", parameters: ["overlap": 0.5])
        #expect(found.failure == nil, "\(found.failure?.message ?? "")")
        let segmented = try NIfTIFile.readLabelMap(other.path + "/out/labels.nii.gz")
        #expect(segmented.grid.matches(Self.grid))
        for (index, truth) in [(1, UInt16(7)), (2, 9)] {
            let both = zip(segmented.values, labels.values).count { $0 == index && $1 == truth }
            let sum = segmented.values.count { $0 == index } + labels.values.count { $0 == truth }
            #expect(2 * Double(both) / Double(sum) > 0.85)
        }
        let volume = try #require(found.measurements.first { $0.region == "bright" && $0.metric == "volume" })
        #expect(volume.value == Double(segmented.values.count { $0 == 1 }))
        #expect(try other.output("table.tsv") == "index\tname\n0\tbackground\n1\tbright\n2\tdark\n")
        _ = folder
    }

    @Test func threadsAndAnInterruptionChangeNothing() throws {
        let whole = try trainingFolder(people: 1..<5)
        var parameters = Self.segmentation
        parameters["epochs"] = 3
        parameters["samples_per_epoch"] = 4
        let result = try whole.perform("network.train", parameters: parameters, threads: 1)
        #expect(result.failure == nil, "\(result.failure?.message ?? "")")

        // An attempt that ended after its first epochs left a checkpoint of the same training.
        let interrupted = try trainingFolder(people: 1..<5)
        var request = try interrupted.request("network.train", parameters: parameters, threads: 2)
        let kept = interrupted.path + "/kept"
        try FileManager.default.createDirectory(atPath: kept, withIntermediateDirectories: true)
        request.keptFolder = kept
        try #require(AttemptRunner.perform(request).failure == nil)
        let first = try Data(contentsOf: URL(fileURLWithPath: interrupted.path + "/out/model.safetensors"))
        #expect(FileManager.default.fileExists(atPath: kept + "/checkpoint.safetensors"))
        // Going on from the checkpoint of a finished training gives the same model at once.
        try #require(AttemptRunner.perform(request).failure == nil)
        let again = try Data(contentsOf: URL(fileURLWithPath: interrupted.path + "/out/model.safetensors"))
        let alone = try Data(contentsOf: URL(fileURLWithPath: whole.path + "/out/model.safetensors"))
        #expect(first == again)
        #expect(first == alone)
        _ = (whole, interrupted)
    }

    @Test func aClassifierTellsPeopleApart() throws {
        let folder = try TaskFolder()
        var rows: [JSONValue] = []
        for number in 1..<13 {
            var map = Self.person(number).map
            if number % 2 == 0 { for n in map.values.indices { map.values[n] += 0.1 } }
            let path = "\(folder.path)/m\(number).nii.gz"
            try NIfTIFile.write(map, to: path)
            folder.add(
                "images", path: path, name: "\(number)_Chimap.nii.gz", context: Self.context(number),
                metadata: ["Units": "ppm"])
            rows.append([
                "subject": .string(Self.context(number).subject!),
                "values": ["group": .string(number % 2 == 0 ? "HH" : "control")],
            ])
        }
        let covariates: JSONValue = ["columns": [["name": "group", "type": "text"]], "rows": .array(rows)]
        try folder.add("covariates", covariates.canonicalString, name: "covariates.json")
        let result = try folder.perform(
            "network.train",
            parameters: [
                "network": "resnet18", "target": "group", "patch": [16, 16, 16], "batch": 4, "epochs": 3,
                "augmentation": "none", "validation": 0.25, "learning_rate": 0.001,
            ], threads: 2, memoryMiB: 4096)
        #expect(result.failure == nil, "\(result.failure?.message ?? "")")
        let metric = try #require(result.measurements.first { $0.metric == "validation_metric" })
        #expect(metric.term == "accuracy" && metric.value == 1, "\(metric)")

        let other = try TaskFolder()
        var map = Self.person(20).map
        for n in map.values.indices { map.values[n] += 0.1 }
        try NIfTIFile.write(map, to: other.path + "/map.nii.gz")
        other.add("image", path: other.path + "/map.nii.gz", name: "map.nii.gz", metadata: ["Units": "ppm"])
        other.add("model", path: folder.path + "/out/model.safetensors", name: "model.safetensors")
        let found = try other.perform("network.classify")
        #expect(found.failure == nil, "\(found.failure?.message ?? "")")
        #expect(try other.output("table.tsv").split(separator: "\n")[1].hasPrefix("n/a\tHH\t"))
        _ = folder
    }

    /// What a user can get wrong, and the words that must answer.
    @Test(
        arguments: [
            (
                ["classes": [["name": "a", "labels": [7]], ["name": "b", "labels": [7]]]],
                "label 7 belongs to both a and b"
            ),
            (["patch": [15, 16, 16]], "inputs of 16×16×16 would fit"),
            (["loss": ["hinge"]], "there is no loss “hinge”"),
            (["channels": [["modality": "Chimap"], ["modality": "T1w"]]], "lacks one of the 2 channels"),
            (["channels": [["modality": "Chimap", "units": "ppb"]]], "units ppm, not ppb"),
        ] as [(JSONValue, String)])
    func whatCannotBeTrainedIsSaid(change: JSONValue, words: String) throws {
        var parameters = Self.segmentation
        for (name, value) in try #require(change.objectValue) { parameters[name] = value }
        let result = try trainingFolder(people: 1..<3).perform("network.train", parameters: parameters)
        #expect(result.failure?.outcome == .permanent)
        #expect(result.failure?.message.contains(words) == true, "\(result.failure?.message ?? "nothing")")
    }

    @Test func peopleWithoutLabelsAreNamed() throws {
        let result = try trainingFolder(people: 1..<3, labelled: false).perform(
            "network.train", parameters: Self.segmentation)
        #expect(result.failure?.message.contains("it has no label map") == true)
    }

    @Test func anImageThatIsNoModelIsRefused() throws {
        let folder = try TaskFolder()
        try NIfTIFile.write(Self.person(1).map, to: folder.path + "/map.nii.gz")
        folder.add("image", path: folder.path + "/map.nii.gz", name: "map.nii.gz", metadata: ["Units": "ppm"])
        folder.add("model", path: folder.path + "/map.nii.gz", name: "map.nii.gz")
        let result = try folder.perform("network.segment")
        #expect(result.failure?.outcome == .permanent)
        #expect(result.failure?.message.contains("map.nii.gz") == true, "\(result.failure?.message ?? "")")
    }
}
