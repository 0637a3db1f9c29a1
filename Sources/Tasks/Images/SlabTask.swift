import BIDS
import Foundation
import Kernels
import NIfTI
import Radiomics
import Workflow

/// A person's images on one slab: a box of given voxels about some regions, upright in the atlas's world or in the person's
/// own, so that networks that look at slices see the same place of everybody.
enum SlabTask: TaskImplementation {
    static let kind = "image.slab"

    static func run(_ environment: TaskEnvironment) throws -> TaskResult {
        var warnings: [String] = []
        let mapItem = try environment.input("chimap")
        var map = try SusceptibilityMap.read(mapItem, units: environment.text("units"))
        let (labels, regions) = try chosen(
            try NIfTIFile.readLabelMap(try environment.input("labels").path), try environment.input("table"),
            environment,
            &warnings)
        guard labels.grid.matches(map.grid) else {
            throw TaskResult.Failure.permanent(
                "\(try environment.input("labels").input.name) (\(labels.grid)) is not on the grid of \(mapItem.input.name) "
                    + "(\(map.grid)); bind labels on the grid of the map")
        }
        let threads = environment.threads
        let toT1w = try transform(environment.optionalInput("transform"))
        let brain = try environment.optionalInput("brain").map { try NIfTIFile.readMask($0.path) }
        let mask =
            try environment.optionalInput("mask").map { try NIfTIFile.readMask($0.path) }
            ?? brain?.resampled(to: map.grid, through: .affine(toT1w ?? .identity), threads: threads)
        try reference(&map, within: mask, environment, &warnings)

        // Slab → T1w and slab → map, in world mm.
        let frame = try frame(environment, labels)
        let slab = try grid(environment, about: frame.box, &warnings)
        let throughT1w = frame.toT1w ?? toT1w ?? .identity
        let throughMap: Affine
        if let toAtlasT1w = frame.toT1w {
            guard let back = (toT1w ?? .identity).inverse else { throw GridError.singularAffine("the transform") }
            throughMap = back * toAtlasT1w
        } else {
            throughMap = .identity
        }

        let onSlab = try labels.resampled(to: slab, through: .affine(throughMap), threads: threads)
        guard onSlab.values.contains(where: { $0 != 0 }) else {
            throw TaskResult.Failure.permanent(
                "None of the regions of \(environment.request.context) lies in the slab: the registration failed, or maps and regions "
                    + "are of different worlds; look at them")
        }
        var outputs: [TaskResult.Output] = []
        func add(_ port: String, metadata: JSONValue? = nil, _ write: (String) throws -> Void) throws {
            let (path, entry) = environment.output(port, metadata: metadata)
            try write(path)
            outputs.append(entry)
        }
        let keepsRegions = environment.text("keep") == "regions"
        func kept(_ image: Volume) -> Volume {
            var image = image
            if keepsRegions { for n in image.values.indices where onSlab.values[n] == 0 { image.values[n] = 0 } }
            return image
        }
        let chi = kept(try map.resampled(to: slab, through: .affine(throughMap), threads: threads))
        try add("chimap", metadata: ["Units": "ppm"]) { try NIfTIFile.write(chi, to: $0) }
        try add("labels") { try NIfTIFile.write(onSlab, to: $0) }
        if let item = environment.optionalInput("t1w") {
            var image = try NIfTIFile.readVolume(item.path)
            if let warning = image.replaceUnknown(in: item.input.name) { warnings.append(warning) }
            let t1w = kept(try image.resampled(to: slab, through: .affine(throughT1w), threads: threads))
            try add("t1w") { try NIfTIFile.write(t1w, to: $0) }
        }
        // The one of the T1w image where there is one: it has not been resampled.
        var inside =
            try brain?.resampled(to: slab, through: .affine(throughT1w), threads: threads)
            ?? mask?.resampled(to: slab, through: .affine(throughMap), threads: threads)
        if keepsRegions {
            inside = Mask(
                grid: slab,
                values: onSlab.values.indices.map { n in onSlab.values[n] != 0 && inside?.values[n] != 0 ? 1 : 0 })
        }
        if let inside { try add("mask") { try NIfTIFile.write(inside, to: $0) } }
        let means = try SliceMeans(chi, onSlab, within: inside, of: regions.map(\.index))
        outputs.append(
            try environment.writeTable(
                means.table(names: regions.map(\.name), reference: environment.text("reference")), to: "slices"))
        return TaskResult(outputs: outputs, measurements: measurements(labels, onSlab), warnings: warnings)
    }

    private static func transform(_ item: TaskRequest.StagedInput?) throws -> Affine? {
        try item.map { try TransformFile.decode(try $0.readJSON(), name: $0.input.name) }
    }

    // MARK: Values

    /// A label map with the chosen regions only, and which they are.
    private static func chosen(
        _ labels: LabelMap, _ tableItem: TaskRequest.StagedInput, _ environment: TaskEnvironment,
        _ warnings: inout [String]
    ) throws -> (labels: LabelMap, regions: [RegionTable.Region]) {
        var labels = labels
        let table = try RegionTable(try tableItem.readTable(), name: tableItem.input.name)
            .completed(with: Set(labels.values).sorted())
        let wanted = try RegionChoice.regions(environment, of: table, name: tableItem.input.name, &warnings)
        var isWanted = [Bool](repeating: false, count: 1 << 16)
        for region in wanted { isWanted[Int(region.index)] = true }
        for n in labels.values.indices where !isWanted[Int(labels.values[n])] { labels.values[n] = 0 }
        return (labels, wanted)
    }

    /// Takes the mean of the brain away, and leaves nothing outside it: what a network sees there is no tissue.
    private static func reference(
        _ map: inout Volume, within mask: Mask?, _ environment: TaskEnvironment, _ warnings: inout [String]
    ) throws {
        let isReferenced = environment.text("reference") == "whole_brain"
        if isReferenced, mask == nil {
            warnings.append(
                "There is no brain mask, so the reference whole_brain is the mean of everything the map covers.")
        }
        let coverage = try Coverage.mask(of: map, within: mask)
        var (sum, count) = (0.0, 0)
        for n in map.values.indices where coverage.values[n] != 0 {
            sum += Double(map.values[n])
            count += 1
        }
        guard count > 0 else {
            throw TaskResult.Failure.permanent(
                "The susceptibility map of \(environment.request.context) has no value in the brain; look at the map and its mask"
            )
        }
        let mean = isReferenced ? Float(sum / Double(count)) : 0
        for n in map.values.indices { map.values[n] = coverage.values[n] == 0 ? 0 : map.values[n] - mean }
    }

    // MARK: Where the slab is

    private struct Frame {
        /// Corners of the regions in the slab's world, mm.
        var box: (lower: SIMD3<Double>, upper: SIMD3<Double>)
        /// Slab world → T1w world; nil: the slab is in the world of the map.
        var toT1w: Affine?
    }

    /// The atlas's world where the step has a map to one, the first of several; else that of the susceptibility map.
    private static func frame(_ environment: TaskEnvironment, _ labels: LabelMap) throws -> Frame {
        guard let affineItem = environment.inputs("affine").first else {
            guard labels.values.contains(where: { $0 != 0 }) else {
                throw TaskResult.Failure.permanent(
                    "\(try environment.input("labels").input.name) has no voxel of the regions that the slab is laid about; look at "
                        + "it, or name others with “regions”")
            }
            return Frame(box: box(labels), toT1w: nil)
        }
        func item(_ port: String) throws -> TaskRequest.StagedInput {
            let name = affineItem.input.context.atlas
            guard let found = environment.inputs(port).first(where: { $0.input.context.atlas == name }) else {
                throw TaskResult.Failure.permanent(
                    "Step \(environment.request.step) has a registration to atlas \(name ?? "?") and no “\(port)” of it; bind both"
                )
            }
            return found
        }
        // Which names are of no region was said of the person's labels.
        var told: [String] = []
        let atlas = try chosen(
            try NIfTIFile.readLabelMap(try item("atlas_labels").path), try item("atlas_table"), environment, &told
        ).labels
        guard atlas.values.contains(where: { $0 != 0 }) else {
            throw TaskResult.Failure.permanent(
                "\(try item("atlas_labels").input.name) has no voxel of the regions that the slab is laid about; name others with "
                    + "“regions”")
        }
        guard let toAtlas = try transform(affineItem), let back = toAtlas.inverse else {
            throw GridError.singularAffine(affineItem.input.name)
        }
        return Frame(box: box(atlas), toT1w: back)
    }

    /// World mm of the outermost voxel borders of all that is labelled, on the axes of the world.
    private static func box(_ labels: LabelMap) -> (lower: SIMD3<Double>, upper: SIMD3<Double>) {
        let grid = labels.grid
        var lower = SIMD3<Double>(repeating: .infinity)
        var upper = SIMD3<Double>(repeating: -.infinity)
        for k in 0..<grid.nz {
            for j in 0..<grid.ny {
                let row = grid.index(0, j, k)
                for i in 0..<grid.nx where labels.values[row + i] != 0 {
                    let place = grid.affine(SIMD3(Double(i), Double(j), Double(k)))
                    (lower, upper) = (pointwiseMin(lower, place), pointwiseMax(upper, place))
                }
            }
        }
        // Half a voxel along every axis of the world.
        let columns = (0..<3).map { grid.affine.column($0) }
        let half = (0..<3).map { axis in columns.reduce(0) { $0 + abs($1[axis]) } / 2 }
        let margin = SIMD3(half[0], half[1], half[2])
        return (lower - margin, upper + margin)
    }

    private static func grid(
        _ environment: TaskEnvironment, about box: (lower: SIMD3<Double>, upper: SIMD3<Double>),
        _ warnings: inout [String]
    ) throws -> VoxelGrid {
        let spacing = environment.number("spacing_mm")
        let size = try environment.settings.slabSize()
        let middle = (box.lower + box.upper) / 2
        for (axis, side) in ["left to right", "back to front", "bottom to top"].enumerated() {
            let (needed, there) = (box.upper[axis] - box.lower[axis], Double(size[axis]) * spacing)
            // A voxel of slack: borders of regions are no sharper.
            if needed > there + spacing {
                warnings.append(
                    "From \(side) the regions reach over \(Int(needed.rounded())) mm and the slab over \(Int(there.rounded())) mm: "
                        + "their ends are cut off.")
            }
        }
        let counts = SIMD3(Double(size[0]), Double(size[1]), Double(size[2]))
        let origin = middle - (counts - 1) * spacing / 2
        return VoxelGrid(
            nx: size[0], ny: size[1], nz: size[2],
            affine: .translation(origin) * .scaling(SIMD3(repeating: spacing)))
    }

    private static func measurements(_ labels: LabelMap, _ onSlab: LabelMap) -> [MeasuredValue] {
        func volume(_ map: LabelMap) -> Double {
            Double(map.values.count { $0 != 0 }) * map.grid.voxelVolumeCubicMillimetres
        }
        let plane = onSlab.grid.nx * onSlab.grid.ny
        let slices = (0..<onSlab.grid.nz).count { k in
            onSlab.values[(k * plane)..<((k + 1) * plane)].contains { $0 != 0 }
        }
        // An affine map to an atlas changes volumes; what is cut off shows beside that.
        return [
            MeasuredValue(metric: "slices", value: Double(slices), unit: "1"),
            MeasuredValue(metric: "volume", value: volume(labels), unit: "mm3"),
            MeasuredValue(metric: "slab_volume", value: volume(onSlab), unit: "mm3"),
        ]
    }
}
