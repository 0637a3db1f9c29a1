import BIDS
import Statistics
import Workflow

/// One linear model per region: outcome ~ terms, over the people who have both.
///
/// The q values control the false discovery rate over the regions, for each coefficient by itself (Benjamini and
/// Hochberg 1995): the question is in which regions a given effect exists.
enum LinearModelTask: TaskImplementation {
    static let kind = "cohort.linear-model"

    static func run(_ environment: TaskEnvironment) throws -> TaskResult {
        let outcome = environment.text("outcome")
        let reference = environment.text("reference")
        let (subjects, regions, values) = try outcomes(environment, outcome: outcome, reference: reference)
        let covariateFile = try environment.input("covariates")
        let table = try CohortCovariates(try covariateFile.readJSON(), name: covariateFile.input.name)

        var warnings = table.problems
        var covariates: [Covariate] = []
        var excluded: [String: JSONValue] = [:]
        for term in environment.texts("terms") {
            let baseline = environment.map("baseline")[term]?.stringValue
            switch table.covariate(term, subjects: subjects, baseline: baseline) {
            case .success(let covariate): covariates.append(covariate)
            case .failure(let exclusion):
                excluded[term] = .string(exclusion.reason)
                warnings.append("Term “\(term)” is not in the model: \(exclusion.reason).")
            }
        }

        let unit = outcome == "volume" ? "mm3" : "ppm"
        let confidence = environment.number("confidence")
        var fits: [(region: String, model: LinearModel)] = []
        var unfitted: [String: JSONValue] = [:]
        for region in regions {
            do {
                let model = try LinearModel(
                    response: subjects.map { values[region]?[$0] }, covariates: covariates, confidence: confidence)
                fits.append((region, model))
            } catch {
                unfitted[region] = .string(String(describing: error))
                warnings.append("No model for \(region): \(error).")
            }
        }

        // q values: per coefficient over the regions.
        var names: [String] = []
        for fit in fits { for c in fit.model.coefficients where !names.contains(c.name) { names.append(c.name) } }
        var q: [String: [Double?]] = [:]
        for name in names {
            q[name] = MultipleComparisons.benjaminiHochberg.adjusted(
                fits.map { $0.model.coefficient(name)?.pValue })
        }

        var rows: [[String]] = []
        var measured: [MeasuredValue] = []
        for (n, fit) in fits.enumerated() {
            for c in fit.model.coefficients {
                let qValue = q[c.name]?[n]
                let numbers: [(String, Double?, String)] = [
                    ("estimate", c.estimate, unit), ("standard_error", c.standardError, unit),
                    ("ci_low", c.confidenceLower, unit), ("ci_high", c.confidenceUpper, unit),
                    ("t", c.tStatistic, "1"), ("df", Double(c.degreesOfFreedom), "1"), ("p", c.pValue, "1"),
                    ("q", qValue, "1"), ("subjects", Double(fit.model.rowsUsed.count), "1"),
                ]
                rows.append([fit.region, reference, c.name] + numbers.map { TabSeparatedTable.cell($0.1) })
                for (metric, value, unit) in numbers {
                    measured.append(
                        MeasuredValue(
                            region: fit.region, reference: reference, term: c.name, metric: metric, value: value,
                            unit: unit))
                }
            }
        }
        let effects = TabSeparatedTable(
            columns: [
                "region", "reference", "term", "estimate", "standard_error", "ci_low", "ci_high", "t", "df", "p", "q",
                "subjects",
            ], rows: rows)

        let missing = environment.request.missing.map { item in
            JSONValue.object(["context": .string(item.context.description), "reason": .string(item.reason)])
        }
        let report = JSONValue.object([
            "outcome": .string(outcome), "unit": .string(unit), "reference": .string(reference),
            "terms": .array(covariates.map { .string($0.name) }), "excluded_terms": .object(excluded),
            "subjects": .array(subjects.map { .string($0) }), "missing": .array(missing),
            "regions_without_model": .object(unfitted),
            "models": .array(
                fits.map { fit in
                    .object([
                        "region": .string(fit.region), "r_squared": .number(fit.model.rSquared),
                        "residual_sd": .number(fit.model.residualStandardDeviation),
                        "subjects": .integer(Int64(fit.model.rowsUsed.count)),
                        "dropped": .integer(Int64(fit.model.droppedRows)),
                        "aliased": .array(fit.model.aliased.map { .string($0) }),
                        // Among those in this model: who lacks a value may have been the only one of a level.
                        "baselines": .object(
                            Dictionary(
                                uniqueKeysWithValues: fit.model.terms.compactMap { term in
                                    term.levels.first.map { (term.name, JSONValue.string($0)) }
                                })),
                    ])
                }),
        ])
        if fits.isEmpty {
            let people = subjects.count == 1 ? "1 person" : "\(subjects.count) people"
            let why = warnings.first ?? "There are no values of “\(outcome)” against reference “\(reference)”."
            // A trial on a few people gives no model, and that is nothing that failed.
            guard subjects.count < environment.texts("terms").count + 2 else {
                throw TaskResult.Failure.permanent(
                    "No region could be modelled over \(people): \(why) Use fewer terms or more people.")
            }
            warnings = ["No region could be modelled over \(people), too few for the terms; the table is empty."]
        }
        return TaskResult(
            outputs: [
                try environment.writeTable(effects, to: "effects"), try environment.writeJSON(report, to: "report"),
            ], measurements: measured, warnings: warnings)
    }

    /// Subjects in order, regions in the order of the first table that has them, and value by region and subject.
    private static func outcomes(_ environment: TaskEnvironment, outcome: String, reference: String) throws -> (
        subjects: [String], regions: [String], values: [String: [String: Double]]
    ) {
        var subjects: [String] = []
        var regions: [String] = []
        var values: [String: [String: Double]] = [:]
        var references: Set<String> = []
        let wanted = Set(environment.texts("regions"))
        for item in environment.inputs("tables") {
            let subject = item.input.context.subject ?? ""
            // Counting a person once per session would make errors too small and differences too sure.
            guard !subjects.contains(subject) else {
                throw TaskResult.Failure.permanent(
                    "Step \(environment.request.step) got more than one table of sub-\(subject), of several sessions or "
                        + "atlases; a model counts each person once: take the tables of subject.aggregate")
            }
            subjects.append(subject)
            let table = try item.readTable()
            let name = item.input.name
            let region = try table.column("region", of: name)
            let against = try table.column("reference", of: name)
            let value = try table.column(outcome, of: name)
            for row in table.rows {
                references.insert(row[against])
                guard row[against] == reference, wanted.isEmpty || wanted.contains(row[region]) else { continue }
                if values[row[region]] == nil {
                    values[row[region]] = [:]
                    regions.append(row[region])
                }
                values[row[region]]?[subject] = TabSeparatedTable.number(row[value])
            }
        }
        guard references.contains(reference) || references.isEmpty else {
            throw TaskResult.Failure.permanent(
                "Step \(environment.request.step): no value is against reference “\(reference)”; "
                    + "roi.statistics wrote \(references.sorted().joined(separator: ", ")): name one of these")
        }
        return (subjects, regions, values)
    }
}
