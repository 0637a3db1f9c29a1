import BIDS
import Kernels
import NIfTI
import Radiomics
import Workflow

/// One row per region and reference, in ppm and mm³.
enum RegionStatisticsTask: TaskImplementation {
    static let kind = "roi.statistics"

    static func run(_ environment: TaskEnvironment) throws -> TaskResult {
        let map = try SusceptibilityMap.read(try environment.input("chimap"), units: environment.text("units"))
        let labelItem = try environment.input("labels")
        let labels = try NIfTIFile.readLabelMap(labelItem.path)
        let tableItem = try environment.input("table")
        let table = try RegionTable(try tableItem.readTable(), name: tableItem.input.name)
            .completed(with: Set(labels.values).sorted())
        let mask = try brainMask(on: map.grid, environment)

        var warnings: [String] = []
        var references: [SusceptibilityReference] = []
        for name in environment.texts("references") {
            switch name {
            case "none": references.append(.none)
            case "whole_brain":
                if mask == nil {
                    warnings.append(
                        "There is no brain mask, so the reference whole_brain is the mean of everything the map covers."
                    )
                }
                references.append(.wholeBrain)
            case "csf":
                let wanted = environment.texts("csf_regions").compactMap { table.index(of: $0) }
                if wanted.isEmpty {
                    warnings.append(
                        "No region holds cerebrospinal fluid, so the reference csf is left out; name it in csf_regions."
                    )
                } else {
                    references.append(.csf(ventricles: wanted))
                }
            default:
                guard let index = table.index(of: name) else {
                    throw TaskResult.Failure.permanent(
                        "Step \(environment.request.step): the reference “\(name)” is not a region of \(tableItem.input.name); "
                            + "use none, whole_brain, csf or one of \(table.regions.map(\.name).joined(separator: ", "))"
                    )
                }
                references.append(.regions(name: name, labels: [index], peeled: false))
            }
        }

        let wanted = try RegionChoice.regions(environment, of: table, name: tableItem.input.name, &warnings)
        let (regions, values) = try RegionStatistics.measure(
            map, in: labels, within: mask, labels: wanted.map(\.index), references: references,
            highSubregion: .meanPlusDeviations(environment.number("high_deviations")))
        for value in values where value.subtracted == nil {
            warnings.append("The reference \(value.name) has no voxel with a value and is left out.")
        }

        var rows: [[String]] = []
        var measured: [MeasuredValue] = []
        for region in regions {
            let name = table.name(of: region.label) ?? "label-\(region.label)"
            func add(_ metric: String, _ value: Double?, _ unit: String, reference: String? = nil) {
                measured.append(
                    MeasuredValue(region: name, reference: reference, metric: metric, value: value, unit: unit))
            }
            add("voxels", Double(region.voxels), "1")
            add("volume", region.volumeCubicMillimetres, "mm3")
            add("missing_fraction", region.missingFraction, "1")
            if region.voxels == 0 { warnings.append("Region \(name) has no voxel.") }
            for result in region.results {
                let numbers: [(String, Double?)] = [
                    ("mean", result.mean), ("sd", result.standardDeviation), ("median", result.median),
                    ("p5", result.percentile5), ("p25", result.percentile25), ("p75", result.percentile75),
                    ("p95", result.percentile95), ("high_mean", result.high?.mean),
                    ("reference_value", result.subtracted),
                ]
                for (metric, value) in numbers { add(metric, value, "ppm", reference: result.reference) }
                add("high_volume", result.high?.volumeCubicMillimetres, "mm3", reference: result.reference)
                rows.append(
                    [
                        String(region.label), name, result.reference, String(region.voxels),
                        TabSeparatedTable.cell(region.volumeCubicMillimetres),
                        TabSeparatedTable.cell(region.missingFraction),
                    ] + numbers.map { TabSeparatedTable.cell($0.1) }
                        + [TabSeparatedTable.cell(result.high?.volumeCubicMillimetres)])
            }
        }
        let statistics = TabSeparatedTable(
            columns: [
                "index", "region", "reference", "voxels", "volume", "missing_fraction", "mean", "sd", "median", "p5",
                "p25", "p75", "p95", "high_mean", "reference_value", "high_volume",
            ], rows: rows)
        return TaskResult(
            outputs: [try environment.writeTable(statistics, to: "table")], measurements: measured, warnings: warnings)
    }

    /// The mask that came with the map; else the one of the T1w image, moved to the map; nil where there is neither.
    private static func brainMask(on grid: VoxelGrid, _ environment: TaskEnvironment) throws -> Mask? {
        if let item = environment.optionalInput("mask") { return try NIfTIFile.readMask(item.path) }
        guard let brain = environment.optionalInput("brain") else { return nil }
        let toT1w = try environment.optionalInput("transform").map {
            SpatialMap.affine(try TransformFile.decode(try $0.readJSON(), name: $0.input.name))
        }
        return try NIfTIFile.readMask(brain.path).resampled(
            to: grid, through: toT1w ?? .identity, threads: environment.threads)
    }
}
