import Kernels
import NIfTI
import Workflow

/// Lesions by number that a classifier decided for, as a map of their classes: what a network that segments gives.
enum LesionSelectTask: TaskImplementation {
    static let kind = "lesions.select"

    static func run(_ environment: TaskEnvironment) throws -> TaskResult {
        let (item, decisionItem) = (try environment.input("lesions"), try environment.input("decisions"))
        let lesions = try LesionSet(item, table: nil, .byNumber)
        let decisions = try LesionDecisions(decisionItem)
        let classes = try classes(environment, decisions, of: decisionItem.input.name)
        let places = classes.map { name in decisions.classes.firstIndex(of: name)! }
        let threshold = environment.number("threshold")

        // By number of the lesion, so that one pass over the voxels does.
        var labels = [UInt16](repeating: 0, count: 1 << 16)
        var probabilities = [[Float]](repeating: [Float](repeating: 0, count: 1 << 16), count: classes.count)
        var kept = [Int](repeating: 0, count: classes.count)
        for lesion in lesions.lesions {
            guard let decision = decisions.byLesion[lesion.number] else {
                throw TaskResult.Failure.permanent(
                    "\(decisionItem.input.name) has no row for lesion \(lesion.number) of \(item.input.name); bind what was decided "
                        + "of these lesions")
            }
            let own = places.map { decision.probabilities[$0] }
            for (place, probability) in own.enumerated() {
                probabilities[place][Int(lesion.number)] = Float(probability)
            }
            let chosen: Int?
            if threshold == 0 {
                chosen = classes.firstIndex(of: decision.className)
            } else {
                // Of equals the first.
                let best = own.indices.max { own[$0] < own[$1] }!
                chosen = own[best] >= threshold ? best : nil
            }
            guard let chosen else { continue }
            labels[Int(lesion.number)] = UInt16(chosen + 1)
            kept[chosen] += 1
        }

        let numbers = lesions.map
        let map = LabelMap(grid: numbers.grid, values: numbers.values.map { labels[Int($0)] })
        let (labelPath, labelEntry) = environment.output("labels")
        try NIfTIFile.write(map, to: labelPath)
        let ofClasses = probabilities.map { own in
            Volume(grid: numbers.grid, values: numbers.values.map { own[Int($0)] })
        }
        let (path, entry) = environment.output("probabilities")
        try NIfTIFile.write([background(of: ofClasses)] + ofClasses, to: path)
        let table = TabSeparatedTable(
            columns: ["index", "name"], rows: (["background"] + classes).enumerated().map { ["\($0)", $1] })
        return TaskResult(
            outputs: [labelEntry, try environment.writeTable(table, to: "table"), entry],
            measurements: zip(classes, kept).map { name, count in
                MeasuredValue(term: name, metric: "lesions", value: Double(count), unit: "1")
            },
            warnings: lesions.lesions.isEmpty ? ["\(item.input.name) has no lesion; nothing is selected."] : [])
    }

    /// Names of the classes to keep, in the order of their numbers: those asked for, or all but the one of what is no lesion.
    private static func classes(
        _ environment: TaskEnvironment, _ decisions: LesionDecisions, of name: String
    ) throws -> [String] {
        let asked = environment.texts("classes")
        if let unknown = asked.first(where: { !decisions.classes.contains($0) }) {
            throw environment.refuse(
                "\(name) has no class “\(unknown)”, which “classes” asks for; it has "
                    + decisions.classes.joined(separator: ", "))
        }
        var classes: [String] = []
        for name in asked where !classes.contains(name) { classes.append(name) }
        if asked.isEmpty { classes = decisions.classes.filter { $0 != environment.text("other") } }
        guard !classes.isEmpty else {
            throw environment.refuse(
                "\(name) knows \(decisions.classes.joined(separator: ", ")) alone, which stands for what is no lesion; name the "
                    + "classes to keep with “classes”")
        }
        return classes
    }

    /// What is left beside the classes, which exclude each other.
    private static func background(of classes: [Volume]) -> Volume {
        var rest = Volume(grid: classes[0].grid, filledWith: 1)
        for n in rest.values.indices { rest.values[n] = max(0, 1 - classes.reduce(0) { $0 + $1.values[n] }) }
        return rest
    }
}
