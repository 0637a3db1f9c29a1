import BIDS
import Kernels
import NIfTI
import Radiomics
import Segmentation
import Workflow

/// Lesions one by one: their numbers, where they lie, what they are like.
enum LesionComponentsTask: TaskImplementation {
    static let kind = "lesions.components"

    static let columns = [
        "lesion", "class", "x_mm", "y_mm", "z_mm", "voxels", "volume_mm3", "diameter_mm", "mean_ppm", "peak_ppm",
        "sphericity", "elongation", "flatness", "region", "region_share", "centre_region", "mean_probability",
        "max_probability",
    ]

    static func run(_ environment: TaskEnvironment) throws -> TaskResult {
        let item = try environment.input("labels")
        let table = environment.optionalInput("table")
        let mask = try environment.optionalInput("mask").map { try NIfTIFile.readMask($0.path) }
        let set = try LesionSet(item, table: table, try environment.lesionMaking(mask: mask))
        let (maps, names) = try maps(environment, on: set.map.grid, of: item.input.name)
        let measured = LesionMeasures.all(of: set, maps, threads: environment.threads)

        let (path, entry) = environment.output("labels")
        try NIfTIFile.write(set.map, to: path)
        let lesions = TabSeparatedTable(columns: columns, rows: measured.map { row($0, names) })
        var values = totals(set)
        for lesion in measured { values += measurements(lesion, names) }
        return TaskResult(
            outputs: [entry, try environment.writeTable(lesions, to: "table")], measurements: values,
            warnings: (set.lesions.isEmpty ? ["\(item.input.name) has no lesion; the table is empty."] : [])
                + (environment.optionalInput("probabilities").map {
                    LesionMeasures.warnings(measured, of: $0.input.name)
                } ?? []))
    }

    /// The maps that are bound, all on the grid of the lesions, and the names of the regions.
    private static func maps(
        _ environment: TaskEnvironment, on grid: VoxelGrid, of name: String
    ) throws -> (LesionMeasures.Maps, RegionTable?) {
        var maps = LesionMeasures.Maps()
        if let item = environment.optionalInput("chimap") {
            let map = try SusceptibilityMap.read(item, units: environment.text("units"))
            try requireSameGrid(grid, name, map.grid, item.input.name)
            maps.chi = map
        }
        var names: RegionTable?
        if let item = environment.optionalInput("regions") {
            let regions = try NIfTIFile.readLabelMap(item.path)
            try requireSameGrid(grid, name, regions.grid, item.input.name)
            maps.regions = regions
            let known = try environment.optionalInput("regions_table").map {
                try RegionTable(try $0.readTable(), name: $0.input.name)
            }
            names = (known ?? RegionTable(regions: [])).completed(with: Set(regions.values).sorted())
        }
        if let item = environment.optionalInput("probabilities") {
            let table = try environment.optionalInput("table").flatMap { item -> RegionTable? in
                let table = try item.readTable()
                return table.columns.contains("index") ? try RegionTable(table, name: item.input.name) : nil
            }
            maps.probabilities = try LesionProbabilities(item, table: table, on: grid, of: name)
        }
        return (maps, names)
    }

    private static func name(_ label: UInt16?, _ names: RegionTable?) -> String? {
        label.flatMap { $0 == 0 ? nil : names?.name(of: $0) }
    }

    private static func row(_ measures: LesionMeasures, _ names: RegionTable?) -> [String] {
        let cell = TabSeparatedTable.cell
        let centre = measures.centreMillimetres
        return [
            "\(measures.lesion.number)", measures.lesion.className, cell(centre.x), cell(centre.y), cell(centre.z),
            "\(measures.lesion.voxels)", cell(measures.volumeCubicMillimetres),
            cell(measures.shape.equivalentDiameterMillimetres), cell(measures.meanChi), cell(measures.peakChi),
            cell(measures.shape.sphericity), cell(measures.shape.elongation), cell(measures.shape.flatness),
            name(measures.region?.label, names) ?? "n/a", cell(measures.region?.share),
            name(measures.centreRegion, names) ?? "n/a", cell(measures.meanProbability),
            cell(measures.largestProbability),
        ]
    }

    /// Count and volume of every class.
    private static func totals(_ set: LesionSet) -> [MeasuredValue] {
        let voxelVolume = set.map.grid.voxelVolumeCubicMillimetres
        return set.classes.flatMap { name in
            let lesions = set.lesions(of: name)
            let voxels = lesions.reduce(0) { $0 + $1.voxels }
            return [
                MeasuredValue(term: name, metric: "lesions", value: Double(lesions.count), unit: "1"),
                MeasuredValue(term: name, metric: "total_volume", value: Double(voxels) * voxelVolume, unit: "mm3"),
            ]
        }
    }

    /// A lesion's numbers: the lesion is the region, its class the term; what only a map can tell is there with the map.
    private static func measurements(_ measures: LesionMeasures, _ names: RegionTable?) -> [MeasuredValue] {
        let centre = measures.centreMillimetres
        let always: [(String, Double?, String)] = [
            ("x", centre.x, "mm"), ("y", centre.y, "mm"), ("z", centre.z, "mm"),
            ("voxels", Double(measures.lesion.voxels), "1"), ("volume", measures.volumeCubicMillimetres, "mm3"),
            ("diameter", measures.shape.equivalentDiameterMillimetres, "mm"),
            ("sphericity", measures.shape.sphericity, "1"), ("elongation", measures.shape.elongation, "1"),
            ("flatness", measures.shape.flatness, "1"),
        ]
        let withMaps: [(String, Double?, String)] = [
            ("mean", measures.meanChi, "ppm"), ("peak", measures.peakChi, "ppm"),
            ("mean_probability", measures.meanProbability, "1"), ("max_probability", measures.largestProbability, "1"),
        ]
        let region = "lesion-\(measures.lesion.number)"
        var values = (always + withMaps.filter { $0.1 != nil }).map { metric, value, unit in
            MeasuredValue(region: region, term: measures.lesion.className, metric: metric, value: value, unit: unit)
        }
        // Where it lies: a name has no place among numbers but as the term of one.
        if let (label, share) = measures.region, let name = name(label, names) {
            values.append(MeasuredValue(region: region, term: name, metric: "region_share", value: share, unit: "1"))
        }
        if let name = name(measures.centreRegion, names) {
            values.append(MeasuredValue(region: region, term: name, metric: "centre_region", value: 1, unit: "1"))
        }
        return values
    }
}
