/// A view of the result schema that the interface hands out, with the order that makes its rows repeatable.
struct ResultView: Sendable {
    let name: String
    /// How rows of one run are chosen.
    let scope: Scope
    /// Columns that together order every row; text in byte order, so that no locale matters.
    let order: [String]

    enum Scope: Sendable {
        /// The view has a column `run`.
        case run
        /// The view has a column `dataset`, the path of the run's dataset, and a column `runs`.
        case dataset
        /// The view has a column `digest`: of what tasks of the run made or read.
        case bytes
        /// The same whatever the run.
        case everything
    }

    static let all = [
        ResultView("documentation", .everything, ["view_name", "position"]),
        ResultView("runs", .run, ["run"]),
        ResultView("subjects", .dataset, ["subject", "session"]),
        ResultView(
            "measurements", .run,
            ["step", "subject", "session", "atlas", "fold", "region", "reference", "term", "metric", "value"]),
        ResultView("roi_statistics", .run, ["step", "subject", "session", "atlas", "region", "reference"]),
        ResultView("cohort_effects", .run, ["step", "region", "reference", "term"]),
        ResultView("lesions", .run, ["step", "subject", "session", "fold", "lesion"]),
        ResultView("segmentation_metrics", .run, ["step", "subject", "session", "fold", "structure"]),
        ResultView("detection_metrics", .run, ["step", "subject", "session", "fold", "class", "rule"]),
        ResultView("classification_metrics", .run, ["step", "fold", "level", "class", "metric"]),
        ResultView("classification_decisions", .run, ["step", "fold", "level", "truth", "decision"]),
        ResultView("evaluation_summary", .run, ["step", "fold", "label", "rule", "metric"]),
        ResultView("warnings", .run, ["step", "subject", "session", "atlas", "fold", "task", "place"]),
        ResultView("published_figures", .run, ["step", "fold", "level", "label", "rule", "metric", "source"]),
        ResultView("qc", .run, ["subject", "session", "step", "metric", "scored_by"]),
        ResultView("task_status", .run, ["ordinal"]),
        ResultView("attempts", .run, ["ordinal", "attempt"]),
        ResultView("failures", .run, ["ordinal"]),
        ResultView("outputs", .run, ["ordinal", "port", "name"]),
        ResultView(
            "inputs", .run,
            ["ordinal", "port", "from_subject", "from_session", "from_atlas", "from_fold", "name", "digest"]),
        ResultView("folds", .run, ["fold", "subject"]),
        ResultView("datasets", .dataset, ["dataset"]),
        ResultView("documents", .run, ["dataset", "path"]),
        ResultView("step_resources", .run, ["position"]),
        ResultView("models", .bytes, ["digest"]),
    ]

    static func named(_ name: String) -> ResultView? { all.first { $0.name == name } }

    /// The columns of a table, in order: who it is about first, and without what is a document of its own (the request of
    /// a run holds the whole text of its workflow; `json` and SQL have it).
    ///
    /// - Parameter all: the columns that the view has.
    func tableColumns(_ all: [String]) -> String {
        let first = "participant_id"
        let names = all.filter { $0 == first } + all.filter { $0 != first && !(name == "runs" && $0 == "request") }
        return names.map { "v.\"\($0)\"" }.joined(separator: ", ")
    }

    private static let numeric: Set<String> = [
        "position", "run", "ordinal", "attempt", "fold", "from_fold", "lesion", "value", "place",
    ]

    init(_ name: String, _ scope: Scope, _ order: [String]) {
        (self.name, self.scope, self.order) = (name, scope, order)
    }

    /// The rows of a run. The number is an integer and everything else is ours: COPY takes no bound parameters.
    func query(run: Int64, columns: String = "v.*") -> String {
        let condition =
            switch scope {
            case .run: " WHERE v.run = \(run)"
            case .dataset:
                " WHERE v.dataset = (SELECT dataset_path FROM qsmflow.run WHERE run_id = \(run)) AND \(run) = ANY (v.runs)"
            case .bytes:
                """
                 WHERE decode(v.digest, 'hex') IN (
                    SELECT i.digest FROM qsmflow.task_input i
                    WHERE i.task_id >= \(run)::bigint << 24 AND i.task_id < \(run + 1)::bigint << 24
                    UNION ALL SELECT r.digest FROM qsmflow.task t JOIN qsmflow.artifact_ref r USING (result_id)
                    WHERE t.run_id = \(run))
                """
            case .everything: ""
            }
        let keys = order.map { Self.numeric.contains($0) ? "v.\($0)" : "v.\($0) COLLATE \"C\" NULLS FIRST" }
        return "SELECT \(columns) FROM qsmflow.\(name) v\(condition) ORDER BY \(keys.joined(separator: ", "))"
    }
}

/// How the rows of a view are written.
package enum ResultFormat: String, Sendable, CaseIterable {
    /// One array of objects.
    case json
    case csv
    /// As BIDS writes tables: tabs, `n/a` for what is missing.
    case tsv

    package var mediaType: String {
        switch self {
        case .json: "application/json"
        case .csv: "text/csv; charset=utf-8; header=present"
        case .tsv: "text/tab-separated-values; charset=utf-8"
        }
    }
}

package enum ResultError: Error, Sendable, CustomStringConvertible {
    case unknownView(String)
    case unknownRun(Int64)
    /// Nobody took rows for this long.
    case abandoned(seconds: Int)

    package var description: String {
        switch self {
        case .unknownView(let name):
            "There is no result view “\(name)”; there are \(Store.resultViews.joined(separator: ", "))."
        case .unknownRun(let run): "There is no run \(run); `qsmflow status --all` lists those there are."
        case .abandoned(let seconds): "Nobody took result rows for \(seconds) s, so the query was ended; ask again."
        }
    }
}
