import BIDS
import Kernels
import NIfTI
import Segmentation
import Workflow

/// Predicted against reference lesions of a person, under every matching rule side by side.
enum DetectionTask: TaskImplementation {
    static let kind = "evaluate.detection"

    static func run(_ environment: TaskEnvironment) throws -> TaskResult {
        let input = try DetectionInput(environment)
        let rules = try rules(environment)
        let contacts = try LesionContacts(input.reference.map, input.prediction.map)
        var persons = TabSeparatedTable(columns: DetectionCount.columns)
        var lesions = TabSeparatedTable(columns: MatchedLesion.columns)
        var measured: [MeasuredValue] = []
        let smallest = environment.number("ignored_below_mm3") / contacts.grid.voxelVolumeCubicMillimetres
        // A lesion of just that size counts, whatever rounding made of the volume of a voxel.
        let smallestVoxels = Int((smallest * (1 - 1e-6)).rounded(.up))
        for name in input.classes {
            let (references, predictions) = (
                Set(input.reference.lesions(of: name).map(\.number)),
                Set(input.prediction.lesions(of: name).map(\.number))
            )
            let part = contacts.limited(
                toReferences: references.contains, predictions: predictions.contains)
            measured += DetectionCount.measurements(
                ofClass: name, part, smallestVoxels: smallestVoxels, probableVoxels: input.probableVoxels)
            for rule in rules {
                let matches = LesionMatches(part, rule: rule, smallestVoxels: smallestVoxels)
                let count = DetectionCount(
                    className: name, rule: rule.name, part, matches, probableVoxels: input.probableVoxels)
                persons.rows.append(count.row)
                measured += count.measurements
                lesions.rows += MatchedLesion.all(
                    className: name, rule: rule.name, part, matches, scores: input.scores
                ).map(\.row)
            }
        }
        // So that nobody takes a class that was not judged for one that has no lesion.
        for name in input.unjudged {
            persons.rows += rules.map { DetectionCount.unjudgedRow(ofClass: name, rule: $0.name) }
        }
        return TaskResult(
            outputs: [
                try environment.writeTable(persons, to: "table"), try environment.writeTable(lesions, to: "lesions"),
            ], measurements: measured,
            warnings: input.warnings
                + (input.classes.isEmpty
                    ? ["Neither side has a lesion; name the classes in “classes” to have rows of zeros."] : []))
    }

    private static func rules(_ environment: TaskEnvironment) throws -> [LesionMatchingRule] {
        let rules = try environment.texts("rules").map { try environment.matchingRule($0) }
        guard !rules.isEmpty else {
            throw TaskResult.Failure.permanent(
                "Step \(environment.request.step) names no matching rule; there are overlap, iou, centre and valdo")
        }
        return rules
    }
}

/// The lesions of both sides on one grid, and how sure the prediction was of each of its own.
struct DetectionInput {
    let reference: LesionSet
    let prediction: LesionSet
    /// Classes of either side, those of the reference first.
    let classes: [String]
    /// Classes of either side that are left out, since the other side's table of classes does not name them.
    let unjudged: [String]
    /// By number of the prediction; empty where there are none.
    let scores: [UInt16: Double]
    /// The voxels of each prediction, by number, counted by their probabilities; empty where no map of these is read. Whoever is
    /// not in it counts whole.
    let probableVoxels: [UInt16: Double]
    /// What to look at where it was not meant.
    let warnings: [String]

    init(_ environment: TaskEnvironment) throws {
        let (referenceItem, predictionItem) = (try environment.input("reference"), try environment.input("prediction"))
        let grid = try NIfTIFile.readHeader(referenceItem.path).grid
        let mask = try environment.optionalInput("mask").map { try NIfTIFile.readMask($0.path) }
        let isResampled = environment.boolean("resample")
        var making = try environment.lesionMaking(numbers: "reference_numbers", mask: mask)
        making.renamed = environment.map("rename").compactMapValues(\.stringValue)
        reference = try LesionSet(referenceItem, table: environment.optionalInput("reference_table"), making)
        making.numbers = LesionSet.Numbers(rawValue: environment.text("prediction_numbers")) ?? .classes
        if isResampled {
            making.grid = grid
        } else {
            let found = try NIfTIFile.readHeader(predictionItem.path).grid
            guard found.matches(grid) else { throw environment.otherGrids(predictionItem, found, referenceItem, grid) }
        }
        let table = environment.optionalInput("prediction_table")
        prediction = try LesionSet(predictionItem, table: table, making)
        let (known, predicted) = (reference.classes, prediction.classes)
        let both = known + predicted.filter { !known.contains($0) }
        // A table of lesions names what is there, not what could be.
        let sides = [reference, prediction].filter { $0.naming == .classTable }
        let shared = both.filter { name in sides.allSatisfy { $0.classes.contains(name) } }
        let judged = environment.boolean("only_shared") && !shared.isEmpty ? shared : both
        classes = judged
        unjudged = both.filter { !judged.contains($0) }
        let besides = predicted.filter { !judged.contains($0) }
        let isAlike = known.contains(where: predicted.contains) || known.isEmpty || predicted.isEmpty
        let namings = [reference.naming, prediction.naming]
        let said =
            "the prediction has the classes \(predicted.joined(separator: ", ")), the reference "
            + "\(known.joined(separator: ", ")), none of them alike"
        // A table of lesions names only what this person has, who may well lack what a network knows or sees; names that
        // never agree are a mistake.
        guard isAlike || (namings.contains(.lesionTable) && !namings.contains(.none)) else {
            throw TaskResult.Failure.permanent(
                "Step \(environment.request.step): \(said); bind tables that name them, or say with “rename” which are the same"
            )
        }
        var warnings =
            isAlike || !namings.contains(.classTable)
            ? [] : ["Here \(said); all of them are counted. Should some be the same, say so with “rename”."]
        if !besides.isEmpty {
            warnings.append(
                "\(besides.joined(separator: ", ")) of the prediction is left out, since the reference's table does not name it. "
                    + "Should it be called otherwise there, say so with “rename”.")
        }
        let unsure: [String]
        (scores, probableVoxels, unsure) = try Self.scores(environment, prediction, table, isResampled: isResampled)
        self.warnings = warnings + unsure
    }

    /// From a column of the predictions' table, else from a map of probabilities, and what this makes of their voxels.
    private static func scores(
        _ environment: TaskEnvironment, _ set: LesionSet, _ table: TaskRequest.StagedInput?, isResampled: Bool
    ) throws -> (scores: [UInt16: Double], probableVoxels: [UInt16: Double], warnings: [String]) {
        let wanted = environment.text("score")
        if set.naming == .lesionTable, let item = table {
            let contents = try item.readTable()
            if let column = contents.columns.firstIndex(of: wanted) {
                let number = contents.columns.firstIndex(of: "lesion") ?? contents.columns.firstIndex(of: "lesion_id")!
                var scores: [UInt16: Double] = [:]
                for row in contents.rows {
                    guard let lesion = UInt16(row[number]) else { continue }
                    scores[lesion] = TabSeparatedTable.number(row[column])
                }
                return (scores, [:], [])
            }
            if environment.isSet("score") {
                throw TaskResult.Failure.permanent(
                    "\(item.input.name) has no column “\(wanted)” with scores (it has \(contents.columns.joined(separator: ", "))); "
                        + "name another with “score”")
            }
        }
        guard let item = environment.optionalInput("probabilities") else { return ([:], [:], []) }
        var names: RegionTable?
        if set.naming == .classTable, let table {
            names = try RegionTable(try table.readTable(), name: table.input.name)
            let renamed = environment.map("rename").compactMapValues(\.stringValue)
            for n in names!.regions.indices {
                names!.regions[n].name = renamed[names!.regions[n].name] ?? names!.regions[n].name
            }
        }
        let maps = try LesionProbabilities(
            item, table: names, on: set.map.grid, of: "the prediction", isResampled: isResampled)
        let measured = LesionMeasures.all(
            of: set, LesionMeasures.Maps(probabilities: maps), threads: environment.threads)
        var (scores, probableVoxels): ([UInt16: Double], [UInt16: Double]) = ([:], [:])
        for lesion in measured {
            scores[lesion.lesion.number] =
                wanted == "mean_probability" ? lesion.meanProbability : lesion.largestProbability
            probableVoxels[lesion.lesion.number] = lesion.probableVoxels
        }
        return (scores, probableVoxels, LesionMeasures.warnings(measured, of: item.input.name))
    }
}

extension TaskEnvironment {
    /// A rule by its name, with what the parameters of this step say about it.
    func matchingRule(_ name: String) throws -> LesionMatchingRule {
        switch name {
        case "overlap": return .overlap(voxels: integer("overlap_voxels"))
        case "iou": return .intersectionOverUnion(number("iou"))
        case "centre": return .centreDistance(millimetres: number("centre_mm"))
        case "valdo": return .nearestReference(millimetres: number("valdo_mm"))
        default: throw refuse("there is no matching rule “\(name)”; there are overlap, iou, centre and valdo")
        }
    }

    /// Prediction and reference are not on one grid, and nobody said that this may be mended.
    func otherGrids(
        _ prediction: TaskRequest.StagedInput, _ found: VoxelGrid, _ reference: TaskRequest.StagedInput,
        _ grid: VoxelGrid
    ) -> TaskResult.Failure {
        TaskResult.Failure.permanent(
            "The prediction \(prediction.input.name) (\(found)) and the reference \(reference.input.name) (\(grid)) are not on "
                + "the same grid\(found.placeClause(beside: grid)); evaluate on the grid of the reference, or set “resample: true” in step \(request.step)"
        )
    }
}
