import BIDS
import Kernels
import NIfTI
import Segmentation
import Workflow

/// Moves the borders of regions to where the susceptibility map shows them.
enum LabelRefinementTask: TaskImplementation {
    static let kind = "labels.refine"

    static func run(_ environment: TaskEnvironment) throws -> TaskResult {
        // Whatever its unit: the method only compares values with each other.
        let image = try NIfTIFile.readVolume(try environment.input("image").path)
        let labels = try NIfTIFile.readLabelMap(try environment.input("labels").path)
        let tableItem = try environment.input("table")
        let table = try RegionTable(try tableItem.readTable(), name: tableItem.input.name)
            .completed(with: Set(labels.values).sorted())
        let mask = try environment.optionalInput("mask").map { try NIfTIFile.readMask($0.path) }

        var options = LabelRefinement.Options()
        options.priorSigmaMillimetres = environment.number("sigma_mm")
        options.reachMillimetres = environment.number("reach_mm")
        options.minimalSeparability = environment.number("separability")
        let (refined, regions) = try LabelRefinement.refine(
            labels, image: image, within: mask, options: options, threads: environment.threads)

        let (path, entry) = environment.output("labels")
        try NIfTIFile.write(refined, to: path)
        var measured: [MeasuredValue] = []
        for region in regions {
            guard let name = table.name(of: region.label) else { continue }
            measured.append(
                MeasuredValue(region: name, metric: "separability", value: region.separability, unit: "1"))
            measured.append(
                MeasuredValue(
                    region: name, metric: "volume_change",
                    value: Double(region.voxelsAfter) / Double(region.voxelsBefore) - 1, unit: "1"))
        }
        let vanished = regions.filter { $0.voxelsAfter == 0 }.compactMap { table.name(of: $0.label) }
        return TaskResult(
            outputs: [entry], measurements: measured,
            warnings: vanished.map {
                "Region \($0) has no voxel left: the map does not show it where the atlas puts it; look at the picture."
            })
    }
}
