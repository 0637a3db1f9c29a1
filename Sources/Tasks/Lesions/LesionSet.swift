import Kernels
import NIfTI
import Segmentation
import Workflow

/// The lesions of a person, however they were given: as classes whose connected pieces are lesions, or by number.
struct LesionSet: Sendable {
    struct Lesion: Sendable, Equatable {
        var number: UInt16
        var className: String
        var voxels: Int
    }

    /// By number, 0 elsewhere.
    var map: LabelMap
    /// In the order of their numbers.
    var lesions: [Lesion]
    /// All classes there could be, also those without a lesion here; in the order of their numbers, else of the alphabet.
    var classes: [String]
    /// What the classes are called by.
    var naming: Naming

    enum Naming: Sendable {
        /// A table of classes; or of lesions, which names only classes that this person has.
        case classTable, lesionTable
        /// No table.
        case none
    }

    /// What the numbers of a label map are, where no table says it.
    enum Numbers: String {
        /// One number per class: its connected pieces are the lesions.
        case classes
        /// One number per lesion.
        case lesions
    }

    /// How lesions are made.
    struct Making {
        var numbers: Numbers
        var connectivity: Connectivity
        var smallestMillimetres3: Double
        /// Names of the classes that are lesions; empty: all.
        var wanted: [String]
        /// Nothing outside it is a lesion.
        var mask: Mask?
        /// Other names for classes.
        var renamed: [String: String] = [:]
        /// Bring the map here, each voxel from the nearest one; nil: it stays on its grid.
        var grid: VoxelGrid?

        /// Of a map that has one number per lesion: all of them, as they are.
        static var byNumber: Making {
            Making(
                numbers: .lesions, connectivity: .facesEdgesAndCorners, smallestMillimetres3: 0, wanted: [])
        }
    }

    /// Columns that hold the number of a lesion.
    private static let numberColumns = ["lesion", "lesion_id"]

    /// Lesions without a class in the words of a table: those by number, and the 1 of a mask. Other numbers are called by
    /// themselves (`label-2`). What a number is called must not depend on what else a person has.
    static let plainClass = "lesion"

    /// - Parameters:
    ///   - item: the label map.
    ///   - table: columns `index` and `name` for classes, or `lesion` and `class` for lesions by number; what it has
    ///     decides what the numbers of the map are.
    init(_ item: TaskRequest.StagedInput, table: TaskRequest.StagedInput?, _ making: Making) throws {
        var labels = try NIfTIFile.readLabelMap(item.path)
        if let grid = making.grid, !grid.matches(labels.grid) {
            labels = try labels.resampled(to: grid, interpolation: .nearest)
        }
        if let mask = making.mask {
            try requireSameGrid(labels.grid, item.input.name, mask.grid, "the mask")
            for n in labels.values.indices where mask.values[n] == 0 { labels.values[n] = 0 }
        }
        let contents = try table.map { (try $0.readTable(), $0.input.name) }
        let hasLesions =
            contents.map { table, _ in Self.numberColumns.contains { table.columns.contains($0) } } ?? false
        naming = hasLesions ? .lesionTable : contents == nil ? .none : .classTable
        var counts = [Int](repeating: 0, count: 1 << 16)
        for value in labels.values { counts[Int(value)] += 1 }
        let present = (1..<counts.count).filter { counts[$0] > 0 }.map { UInt16($0) }
        let smallest = Self.voxels(of: making.smallestMillimetres3, labels.grid)
        if hasLesions || (contents == nil && making.numbers == .lesions) {
            var names = Dictionary(uniqueKeysWithValues: present.map { ($0, Self.plainClass) })
            if let contents {
                names = try Self.classes(contents.0, contents.1, present: present, map: item.input.name)
            }
            names = names.mapValues { making.renamed[$0] ?? $0 }
            // The table of one person need not know a class that this person does not have.
            classes = making.wanted.isEmpty ? Set(names.values).sorted() : making.wanted
            if contents == nil, making.wanted.isEmpty { classes = [Self.plainClass] }
            let wanted = Set(classes)
            let chosen = present.compactMap { number -> Lesion? in
                guard let name = names[number], wanted.contains(name), counts[Int(number)] >= smallest else {
                    return nil
                }
                return Lesion(number: number, className: name, voxels: counts[Int(number)])
            }
            let kept = Set(chosen.map(\.number))
            lesions = chosen
            map = LabelMap(grid: labels.grid, values: labels.values.map { kept.contains($0) ? $0 : 0 })
            return
        }
        var regions: RegionTable
        if let contents {
            regions = try RegionTable(contents.0, name: contents.1).completed(with: present)
        } else {
            let mask = RegionTable.Region(index: 1, name: Self.plainClass, colour: nil)
            regions = RegionTable(regions: present.isEmpty || present.contains(1) ? [mask] : [])
                .completed(with: present)
        }
        for n in regions.regions.indices {
            regions.regions[n].name = making.renamed[regions.regions[n].name] ?? regions.regions[n].name
        }
        let known = regions.regions.map(\.name)
        if contents != nil, let unknown = making.wanted.first(where: { !known.contains($0) }) {
            throw TaskResult.Failure.permanent(
                "\(contents!.1) names no class “\(unknown)”, which “classes” asks for; it has \(known.joined(separator: ", "))"
            )
        }
        var order: [String] = []
        for name in known where !order.contains(name) { order.append(name) }
        classes = making.wanted.isEmpty ? order : making.wanted
        let wanted = Set(classes)
        let (indices, merged) = Self.merged(labels, regions.regions.filter { wanted.contains($0.name) })
        let found: LesionComponents
        do {
            found = try LesionComponents(
                of: merged, classes: indices, connectivity: making.connectivity, smallestVoxels: smallest)
        } catch {
            throw TaskResult.Failure.permanent("\(item.input.name): \(error)")
        }
        map = found.map
        lesions = found.lesions.map {
            Lesion(number: $0.number, className: regions.name(of: $0.label)!, voxels: $0.voxels)
        }
    }

    /// Labels of one class as the first of them, so that a lesion that holds several is one; the first ones, in order.
    private static func merged(_ labels: LabelMap, _ regions: [RegionTable.Region]) -> ([UInt16], LabelMap) {
        var firsts: [String: UInt16] = [:]
        var (indices, others): ([UInt16], [UInt16: UInt16]) = ([], [:])
        for region in regions {
            if let first = firsts[region.name] {
                others[region.index] = first
            } else {
                firsts[region.name] = region.index
                indices.append(region.index)
            }
        }
        guard !others.isEmpty else { return (indices, labels) }
        var number = [UInt16](0...UInt16.max)
        for (other, first) in others { number[Int(other)] = first }
        return (indices, LabelMap(grid: labels.grid, values: labels.values.map { number[Int($0)] }))
    }

    /// The least number of voxels that make up a volume.
    private static func voxels(of millimetres3: Double, _ grid: VoxelGrid) -> Int {
        // A volume of exactly so many voxels is reached, whatever the rounding of the affine.
        max(1, Int((millimetres3 / grid.voxelVolumeCubicMillimetres - 1e-6).rounded(.up)))
    }

    /// Names by number from a table of lesions; numbers that the map does not have are nobody's lesion.
    private static func classes(
        _ table: TabSeparatedTable, _ file: String, present: [UInt16], map: String
    ) throws -> [UInt16: String] {
        let lesion = try table.column(numberColumns.first { table.columns.contains($0) } ?? "lesion", of: file)
        let column = try table.column("class", of: file)
        var names: [UInt16: String] = [:]
        for row in table.rows {
            guard let number = UInt16(row[lesion]), number > 0 else {
                throw TaskResult.Failure.permanent(
                    "\(file): “\(row[lesion])” in column lesion is not a whole number from 1 to 65535; correct it")
            }
            guard names.updateValue(row[column], forKey: number) == nil else {
                throw TaskResult.Failure.permanent("\(file) has lesion \(number) twice; keep one row")
            }
        }
        if let nameless = present.first(where: { names[$0] == nil }) {
            throw TaskResult.Failure.permanent(
                "\(file) has no row for lesion \(nameless) of \(map); add it with its class")
        }
        return names.filter { !$0.value.isEmpty && $0.value != "n/a" }
    }

    var classNames: [UInt16: String] {
        Dictionary(uniqueKeysWithValues: lesions.map { ($0.number, $0.className) })
    }

    func lesions(of className: String) -> [Lesion] { lesions.filter { $0.className == className } }
}

extension TaskEnvironment {
    /// What the parameters of this step say about making lesions.
    func lesionMaking(numbers: String = "numbers", mask: Mask? = nil) throws -> LesionSet.Making {
        guard let connectivity = Connectivity(rawValue: integer("connectivity")) else {
            throw TaskResult.Failure.permanent(
                "Step \(request.step): connectivity must be 6 (faces), 18 (and edges) or 26 (and corners), not "
                    + "\(integer("connectivity"))")
        }
        return LesionSet.Making(
            numbers: LesionSet.Numbers(rawValue: text(numbers)) ?? .classes, connectivity: connectivity,
            smallestMillimetres3: number("smallest_mm3"), wanted: texts("classes"), mask: mask)
    }
}
