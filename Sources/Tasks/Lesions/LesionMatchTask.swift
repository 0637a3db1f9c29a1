import BIDS
import Kernels
import Segmentation
import Workflow

/// What lesions by number are in the words of a reference: classes of candidates, for a classifier to learn.
enum LesionMatchTask: TaskImplementation {
    static let kind = "lesions.match"

    static let columns = ["lesion", "class", "reference", "common_voxels", "distance_mm"]

    static func run(_ environment: TaskEnvironment) throws -> TaskResult {
        let (item, referenceItem) = (try environment.input("lesions"), try environment.input("reference"))
        let other = environment.text("other")
        guard !other.isEmpty, other != "n/a" else {
            throw environment.refuse("other is the class of what is no lesion of the reference; give it a name")
        }
        var making = try environment.lesionMaking(numbers: "reference_numbers")
        making.renamed = environment.map("rename").compactMapValues(\.stringValue)
        let reference = try LesionSet(referenceItem, table: environment.optionalInput("reference_table"), making)
        guard !reference.classes.contains(other) else {
            throw environment.refuse(
                "\(referenceItem.input.name) has a class “\(other)” of its own; name what is no lesion of it otherwise, with “other”"
            )
        }
        let lesions = try LesionSet(item, table: nil, .byNumber)
        try requireSameGrid(lesions.map.grid, item.input.name, reference.map.grid, referenceItem.input.name)
        let contacts = try LesionContacts(reference.map, lesions.map)
        let matches = LesionMatches(contacts, rule: try environment.matchingRule(environment.text("rule")))

        let (names, pairs) = (reference.classNames, Dictionary(grouping: matches.pairs, by: \.prediction))
        var targets = TabSeparatedTable(columns: columns)
        var counts: [String: Int] = [:]
        for lesion in lesions.lesions {
            guard let pair = contacts.best(of: pairs[lesion.number] ?? []) else {
                targets.rows.append(["\(lesion.number)", other, "n/a", "n/a", "n/a"])
                counts[other, default: 0] += 1
                continue
            }
            let contact = LesionContacts.Contact(reference: pair.reference, prediction: pair.prediction)
            let name = names[pair.reference]!
            targets.rows.append([
                "\(lesion.number)", name, "\(pair.reference)", "\(contacts.common[contact] ?? 0)",
                TabSeparatedTable.cell(contacts.distanceMillimetres(of: contact)),
            ])
            counts[name, default: 0] += 1
        }
        var measured = (reference.classes + [other]).map { name in
            MeasuredValue(term: name, metric: "lesions", value: Double(counts[name] ?? 0), unit: "1")
        }
        for name in reference.classes {
            let own = reference.lesions(of: name)
            let missed = own.count { !matches.foundReferences.contains($0.number) }
            measured.append(MeasuredValue(term: name, metric: "references", value: Double(own.count), unit: "1"))
            measured.append(MeasuredValue(term: name, metric: "missed", value: Double(missed), unit: "1"))
        }
        return TaskResult(
            outputs: [try environment.writeTable(targets, to: "targets")], measurements: measured,
            warnings: lesions.lesions.isEmpty ? ["\(item.input.name) has no lesion; the table is empty."] : [])
    }
}
