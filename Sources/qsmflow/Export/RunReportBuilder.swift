import BIDS
import CoordinatorClient
import Foundation
import Report
import Synchronization
import Wire
import Workflow

/// Gathers what a report shows of a run, from the interface alone.
struct RunReportBuilder: Sendable {
    let client: CoordinatorClient
    let run: RunID
    /// People whose pictures are embedded at most; those with a flag come first.
    var maximumPictures = 60

    private var reader: ResultReader { ResultReader(client: client, run: run) }

    /// One person, or one session of a person.
    fileprivate struct Person: Hashable, Comparable {
        var subject: String
        var session: String?

        var label: String { "sub-\(subject)" + (session.map { " ses-\($0)" } ?? "") }
        static func < (a: Person, b: Person) -> Bool { (a.subject, a.session ?? "") < (b.subject, b.session ?? "") }

        init?(_ row: CommaSeparatedTable.Row) {
            guard let subject = row["subject"] else { return nil }
            (self.subject, session) = (subject, row["session"])
        }
    }

    func build() async throws -> ReportInput {
        let summary = try await client.run(run)
        let request = try await client.definition(of: run)
        var input = ReportInput(
            title: summary.name.isEmpty ? "Run \(run)" : "\(summary.name) (run \(run))",
            run: ReportInput.Run(
                identifier: "\(run)", workflow: summary.workflow,
                state: summary.state.rawValue.replacing("_", with: " "),
                dataset: summary.dataset, started: summary.createdAt, finished: summary.finishedAt,
                wallSeconds: summary.elapsedSeconds))
        // Over all that follows: regions and scores of trainings are no more about people than evaluations are.
        let kind = try await EvaluationReport.dataKind(reader)
        if kind == .synthetic || kind == .semiSynthetic { input.notices.append(kind.heading) }
        if summary.state == .running {
            input.notices.append("The run is still at work: what is shown is what is done.")
        }
        input.steps = try await steps(summary)
        let statistics = try await reader.table("roi_statistics").rows(
            needing: ["subject", "session", "atlas", "region", "reference", "mean_ppm", "volume_mm3", "step"])
        let quality = try await reader.table("qc").rows(
            needing: ["subject", "session", "metric", "value", "unit", "robust_z", "flag"])
        let failures = try await reader.table("failures").rows(
            needing: ["subject", "session", "step", "reason", "outcome", "attempts", "blocked_tasks", "log_tail"])
        let effects = try await reader.table("cohort_effects").rows(
            needing: [
                "step", "region", "reference", "term", "estimate", "ci_low", "ci_high", "p", "q", "subjects", "unit",
            ])
        let people = try await people(measured: statistics + quality, failed: failures)
        input.participants = try await participants(people)
        input.regions = regions(statistics, people, reference: effects.first?["reference"])
        if statistics.allSatisfy({ $0["reference"] == nil }) { addVolumes(to: &input) }
        input.failures = Self.failures(failures)
        input.warnings = Self.warnings(
            try await reader.table("warnings").rows(needing: ["subject", "session", "step", "warning"]))
        let files = try await RunFiles(reader)
        input.trainings = try await TrainingReports(client: client, reader: reader).trainings(files)
        input.pictures = try await pictures(files, quality)
        input.evaluations = try await EvaluationReport(reader: reader, files: files, bytes: bytes).evaluations()
        if !input.evaluations.isEmpty { input.dataStatement = kind.heading }
        let (baselines, unfitted) = try await addCohortReports(files, to: &input)
        input.effects = Self.effects(effects, baselines)
        input.provenance = provenance(files, request)
        if let definition = Self.definition(request) {
            input.provenance.parameters = definition.steps.map { step in
                let members = (step.parameters.objectValue ?? [:]).sorted { $0.key < $1.key }
                return (step.name, members.map { ReportInput.Fact($0.key, $0.value.canonicalString) })
            }.filter { !$0.facts.isEmpty }
            input.methods = ReportMethods.paragraphs(definition, unfitted: unfitted)
            input.citations = ReportMethods.citations(definition, unfitted: unfitted)
        }
        return input
    }

    /// The workflow as the run took it; nil when this program's version no longer accepts the text.
    private static func definition(_ request: RunRequest) -> WorkflowDefinition? {
        WorkflowFile.parse(
            request.workflowText, path: request.workflowPath, parameters: request.parameters, atlases: request.atlases
        ).definition
    }

    // MARK: Overview

    /// Whom results or failures are of, and where no view has results by person, whom the run has tasks of.
    private func people(
        measured: [CommaSeparatedTable.Row], failed: [CommaSeparatedTable.Row]
    ) async throws -> [Person] {
        let measured = Set(measured.compactMap(Person.init))
        guard measured.isEmpty else { return measured.union(failed.compactMap(Person.init)).sorted() }
        let all = Set(
            try await reader.table("task_status").rows(needing: ["subject", "session"]).compactMap(Person.init))
        // A task of a person with sessions is of these.
        let bySubject = Dictionary(grouping: all, by: \.subject)
        return all.filter { $0.session != nil || bySubject[$0.subject]?.count == 1 }.sorted()
    }

    private func steps(_ summary: RunSummary) async throws -> [ReportInput.Step] {
        let resources = try await reader.table("step_resources").rows(
            needing: ["step", "seconds_median", "peak_memory_mib_max"])
        let byStep = Dictionary(resources.map { ($0.text("step"), $0) }) { first, _ in first }
        return (summary.steps ?? []).map { step in
            ReportInput.Step(
                name: step.step, kind: step.kind, succeeded: step.counts.succeeded, failed: step.counts.failed,
                notRun: step.counts.blocked + step.counts.cancelled,
                unfinished: step.counts.waiting + step.counts.ready + step.counts.running,
                medianSeconds: byStep[step.step]?.number("seconds_median"),
                peakMemoryBytes: byStep[step.step]?.integer("peak_memory_mib_max").map { $0 << 20 })
        }
    }

    private func participants(_ people: [Person]) async throws -> [ReportInput.Participant] {
        let rows = try await reader.table("subjects").rows(needing: [
            "subject", "session", "age", "sex", "site", "group",
        ])
        let known = Dictionary(rows.compactMap { row in Person(row).map { ($0, row) } }) { first, _ in first }
        return people.map { person in
            let row = known[person]
            return ReportInput.Participant(
                label: person.label, age: row?.number("age"), sex: row?["sex"], group: row?["group"], site: row?["site"]
            )
        }
    }

    // MARK: Numbers

    private func regions(
        _ rows: [CommaSeparatedTable.Row], _ people: [Person], reference wanted: String?
    ) -> [ReportInput.Region] {
        let references = Set(rows.compactMap { $0["reference"] })
        let reference =
            [wanted, "whole_brain", "none"].compactMap { $0 }.first(where: references.contains) ?? references.min()
        let places = Dictionary(uniqueKeysWithValues: people.enumerated().map { ($1, $0) })
        // Steps and atlases are told apart where there are several.
        let steps = Set(rows.map { $0.text("step") }), atlases = Set(rows.compactMap { $0["atlas"] })
        var order: [String] = []
        var values: [String: [Double?]] = [:]
        // Without a susceptibility map there is no reference, and the volume is what is known.
        let isVolume = reference == nil
        for row in rows where row["reference"] == reference {
            guard let person = Person(row), let place = places[person] else { continue }
            var name = row.text("region")
            if atlases.count > 1, let atlas = row["atlas"] { name += " (\(atlas))" }
            if steps.count > 1 { name += ", \(row.text("step"))" }
            if values[name] == nil {
                order.append(name)
                values[name] = [Double?](repeating: nil, count: people.count)
            }
            values[name]?[place] = isVolume ? row.number("volume_mm3") : row.number("mean_ppm").map { $0 * 1000 }
        }
        return order.sorted().map { name in
            if isVolume {
                return ReportInput.Region(name: name, measure: "volume", unit: "mm³", values: values[name] ?? [])
            }
            return ReportInput.Region(
                name: name, measure: "mean χ", unit: "ppb",
                reference: reference == "none" ? nil : reference.map { $0.replacing("_", with: " ") },
                values: values[name] ?? [])
        }
    }

    /// People shown in the table of volumes at most: more are read in the view or the export.
    private static let maximumTablePeople = 500

    /// Every person's volumes as a table: what a run without susceptibility maps is made for.
    private func addVolumes(to input: inout ReportInput) {
        guard !input.regions.isEmpty else { return }
        let people = input.participants.prefix(Self.maximumTablePeople)
        let left = input.participants.count - people.count
        input.tables.append(
            ReportInput.Table(
                title: "Volumes, mm³",
                note: left == 0 ? nil : "\(left) more people are in the view roi_statistics and in the export.",
                columns: ["Participant"] + input.regions.map(\.name),
                rows: people.indices.map { place in
                    [people[place].label]
                        + input.regions.map { $0.values[place].map { String(format: "%.0f", $0) } ?? "–" }
                }))
    }

    /// Level that others are compared with, by the step of the model, region and term.
    private struct Comparison: Hashable { var step, region, term: String }

    private static func effects(
        _ rows: [CommaSeparatedTable.Row], _ baselines: [Comparison: String]
    ) -> [ReportInput.Effect] {
        rows.compactMap { row in
            let term = row.text("term")
            guard term != "Intercept", let estimate = row.number("estimate"),
                let low = row.number("ci_low"), let high = row.number("ci_high")
            else { return nil }
            let isPPM = row["unit"] == "ppm"
            let factor = isPPM ? 1000.0 : 1
            let (name, contrast) = contrast(of: term) { name in
                baselines[Comparison(step: row.text("step"), region: row.text("region"), term: name)]
            }
            return ReportInput.Effect(
                region: row.text("region"), term: name, contrast: contrast,
                unit: isPPM ? "ppb" : row.text("unit").replacing("mm3", with: "mm³"), estimate: estimate * factor,
                lower: low * factor, upper: high * factor, pValue: row.number("p"), qValue: row.number("q"),
                observations: row.integer("subjects") ?? 0)
        }.sorted {
            (order($0.term), $0.term, $0.contrast, $0.region) < (order($1.term), $1.term, $1.contrast, $1.region)
        }
    }

    /// Groups are what most people look for first.
    private static func order(_ term: String) -> Int {
        ["group", "age", "sex", "site"].firstIndex(of: term) ?? 4
    }

    /// `group[patient]` is group, patient against control; `age` is per unit of age.
    private static func contrast(
        of term: String, baseline: (String) -> String?
    ) -> (name: String, contrast: String) {
        guard let open = term.firstIndex(of: "["), term.hasSuffix("]") else {
            return (term, term == "age" ? "per year" : "per unit")
        }
        let name = String(term[..<open])
        // Reports of earlier versions do not name it.
        return (
            name, "\(term[term.index(after: open)...].dropLast()) against \(baseline(name) ?? "the baseline level")"
        )
    }

    // MARK: Problems

    private static func failures(_ rows: [CommaSeparatedTable.Row]) -> [ReportInput.Failure] {
        rows.map { row in
            ReportInput.Failure(
                participant: Person(row)?.label, step: row.text("step"),
                failureClass: row.text("outcome").replacing("_", with: " "), reason: row.text("reason"),
                attempts: row.integer("attempts") ?? 0, logTail: row["log_tail"])
        }
    }

    /// In the order of their first tasks.
    private static func warnings(_ rows: [CommaSeparatedTable.Row]) -> [ReportInput.Warning] {
        struct Sentence: Hashable { var step: String, text: String }
        var order: [Sentence] = []
        var people: [Sentence: Set<String>] = [:]
        for row in rows {
            let sentence = Sentence(step: row.text("step"), text: row.text("warning"))
            if people[sentence] == nil {
                order.append(sentence)
                people[sentence] = []
            }
            if let person = Person(row)?.label { people[sentence]?.insert(person) }
        }
        return order.map {
            ReportInput.Warning(step: $0.step, text: $0.text, participants: people[$0, default: []].sorted())
        }
    }

    /// Who a model does without and which covariates it leaves out, as its report says.
    ///
    /// - Returns: what its categorical covariates are compared with, and the steps that modelled no region.
    private func addCohortReports(
        _ files: RunFiles, to input: inout ReportInput
    ) async throws -> (baselines: [Comparison: String], unfitted: Set<String>) {
        var baselines: [Comparison: String] = [:]
        var unfitted: Set<String> = []
        for file in files.made where file.context == .cohort && file.port == "report" {
            let report = try JSONValue.parse(Data(try await bytes(of: file)))
            // A person lacks all that a failed task would have made, for the one reason.
            var said: Set<ReportInput.Missing> = []
            for item in report["missing"]?.arrayValue ?? [] {
                let missing = ReportInput.Missing(
                    participant: item["context"]?.stringValue ?? "?", step: file.step,
                    reason: item["reason"]?.stringValue ?? "")
                if said.insert(missing).inserted { input.missing.append(missing) }
            }
            let excluded = (report["excluded_terms"]?.objectValue ?? [:]).sorted { $0.key < $1.key }
            if !excluded.isEmpty {
                input.tables.append(
                    ReportInput.Table(
                        title: "Covariates that \(file.step) leaves out", columns: ["Covariate", "Why"],
                        rows: excluded.map { [$0.key, $0.value.stringValue ?? ""] }))
            }
            if report["models"]?.arrayValue?.isEmpty == true {
                unfitted.insert(file.step)
                let people = report["subjects"]?.arrayValue?.count ?? 0
                let reasons = report["regions_without_model"]?.objectValue ?? [:]
                let why = reasons.sorted { $0.key < $1.key }.first.map { " \($0.key): \($0.value.stringValue ?? "")." }
                input.effectNotes.append(
                    "Step \(file.step) could model no region over \(people == 1 ? "1 person" : "\(people) people")."
                        + (why ?? " They are too few for its terms."))
            }
            for model in report["models"]?.arrayValue ?? [] {
                for (term, level) in model["baselines"]?.objectValue ?? [:] {
                    let region = model["region"]?.stringValue ?? ""
                    baselines[Comparison(step: file.step, region: region, term: term)] = level.stringValue
                }
            }
        }
        return (baselines, unfitted)
    }

    // MARK: Pictures

    private func pictures(_ files: RunFiles, _ quality: [CommaSeparatedTable.Row]) async throws -> [ReportInput.Picture]
    {
        var metrics: [Person: [ReportInput.Picture.Metric]] = [:]
        var flags: [Person: [String]] = [:]
        for row in quality {
            guard let person = Person(row) else { continue }
            let score = row.number("robust_z")
            if let value = row.number("value"), score != nil {
                let unit = row.text("unit")
                metrics[person, default: []].append(
                    .init(name: row.text("metric"), value: value, unit: unit == "1" ? "" : unit, score: score))
            }
            if row.flag("flag") {
                flags[person, default: []].append(
                    "\(row.text("metric")) stands out (robust z \(score.map { String(format: "%.1f", $0) } ?? "?"))")
            }
        }
        let mosaics = files.made.filter { $0.kind == "qc.pictures" && $0.mediaType == "image/png" }
        var byPerson: [Person: [MadeFile]] = [:]
        for file in mosaics {
            guard let person = Person(file.context) else { continue }
            byPerson[person, default: []].append(file)
        }
        let order = byPerson.keys.sorted { (flags[$0] == nil ? 1 : 0, $0) < (flags[$1] == nil ? 1 : 0, $1) }
        var pictures: [ReportInput.Picture] = []
        for person in order.prefix(maximumPictures) {
            for file in (byPerson[person] ?? []).sorted(by: { $0.port < $1.port }) {
                let isFirst = file.port == byPerson[person]?.map(\.port).min()
                pictures.append(
                    ReportInput.Picture(
                        participant: person.label, caption: Self.caption(file.port), png: try await bytes(of: file),
                        // Both mosaics of a person stand together; what is to be said of them is said once.
                        flags: flags[person] ?? [], metrics: isFirst ? metrics[person] ?? [] : []))
            }
        }
        return pictures
    }

    private static func caption(_ port: String) -> String {
        switch port {
        case "chimap_mosaic": "susceptibility map with region outlines"
        case "t1w_mosaic": "T1-weighted image with region and brain outlines"
        default: port.replacing("_", with: " ")
        }
    }

    private func bytes(of file: MadeFile) async throws -> [UInt8] {
        let bytes = Mutex<[UInt8]>([])
        try await client.read(file.digest) { piece in bytes.withLock { $0.append(contentsOf: piece) } }
        return bytes.withLock { $0 }
    }

    // MARK: Provenance

    private func provenance(_ files: RunFiles, _ request: RunRequest) -> ReportInput.Provenance {
        var provenance = ReportInput.Provenance()
        provenance.software = [ReportInput.Fact("qsmflow", Version.text)]
        provenance.software += Set(files.made.map(\.kind)).sorted().map { kind in
            ReportInput.Fact(
                kind, TaskKindCatalog.kind(kind).map { "version \($0.version)" } ?? "unknown to this version")
        }
        var seen: Set<String> = []
        provenance.inputs = files.sources.filter { seen.insert($0.path ?? $0.name).inserted }
            .map { ReportInput.Fact($0.path ?? $0.name, $0.digest?.hex ?? "") }.sorted { $0.name < $1.name }
        return provenance
    }
}

extension RunReportBuilder.Person {
    fileprivate init?(_ context: TaskContext) {
        guard let subject = context.subject else { return nil }
        (self.subject, session) = (subject, context.session)
    }
}
