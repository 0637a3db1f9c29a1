import BIDS
import Foundation
import Kernels
import NIfTI
import Networks
import Testing
import Workflow

@testable import Tasks

/// Training and segmentation as a whole: what is learned, what is written, and that nothing depends on threads or
/// interruptions.
@Suite(.serialized) struct NetworkTaskTests {
    static let segmentation: JSONValue = [
        "classes": [["name": "bright", "labels": [7]], ["name": "dark", "labels": [9]]], "widths": [8, 16],
        "patch": [12, 12, 12], "batch": 2, "epochs": 6, "samples_per_epoch": 16, "learning_rate": 0.01,
        "augmentation": "flips", "validation": 0.25,
    ]

    @Test func aTrainedModelFindsTheRegionsOfAnotherPerson() throws {
        let folder = try ToyCohort.segmentationFolder(people: 1..<9)
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
        let dices = result.measurements.filter { $0.metric == "dice" }
        #expect(dices.map(\.term) == ["bright", "dark"] && dices.allSatisfy { $0.value! > 0.85 }, "\(dices)")
        let metrics = try #require(output.metadata?["card"]?["metrics"]?.arrayValue)
        #expect(metrics.map { $0["name"]?.stringValue } == ["patch_dice", "dice", "dice"])
        #expect(metrics.dropFirst().map { $0["className"]?.stringValue } == ["bright", "dark"])
        #expect(metrics.dropFirst().map { $0["value"]?.doubleValue } == dices.map(\.value))
        let split = try folder.output("split.tsv").split(separator: "\n").dropFirst()
        #expect(split.count == 8 && split.count { $0.hasSuffix("validation") } == 2)
        #expect(try folder.output("curve.tsv").split(separator: "\n").count == 7)
        // The best epoch is counted as the curve counts it.
        let best = try #require(result.value("best_epoch"))
        let row = try #require(try folder.rows("curve.tsv").first { $0[0] == "\(Int(best))" })
        #expect(row[4] == "\(metric.value!)")

        let (map, labels) = ToyCohort.person(20)
        let other = try TaskFolder()
        try other.add("image", map, name: "map")
        other.add("model", path: folder.modelPath, name: "model.safetensors")
        let found = try other.perform("network.segment", parameters: ["overlap": 0.5])
        #expect(found.failure == nil, "\(found.failure?.message ?? "")")
        let segmented = try NIfTIFile.readLabelMap(other.path + "/out/labels.nii.gz")
        #expect(segmented.grid.matches(ToyCohort.grid))
        #expect(dice(segmented, 1, labels, 7) > 0.85 && dice(segmented, 2, labels, 9) > 0.85)
        #expect(found.value("volume", region: "bright") == Double(segmented.values.count { $0 == 1 }))
        #expect(try other.output("table.tsv") == "index\tname\n0\tbackground\n1\tbright\n2\tdark\n")
        _ = folder
    }

    @Test func threadsAndAnInterruptionChangeNothing() throws {
        let whole = try ToyCohort.segmentationFolder(people: 1..<5)
        var parameters = Self.segmentation
        parameters["epochs"] = 3
        parameters["samples_per_epoch"] = 4
        let result = try whole.perform("network.train", parameters: parameters, threads: 1)
        #expect(result.failure == nil, "\(result.failure?.message ?? "")")

        // An attempt that ended after its first epochs left a checkpoint of the same training.
        let interrupted = try ToyCohort.segmentationFolder(people: 1..<5)
        var request = try interrupted.request("network.train", parameters: parameters, threads: 2)
        let kept = interrupted.path + "/kept"
        try FileManager.default.createDirectory(atPath: kept, withIntermediateDirectories: true)
        request.keptFolder = kept
        try #require(AttemptRunner.perform(request).failure == nil)
        let first = try Data(contentsOf: URL(fileURLWithPath: interrupted.modelPath))
        #expect(FileManager.default.fileExists(atPath: kept + "/checkpoint.safetensors"))
        // Going on from the checkpoint of a finished training gives the same model at once.
        try #require(AttemptRunner.perform(request).failure == nil)
        #expect(first == (try Data(contentsOf: URL(fileURLWithPath: interrupted.modelPath))))
        #expect(first == (try Data(contentsOf: URL(fileURLWithPath: whole.modelPath))))
        _ = (whole, interrupted)
    }

    @Test func anImageThatIsNoModelIsRefused() throws {
        let folder = try TaskFolder()
        try folder.add("image", ToyCohort.person(1).map, name: "map")
        folder.add("model", path: folder.path + "/image-map.nii.gz", name: "map.nii.gz")
        let result = try folder.perform("network.segment")
        #expect(result.failure?.outcome == .permanent)
        #expect(result.failure?.message.contains("map.nii.gz") == true, "\(result.failure?.message ?? "")")
    }
}
