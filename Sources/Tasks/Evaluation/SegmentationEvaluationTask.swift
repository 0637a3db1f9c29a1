import BIDS
import Kernels
import NIfTI
import Segmentation
import Workflow

/// How well predicted regions agree with reference regions of the same person.
enum SegmentationEvaluationTask: TaskImplementation {
    static let kind = "evaluate.segmentation"

    static let columns = [
        "structure", "dice", "jaccard", "hausdorff_mm", "hd95_mm", "hd95_larger_mm", "assd_mm", "reference_voxels",
        "prediction_voxels", "common_voxels", "reference_mm3", "prediction_mm3", "volume_ratio", "empty",
    ]

    static func run(_ environment: TaskEnvironment) throws -> TaskResult {
        let (referenceItem, predictionItem) = (try environment.input("reference"), try environment.input("prediction"))
        let reference = try NIfTIFile.readLabelMap(referenceItem.path)
        var prediction = try NIfTIFile.readLabelMap(predictionItem.path)
        if !prediction.grid.matches(reference.grid) {
            guard environment.boolean("resample") else {
                throw environment.otherGrids(predictionItem, prediction.grid, referenceItem, reference.grid)
            }
            prediction = try prediction.resampled(
                to: reference.grid, interpolation: .nearest, threads: environment.threads)
        }
        let structures = try StructureList(environment, reference: reference, prediction: prediction)

        var table = TabSeparatedTable(columns: columns)
        var measured: [MeasuredValue] = []
        for structure in structures.all {
            let agreement = try StructureAgreement(
                prediction.mask(of: structure.prediction), reference.mask(of: structure.reference),
                threads: environment.threads)
            table.rows.append(agreement.row(structure.name))
            measured += agreement.measurements(structure.name)
        }
        return TaskResult(
            outputs: [try environment.writeTable(table, to: "table")], measurements: measured,
            warnings: structures.warnings)
    }
}

extension LabelMap {
    /// Inside where any of these labels is.
    fileprivate func mask(of labels: Set<UInt16>) -> Mask {
        var isWanted = [UInt8](repeating: 0, count: 1 << 16)
        for label in labels { isWanted[Int(label)] = 1 }
        return Mask(grid: grid, values: values.map { isWanted[Int($0)] })
    }
}

/// Which structures are compared, and by which labels each side has them.
struct StructureList {
    struct Structure {
        var name: String
        var prediction: Set<UInt16>
        var reference: Set<UInt16>
    }

    private(set) var all: [Structure] = []
    private(set) var warnings: [String] = []

    private static func words(_ sides: Set<RegionTable.Side>) -> String {
        sides.count == 1 ? "the \(sides.first!) side alone" : "both sides"
    }

    init(_ environment: TaskEnvironment, reference: LabelMap, prediction: LabelMap) throws {
        let (referenceTable, predictionTable) = (
            try Self.table(environment, "reference_table"), try Self.table(environment, "prediction_table")
        )
        // One table serves both; without any, numbers are names.
        let named = (predictionTable ?? referenceTable, referenceTable ?? predictionTable)
        let present = (Set(prediction.values).sorted(), Set(reference.values).sorted())
        let names = (
            named.0 ?? RegionTable(regions: []).completed(with: Set(present.0 + present.1).sorted()),
            named.1 ?? RegionTable(regions: []).completed(with: Set(present.0 + present.1).sorted())
        )
        func labels(_ table: RegionTable, _ wanted: Set<String>) -> Set<UInt16> {
            Set(table.regions.filter { wanted.contains($0.name) }.map(\.index))
        }
        let step = environment.request.step
        func known() -> String {
            Set((names.0.regions + names.1.regions).map(\.name)).sorted().prefix(40).joined(separator: ", ")
        }
        let groups = environment.map("groups")
        let isLenient = environment.boolean("only_shared")
        // What one side alone names may be misspelt there; what neither names was not asked of them.
        var (leftOut, lacking) = ([String](), [String: [String]]())
        func leave(_ name: String, _ predicted: Set<UInt16>, _ referred: Set<UInt16>) {
            leftOut.append(name)
            if predicted.isEmpty != referred.isEmpty {
                lacking[predicted.isEmpty ? "prediction" : "reference", default: []].append(name)
            }
        }
        for (name, members) in groups.sorted(by: { $0.key < $1.key }) {
            let wanted = Set((members.arrayValue ?? [members]).compactMap(\.stringValue))
            let (a, b) = (labels(names.0, wanted), labels(names.1, wanted))
            if isLenient, a.isEmpty || b.isEmpty {
                leave(name, a, b)
                continue
            }
            guard !a.isEmpty, !b.isEmpty else {
                throw TaskResult.Failure.permanent(
                    "Step \(step): of group \(name) the \(a.isEmpty ? "prediction" : "reference") has no region; "
                        + "name regions such as \(known())")
            }
            let sides = (names.0.sides(of: a), names.1.sides(of: b))
            if sides.0 != sides.1 {
                warnings.append(
                    "Of \(name) the prediction has \(Self.words(sides.0)), the reference \(Self.words(sides.1)): what is compared is "
                        + "not the same; predict both sides, or name each side with “\(step).groups”.")
            }
            all.append(Structure(name: name, prediction: a, reference: b))
        }
        let wanted = environment.texts("structures")
        if !wanted.isEmpty || !groups.isEmpty {
            for name in wanted where groups[name] == nil {
                let (a, b) = (labels(names.0, [name]), labels(names.1, [name]))
                if isLenient, a.isEmpty || b.isEmpty {
                    leave(name, a, b)
                    continue
                }
                guard !a.isEmpty || !b.isEmpty else {
                    throw TaskResult.Failure.permanent(
                        "Step \(step): neither side has a structure “\(name)”; there are \(known())")
                }
                // An empty mask would score as if it had been predicted so.
                guard !a.isEmpty, !b.isEmpty else {
                    let (lacking, table) = a.isEmpty ? ("prediction", names.0) : ("reference", names.1)
                    let own = table.regions.map(\.name).prefix(40).joined(separator: ", ")
                    throw TaskResult.Failure.permanent(
                        "Step \(step): the table of the \(lacking) names no structure “\(name)”, which “structures” asks for; "
                            + "it has \(own). Leave it out, or name what it is on each side with “\(step).groups”")
                }
                all.append(Structure(name: name, prediction: a, reference: b))
            }
            guard !all.isEmpty else {
                throw TaskResult.Failure.permanent(
                    "Step \(step): prediction and reference share none of \(leftOut.joined(separator: ", ")); name regions such "
                        + "as \(known())")
            }
            for (side, names) in lacking.sorted(by: { $0.key < $1.key }) {
                warnings.append(
                    "The table of the \(side) names no region of \(names.sorted().joined(separator: ", ")), which the other side "
                        + "has: not compared; correct its names, or say with “\(step).groups” what is compared.")
            }
            if !leftOut.isEmpty {
                environment.say(
                    "not compared, for prediction or reference names no region of it: \(leftOut.joined(separator: ", "))"
                )
            }
            return
        }
        let predicted = Set(names.0.regions.map(\.name))
        for region in names.1.regions where predicted.contains(region.name) {
            guard !all.contains(where: { $0.name == region.name }) else { continue }
            all.append(
                Structure(
                    name: region.name, prediction: labels(names.0, [region.name]),
                    reference: labels(names.1, [region.name])))
        }
        guard !all.isEmpty else {
            throw TaskResult.Failure.permanent(
                "Step \(step): prediction and reference have no structure of the same name; name pairs with “\(step).groups”, such as "
                    + "{caudate: [\(names.0.regions.first?.name ?? "…"), \(names.1.regions.first?.name ?? "…")]}")
        }
        let compared = Set(all.map(\.name))
        for (side, table) in [("prediction", names.0), ("reference", names.1)] {
            let left = table.regions.map(\.name).filter { !compared.contains($0) }
            if !left.isEmpty {
                warnings.append("Only the \(side) has \(left.joined(separator: ", ")): not compared.")
            }
        }
    }

    private static func table(_ environment: TaskEnvironment, _ port: String) throws -> RegionTable? {
        try environment.optionalInput(port).map { try RegionTable(try $0.readTable(), name: $0.input.name) }
    }
}

/// The agreement of one structure.
struct StructureAgreement {
    let overlap: OverlapMetrics
    /// nil where either side is empty.
    let distances: SurfaceDistances?
    private let voxelVolume: Double

    init(_ prediction: Mask, _ reference: Mask, threads: Int) throws {
        overlap = try OverlapMetrics(prediction, reference)
        voxelVolume = reference.grid.voxelVolumeCubicMillimetres
        // Both surfaces lie in this box, and so do all shortest ways between them.
        let both = Mask(grid: reference.grid, values: zip(prediction.values, reference.values).map { $0 | $1 })
        distances = try both.boundingBox().flatMap { box in
            try SurfaceDistances.between(prediction.copied(to: box), reference.copied(to: box), threads: threads)
        }
    }

    /// `both`, `prediction` or `reference`, whichever has no voxel.
    private var empty: String? {
        switch (overlap.firstVoxels, overlap.secondVoxels) {
        case (0, 0): "both"
        case (0, _): "prediction"
        case (_, 0): "reference"
        default: nil
        }
    }

    private var volumes: (reference: Double, prediction: Double) {
        (Double(overlap.secondVoxels) * voxelVolume, Double(overlap.firstVoxels) * voxelVolume)
    }

    private var volumeRatio: Double? { DetectionCount.ratio(overlap.firstVoxels, overlap.secondVoxels) }

    func row(_ name: String) -> [String] {
        let cell = TabSeparatedTable.cell
        return [
            name, cell(overlap.dice), cell(overlap.jaccard), cell(distances?.largest), cell(distances?.percentile95),
            cell(distances?.largerPercentile95), cell(distances?.mean), "\(overlap.secondVoxels)",
            "\(overlap.firstVoxels)", "\(overlap.commonVoxels)", cell(volumes.reference), cell(volumes.prediction),
            cell(volumeRatio), empty ?? "n/a",
        ]
    }

    func measurements(_ name: String) -> [MeasuredValue] {
        let numbers: [(String, Double?, String)] = [
            ("dice", overlap.dice, "1"), ("jaccard", overlap.jaccard, "1"), ("hausdorff", distances?.largest, "mm"),
            ("hd95", distances?.percentile95, "mm"), ("hd95_larger", distances?.largerPercentile95, "mm"),
            ("assd", distances?.mean, "mm"), ("reference_volume", volumes.reference, "mm3"),
            ("prediction_volume", volumes.prediction, "mm3"), ("volume_ratio", volumeRatio, "1"),
        ]
        return numbers.map { metric, value, unit in
            MeasuredValue(region: name, metric: metric, value: value, unit: unit)
        }
    }
}
