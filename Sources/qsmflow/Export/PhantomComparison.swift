import BIDS
import Foundation

/// True susceptibility of the regions of a phantom cohort.
struct PhantomTruth {
    struct Key: Hashable { var subject: String, region: String }

    /// ppb, on the scale of the scanner.
    var values: [Key: Double]

    static func read(folder: String) throws -> PhantomTruth {
        let path = folder + "/derivatives/truth/truth.tsv"
        guard let data = FileManager.default.contents(atPath: path) else {
            throw CommandFailure(
                "\(path) cannot be read; name a folder that `qsmflow phantom` wrote", code: ExitStatus.badData)
        }
        let (table, _) = try TabularFile.parse(String(decoding: data, as: UTF8.self), path: path)
        guard let subject = table.columns.firstIndex(of: "participant_id"),
            let region = table.columns.firstIndex(of: "region"),
            let value = table.columns.firstIndex(of: "chi_ppb")
        else {
            throw CommandFailure(
                "\(path) is not the truth table of a phantom; write the cohort anew", code: ExitStatus.badData)
        }
        var values: [Key: Double] = [:]
        for row in table.rows {
            let label = CohortSelection.label(row.fields[subject], prefix: "sub-")
            values[Key(subject: label, region: row.fields[region])] = Double(row.fields[value])
        }
        return PhantomTruth(values: values)
    }
}

/// Recovered against true values, region by region.
struct PhantomComparison: Encodable {
    struct Row: Encodable {
        var region: String
        var people: Int
        var trueMean: Double
        var recoveredMean: Double
        /// Mean of |recovered − true| over people.
        var meanAbsoluteError: Double
    }

    /// In the order of the regions asked for; those that nobody has are left out. ppb.
    var rows: [Row] = []
    /// Over all people and regions.
    var meanAbsoluteError: Double?
    var values = 0

    init(truth: PhantomTruth, recovered: [PhantomTruth.Key: Double], regions: [String]) {
        var total = 0.0
        for region in regions {
            let pairs = truth.values.keys.filter { $0.region == region }.sorted { $0.subject < $1.subject }
                .compactMap { key in recovered[key].map { (truth.values[key] ?? .nan, $0) } }
            guard !pairs.isEmpty else { continue }
            let count = Double(pairs.count)
            let errors = pairs.reduce(0) { $0 + abs($1.1 - $1.0) }
            rows.append(
                Row(
                    region: region, people: pairs.count, trueMean: pairs.reduce(0) { $0 + $1.0 } / count,
                    recoveredMean: pairs.reduce(0) { $0 + $1.1 } / count, meanAbsoluteError: errors / count))
            total += errors
            values += pairs.count
        }
        if values > 0 { meanAbsoluteError = total / Double(values) }
    }
}
