import BIDS
import Crypto
import Foundation
import Postgres
import Workflow

package enum ResultFormat: String, Sendable, CaseIterable {
    case csv, tsv
    /// One object per line.
    case json
}

extension Store {
    /// Views that a run's results can be read from.
    package static let resultViews = [
        "cohort_effects", "qc", "roi_statistics", "measurements", "subjects", "task_status", "attempts", "failures",
    ]

    /// The rows of a view that belong to a run, as text with a header (CSV, TSV) or one JSON object per line.
    ///
    /// A slow reader slows the query down instead of filling memory; dropping the stream ends the query.
    /// - Throws: `StoreError.unknownView`.
    package func copyResults(
        view: String, run: RunID, format: ResultFormat
    ) throws -> AsyncThrowingStream<[UInt8], any Error> {
        guard Self.resultViews.contains(view) else { throw StoreError.unknownView(view, known: Self.resultViews) }
        // Names of the program and a number: nothing here comes from a user.
        let filter =
            view == "subjects"
            ? "dataset_id = (SELECT dataset_id FROM qsmflow.run WHERE run_id = \(run.rawValue))"
            : "run_id = \(run.rawValue)"
        let order = Self.order[view] ?? "1"
        let query = "SELECT * FROM qsmflow.\(view) WHERE \(filter) ORDER BY \(order)"
        let copy =
            switch format {
            case .csv: "COPY (\(query)) TO STDOUT WITH (FORMAT csv, HEADER)"
            case .tsv: "COPY (\(query)) TO STDOUT WITH (FORMAT csv, HEADER, DELIMITER E'\\t', NULL 'n/a')"
            // JSON escapes control characters, so that with these two as quote and delimiter nothing is quoted.
            case .json:
                "COPY (SELECT row_to_json(r) FROM (\(query)) r) TO STDOUT WITH "
                    + "(FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')"
            }
        let channel = ByteChannel()
        // The producer runs on a connection's thread for as long as the reader takes; its owner is the channel, whose
        // closing ends it.
        let producer = Task {
            do {
                try await pool.transaction(isolation: .repeatableRead, readOnly: true, retries: 0) { session in
                    try session.script(Self.plannerFreedom)
                    try session.copyOut(copy) { piece in
                        guard channel.send(piece) else { throw CancellationError() }
                    }
                }
                channel.finish(nil)
            } catch {
                channel.finish(error)
            }
        }
        let reader = ByteChannel.Reader(channel: channel) { producer.cancel() }
        return AsyncThrowingStream { try await reader.next() }
    }

    private static let order: [String: String] = [
        "cohort_effects": "step, region, term", "qc": "step, subject, session, name",
        "roi_statistics": "step, subject, session, atlas, region, reference", "subjects": "subject",
        "measurements": "task_id, metric, region, reference, term", "task_status": "task_id",
        "attempts": "task_id, attempt", "failures": "task_id",
    ]

    /// SHA-256 over all numbers of a run, in a fixed order: equal for equal results, however the run went.
    package func measurementDigest(run: RunID) async throws -> ArtifactDigest {
        try await report { session in
            var hash = SHA256()
            try session.copyOut(
                """
                COPY (SELECT step, subject, session, atlas, region, reference, term, metric, value, unit
                      FROM qsmflow.measurements WHERE run_id = \(run.rawValue)
                      ORDER BY step COLLATE "C", subject COLLATE "C", session COLLATE "C", atlas COLLATE "C",
                               region COLLATE "C", reference COLLATE "C", term COLLATE "C", metric COLLATE "C")
                TO STDOUT
                """
            ) { hash.update(data: $0) }
            return ArtifactDigest(hash.finalize())
        }
    }
}
