/// Everything a report shows, as plain values. Whoever fills it reads the database; the report only lays it out.
package struct ReportInput: Sendable {
    package var title: String
    /// Sentences that must not be missed, such as that a cohort is synthetic.
    package var notices: [String] = []
    package var run: Run
    package var steps: [Step] = []
    package var participants: [Participant] = []
    package var regions: [Region] = []
    package var effects: [Effect] = []
    /// Why there are no effects, or fewer than meant, in sentences.
    package var effectNotes: [String] = []
    /// Networks that the run trained.
    package var trainings: [Training] = []
    package var pictures: [Picture] = []
    package var failures: [Failure] = []
    package var missing: [Missing] = []
    package var warnings: [Warning] = []
    /// What the data is: real, synthetic, or what the dataset says of itself. Heads the evaluations.
    package var dataStatement = ""
    package var evaluations: [Evaluation] = []
    /// Further tables, for example recovered against true values.
    package var tables: [Table] = []
    package var provenance = Provenance()
    /// What was done, as prose; one paragraph each.
    package var methods: [String] = []
    package var citations: [Citation] = []

    package init(title: String, run: Run) { (self.title, self.run) = (title, run) }

    package struct Run: Sendable {
        package var identifier: String
        package var workflow: String
        /// For example `succeeded`, `failed`, `running`.
        package var state: String
        /// Name or path of the dataset.
        package var dataset: String
        /// Times as they are to be shown, with their zone.
        package var started: String?
        package var finished: String?
        package var wallSeconds: Double?

        package init(
            identifier: String, workflow: String, state: String, dataset: String, started: String? = nil,
            finished: String? = nil, wallSeconds: Double? = nil
        ) {
            (self.identifier, self.workflow, self.state, self.dataset) = (identifier, workflow, state, dataset)
            (self.started, self.finished, self.wallSeconds) = (started, finished, wallSeconds)
        }
    }

    /// Task counts of one step of the workflow.
    package struct Step: Sendable {
        package var name: String
        package var kind: String
        package var succeeded: Int
        package var failed: Int
        /// Behind a failure, or cancelled.
        package var notRun: Int
        /// Waiting, ready or running.
        package var unfinished: Int
        /// Of the attempts that succeeded.
        package var medianSeconds: Double?
        package var peakMemoryBytes: Int?

        package init(
            name: String, kind: String, succeeded: Int, failed: Int, notRun: Int = 0, unfinished: Int = 0,
            medianSeconds: Double? = nil, peakMemoryBytes: Int? = nil
        ) {
            (self.name, self.kind, self.succeeded, self.failed) = (name, kind, succeeded, failed)
            (self.notRun, self.unfinished) = (notRun, unfinished)
            (self.medianSeconds, self.peakMemoryBytes) = (medianSeconds, peakMemoryBytes)
        }
    }

    /// One subject, or one session of a subject.
    package struct Participant: Sendable {
        /// As shown: `sub-001` or `sub-001 ses-2`.
        package var label: String
        package var age: Double?
        package var sex: String?
        package var group: String?
        package var site: String?

        package init(
            label: String, age: Double? = nil, sex: String? = nil, group: String? = nil, site: String? = nil
        ) {
            (self.label, self.age, self.sex, self.group, self.site) = (label, age, sex, group, site)
        }
    }

    /// A measure of one region over the participants.
    package struct Region: Sendable {
        package var name: String
        /// For example `mean χ`.
        package var measure: String
        /// For example `ppb`.
        package var unit: String
        /// For example `whole brain`; nil when values are not referenced.
        package var reference: String?
        /// In the order of `participants`; nil where there is none.
        package var values: [Double?]

        package init(name: String, measure: String, unit: String, reference: String? = nil, values: [Double?]) {
            (self.name, self.measure, self.unit, self.reference, self.values) = (name, measure, unit, reference, values)
        }
    }

    /// One coefficient of one region's model.
    package struct Effect: Sendable {
        package var region: String
        /// The term of the model: `group`, `age`, …; effects are grouped by it in the order met.
        package var term: String
        /// What the number means: `HH − control`, `per year`.
        package var contrast: String
        package var unit: String
        package var estimate: Double
        package var lower: Double
        package var upper: Double
        package var pValue: Double?
        /// Adjusted for the number of tests.
        package var qValue: Double?
        /// Participants in the model.
        package var observations: Int

        package init(
            region: String, term: String, contrast: String, unit: String, estimate: Double, lower: Double,
            upper: Double, pValue: Double?, qValue: Double?, observations: Int
        ) {
            (self.region, self.term, self.contrast, self.unit) = (region, term, contrast, unit)
            (self.estimate, self.lower, self.upper) = (estimate, lower, upper)
            (self.pValue, self.qValue, self.observations) = (pValue, qValue, observations)
        }
    }

    /// A quality-control mosaic of one participant.
    package struct Picture: Sendable {
        package struct Metric: Sendable {
            package var name: String
            package var value: Double
            package var unit: String
            /// Robust score against the cohort.
            package var score: Double?

            package init(name: String, value: Double, unit: String = "", score: Double? = nil) {
                (self.name, self.value, self.unit, self.score) = (name, value, unit, score)
            }
        }

        package var participant: String
        package var caption: String
        /// The bytes of a PNG file.
        package var png: [UInt8]
        /// Why somebody should look; empty when nothing stands out.
        package var flags: [String]
        package var metrics: [Metric]

        package init(
            participant: String, caption: String, png: [UInt8], flags: [String] = [], metrics: [Metric] = []
        ) {
            (self.participant, self.caption, self.png) = (participant, caption, png)
            (self.flags, self.metrics) = (flags, metrics)
        }
    }

    package struct Failure: Sendable {
        /// nil for a step over the whole cohort.
        package var participant: String?
        package var step: String
        /// `permanent`, `transient`, `lost`, `out of memory`.
        package var failureClass: String
        package var reason: String
        package var attempts: Int
        package var logTail: String?

        package init(
            participant: String?, step: String, failureClass: String, reason: String, attempts: Int,
            logTail: String? = nil
        ) {
            (self.participant, self.step, self.failureClass) = (participant, step, failureClass)
            (self.reason, self.attempts, self.logTail) = (reason, attempts, logTail)
        }
    }

    /// A participant that a result does without.
    package struct Missing: Sendable, Hashable {
        package var participant: String
        /// The result it is missing from.
        package var step: String
        package var reason: String

        package init(participant: String, step: String, reason: String) {
            (self.participant, self.step, self.reason) = (participant, step, reason)
        }
    }

    /// What tasks that succeeded say of their work, once for all of a step that say the same.
    package struct Warning: Sendable {
        package var step: String
        package var text: String
        /// Participants of these tasks, each once; empty for tasks over the cohort.
        package var participants: [String]

        package init(step: String, text: String, participants: [String]) {
            (self.step, self.text, self.participants) = (step, text, participants)
        }
    }

    package struct Table: Sendable {
        package var title: String
        package var note: String?
        package var columns: [String]
        package var rows: [[String]]

        package init(title: String, note: String? = nil, columns: [String], rows: [[String]]) {
            (self.title, self.note, self.columns, self.rows) = (title, note, columns, rows)
        }
    }

    /// A name and what it stands for.
    package struct Fact: Sendable {
        package var name: String
        package var value: String

        package init(_ name: String, _ value: String) { (self.name, self.value) = (name, value) }
    }

    package struct Provenance: Sendable {
        package var software: [Fact] = []
        /// Path and SHA-256 of what the run used.
        package var inputs: [Fact] = []
        /// Parameters by step.
        package var parameters: [(step: String, facts: [Fact])] = []

        package init() {}
    }

    package struct Citation: Sendable {
        package var text: String
        /// Without the resolver's address: `10.1002/mrm.30006`.
        package var doi: String?

        package init(_ text: String, doi: String? = nil) { (self.text, self.doi) = (text, doi) }
    }
}

/// How much a report shows.
package struct ReportOptions: Sendable {
    /// Adjusted p-values below this are marked.
    package var significance = 0.05
    /// Pictures embedded at most; flagged ones come first, the others are listed without.
    package var maximumPictures = 240
    /// Region plots shown unfolded.
    package var maximumOpenRegions = 24
    /// Rows of long tables (inputs, missing) shown at most; the count is always given.
    package var maximumRows = 2000

    package init() {}
}
