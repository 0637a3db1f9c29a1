import BIDS
import Foundation
import Kernels
import NIfTI
import TestSupport
import Testing
import Workflow

@testable import Tasks

/// People small enough to train networks on in a test, with things in them that anybody could find.
enum ToyCohort {
    static let grid = VoxelGrid(nx: 20, ny: 18, nz: 16, affine: .scaling(SIMD3(1, 1, 1)))

    static func context(_ number: Int) -> TaskContext { TaskContext(subject: String(format: "%02d", number)) }

    /// A susceptibility map with a bright and a dark box at a place of its own, and the boxes as regions 7 and 9.
    static func person(_ number: Int) -> (map: Volume, labels: LabelMap) {
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

    /// A folder with the images of some people on the ports of `network.train`.
    static func segmentationFolder(people: Range<Int>, labelled: Bool = true) throws -> TaskFolder {
        let folder = try TaskFolder()
        for number in people {
            let (map, labels) = person(number)
            try folder.add("images", map, name: "sub-\(context(number).subject!)_Chimap", context: context(number))
            if labelled {
                try folder.add("labels", labels, name: "sub-\(context(number).subject!)_dseg", context: context(number))
            }
        }
        return folder
    }

    /// Six lesions, of which those with the numbers in `rims` are bright and the others dark (in `image`), and have a large
    /// strength and some size (in the features' table).
    struct Lesions {
        var map: Volume
        var labels: LabelMap
        var targets: String
        var features: String
    }

    static func lesions(_ number: Int, rims: Set<Int>, image: Bool = true) -> Lesions {
        var random = SeededGenerator(seed: UInt64(500 + number))
        var map = Volume(grid: grid, values: (0..<grid.count).map { _ in Float(0.02 * random.gaussian()) })
        var labels = LabelMap(grid: grid)
        var (targets, features) = ("lesion\tclass\n", "lesion\tname\tstrength\tsize\tmissing\n")
        for lesion in 1...6 {
            let hasRim = rims.contains(lesion)
            let (i0, j0, k0) = (2 + (lesion - 1) % 3 * 6, 3 + (lesion - 1) / 3 * 8, 6)
            for k in k0..<k0 + 4 {
                for j in j0..<j0 + 4 {
                    for i in i0..<i0 + 4 {
                        labels.values[grid.index(i, j, k)] = UInt16(lesion)
                        if image { map[i, j, k] += hasRim ? 0.2 : -0.2 }
                    }
                }
            }
            targets += "\(lesion)\t\(hasRim ? "rim" : "none")\n"
            let strength = 1000 + (hasRim ? 50 : -50) + 5 * random.gaussian()
            features += "\(lesion)\tlesion-\(lesion)\t\(strength)\t\(0.001 * random.gaussian())\tn/a\n"
        }
        return Lesions(map: map, labels: labels, targets: targets, features: features)
    }

    /// A folder with people and their lesions on the ports of `network.train`; every second person has two rims, others one.
    static func lesionFolder(people: Range<Int>, features: Bool = false, image: Bool = true) throws -> TaskFolder {
        let folder = try TaskFolder()
        for number in people {
            let lesions = lesions(number, rims: [number % 6 + 1, (number + 2 + number % 2) % 6 + 1], image: image)
            let (name, context) = ("sub-\(context(number).subject!)", context(number))
            try folder.add("images", lesions.map, name: "\(name)_Chimap", context: context)
            try folder.add("labels", lesions.labels, name: "\(name)_lesions", context: context)
            try folder.add("targets", lesions.targets, name: "\(name)_targets.tsv", context: context)
            if features {
                try folder.add("features", lesions.features, name: "\(name)_features.tsv", context: context)
            }
        }
        return folder
    }

    /// A folder with people of whom every second has a brighter map and is of the group HH.
    static func groupFolder(people: Range<Int>) throws -> TaskFolder {
        let folder = try TaskFolder()
        var rows: [JSONValue] = []
        for number in people {
            try folder.add(
                "images", groupMap(number, isBright: number % 2 == 0), name: "\(number)_Chimap",
                context: context(number))
            rows.append([
                "subject": .string(context(number).subject!),
                "values": ["group": .string(number % 2 == 0 ? "HH" : "control")],
            ])
        }
        let covariates: JSONValue = ["columns": [["name": "group", "type": "text"]], "rows": .array(rows)]
        try folder.add("covariates", covariates.canonicalString, name: "covariates.json")
        return folder
    }

    static func groupMap(_ number: Int, isBright: Bool) -> Volume {
        var map = person(number).map
        if isBright { for n in map.values.indices { map.values[n] += 0.1 } }
        return map
    }
}

extension TaskFolder {
    /// A susceptibility map in ppm.
    func add(_ port: String, _ volume: Volume, name: String, context: TaskContext = .cohort) throws {
        let file = "\(path)/\(port)-\(name).nii.gz"
        try NIfTIFile.write(volume, to: file)
        add(port, path: file, name: "\(name).nii.gz", context: context, metadata: ["Units": "ppm"])
    }

    func add(_ port: String, _ labels: LabelMap, name: String, context: TaskContext = .cohort) throws {
        let file = "\(path)/\(port)-\(name).nii.gz"
        try NIfTIFile.write(labels, to: file)
        add(port, path: file, name: "\(name).nii.gz", context: context)
    }

    /// The model that the folder's training made.
    var modelPath: String { path + "/out/model.safetensors" }

    /// The rows of a table among the outputs, cell by cell, without the header.
    func rows(_ file: String) throws -> [[String]] {
        try output(file).split(separator: "\n").dropFirst().map { $0.split(separator: "\t").map(String.init) }
    }
}

extension TaskResult {
    func value(_ metric: String, region: String? = nil, term: String? = nil) -> Double? {
        measurements.first { $0.metric == metric && $0.region == region && (term == nil || $0.term == term) }?.value
    }
}

/// Dice coefficient of a label in one map and another in the other.
func dice(_ found: LabelMap, _ index: UInt16, _ truth: LabelMap, _ label: UInt16) -> Double {
    let both = zip(found.values, truth.values).count { $0 == index && $1 == label }
    let sum = found.values.count { $0 == index } + truth.values.count { $0 == label }
    return 2 * Double(both) / Double(sum)
}
