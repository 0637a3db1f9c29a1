import BIDS
import Kernels
import NIfTI
import Segmentation
import Workflow

/// Atlas labels on the person's own grids, each taken from the atlas in one interpolation.
///
/// The chain of a target voxel: target world → T1w world (rigid) → displaced T1w world (warp) → atlas world (affine).
enum NativeLabelsTask: TaskImplementation {
    static let kind = "labels.native"

    private struct Atlas {
        var context: TaskContext
        var image: Volume
        var labels: LabelMap
        var table: RegionTable
        var fromT1w: SpatialMap
    }

    static func run(_ environment: TaskEnvironment) throws -> TaskResult {
        let t1w = try NIfTIFile.readVolume(try environment.input("t1w").path)
        let target = try NIfTIFile.readHeader(try environment.input("target").path).grid
        let rigid = try environment.optionalInput("transform").map {
            SpatialMap.affine(try TransformFile.decode(try $0.readJSON(), name: $0.input.name))
        }
        let atlases = try readAtlases(environment)
        let (table, renumberings) = try harmonised(atlases)

        let method: LabelFusion.Method =
            environment.text("fusion") == "majority" || atlases.count == 1 ? .majority : .localCorrelation
        func labels(on grid: VoxelGrid, through map: SpatialMap, image: Volume) throws -> (LabelMap, [WarpedAtlas]) {
            let warped = try zip(atlases, renumberings).map { atlas, renumbering in
                let chain = map.then(atlas.fromT1w)
                var moved = try atlas.labels.resampled(to: grid, through: chain, threads: environment.threads)
                for n in moved.values.indices { moved.values[n] = renumbering[Int(moved.values[n])] }
                return WarpedAtlas(
                    name: atlas.context.atlas ?? "",
                    image: method == .majority
                        ? image : try atlas.image.resampled(to: grid, through: chain, threads: environment.threads),
                    labels: moved)
            }
            if warped.count == 1 { return (warped[0].labels, warped) }
            return (
                try LabelFusion.fuse(warped, target: image, method: method, threads: environment.threads).labels, warped
            )
        }

        let (anatomical, warped) = try labels(on: t1w.grid, through: .identity, image: t1w)
        environment.report(progress: 0.5)
        var native = anatomical
        if rigid != nil || !target.matches(t1w.grid) {
            let toT1w = rigid ?? .identity
            let imageOnTarget = try t1w.resampled(to: target, through: toT1w, threads: environment.threads)
            native = try labels(on: target, through: toT1w, image: imageOnTarget).0
        }

        guard native.values.contains(where: { $0 != 0 }) else {
            throw TaskResult.Failure.permanent(
                "No atlas label falls on \(try environment.input("target").input.name) of \(environment.request.context): the registration "
                    + "failed; look at its quality report and at the images")
        }
        let (nativePath, nativeEntry) = environment.output("labels")
        try NIfTIFile.write(native, to: nativePath)
        let (anatomicalPath, anatomicalEntry) = environment.output("labels_t1w")
        try NIfTIFile.write(anatomical, to: anatomicalPath)
        return TaskResult(
            outputs: [nativeEntry, anatomicalEntry, try environment.writeTable(table.table, to: "table")],
            measurements: try measure(native, table: table, warped: warped))
    }

    private static func readAtlases(_ environment: TaskEnvironment) throws -> [Atlas] {
        func item(_ port: String, _ context: TaskContext) throws -> TaskRequest.StagedInput {
            guard let found = environment.inputs(port).first(where: { $0.input.context.atlas == context.atlas }) else {
                throw TaskResult.Failure.permanent(
                    "Step \(environment.request.step) has no “\(port)” of atlas \(context.atlas ?? "?"); bind it in the workflow file"
                )
            }
            return found
        }
        let atlases = try environment.inputs("affine").map { affineItem in
            let context = affineItem.input.context
            let warp = try NIfTIFile.readDisplacementField(try item("warp", context).path)
            let labelItem = try item("atlas_labels", context)
            let image = try NIfTIFile.readVolume(try item("atlas_t1w", context).path)
            let labels = try NIfTIFile.readLabelMap(labelItem.path)
            guard labels.grid.matches(image.grid) else {
                throw TaskResult.Failure.permanent(
                    "Atlas \(context.atlas ?? "?"): \(labelItem.input.name) (\(labels.grid)) is not on the grid of its T1w image "
                        + "(\(image.grid)); resample it")
            }
            let tableItem = try item("table", context)
            let table = try RegionTable(try tableItem.readTable(), name: tableItem.input.name)
                .completed(with: Set(labels.values).sorted())
            let affine = try TransformFile.decode(try affineItem.readJSON(), name: affineItem.input.name)
            return Atlas(
                context: context, image: image, labels: labels, table: table,
                fromT1w: SpatialMap([.displacement(warp), .affine(affine)]))
        }
        guard !atlases.isEmpty else {
            throw TaskResult.Failure.permanent("Step \(environment.request.step) got no registration to any atlas")
        }
        return atlases
    }

    /// One table for all atlases: regions are the same where their names are; numbers are the first atlas's where free.
    private static func harmonised(_ atlases: [Atlas]) throws -> (RegionTable, [[UInt16]]) {
        var regions = atlases[0].table.regions
        var renumberings: [[UInt16]] = []
        for atlas in atlases {
            var numbers = [UInt16](repeating: 0, count: 65536)
            for region in atlas.table.regions {
                if let known = regions.first(where: { $0.name == region.name }) {
                    numbers[Int(region.index)] = known.index
                    continue
                }
                let taken = Set(regions.map(\.index))
                let number = taken.contains(region.index) ? (taken.max() ?? 0) + 1 : region.index
                numbers[Int(region.index)] = number
                regions.append(RegionTable.Region(index: number, name: region.name, colour: region.colour))
            }
            renumberings.append(numbers)
        }
        return (RegionTable(regions: regions), renumberings)
    }

    private static func measure(_ native: LabelMap, table: RegionTable, warped: [WarpedAtlas]) throws -> [MeasuredValue]
    {
        var counts = [Int](repeating: 0, count: 65536)
        for label in native.values { counts[Int(label)] += 1 }
        let voxel = native.grid.voxelVolumeCubicMillimetres
        var measured = table.regions.map { region in
            MeasuredValue(
                region: region.name, metric: "volume", value: Double(counts[Int(region.index)]) * voxel, unit: "mm3")
        }
        guard warped.count > 1 else { return measured }
        var sums: [UInt16: (sum: Double, pairs: Double)] = [:]
        for a in warped.indices {
            for b in warped.indices where b > a {
                for (label, overlap) in try OverlapMetrics.ofLabels(warped[a].labels, warped[b].labels) {
                    let old = sums[label] ?? (0, 0)
                    sums[label] = (old.sum + overlap.dice, old.pairs + 1)
                }
            }
        }
        for region in table.regions {
            guard let entry = sums[region.index] else { continue }
            measured.append(
                MeasuredValue(region: region.name, metric: "agreement", value: entry.sum / entry.pairs, unit: "1"))
        }
        return measured
    }
}
