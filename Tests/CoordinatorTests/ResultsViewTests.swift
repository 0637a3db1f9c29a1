import BIDS
import Foundation
import Postgres
import TestSupport
import Testing
import Workflow

@testable import Coordinator

@Suite("Result views")
struct ResultsViewTests {
    @Test("the interface knows every view, and every column is documented")
    func documentation() async throws {
        let fixture = try await ResultsFixture()
        let rows = try await fixture.rows("SELECT view_name, column_name, description FROM qsmflow.documentation")
        #expect(Set(rows.compactMap { $0[0] }) == Set(Store.resultViews))
        for row in rows { #expect((row[2] ?? "").hasSuffix("."), "\(row[0] ?? "").\(row[1] ?? "")") }
        // A column on which nothing is said would not be found by its comment: count columns themselves.
        let columns = try await fixture.rows(
            "SELECT count(*) FROM information_schema.columns c JOIN information_schema.views v USING (table_schema, table_name) WHERE table_schema = 'qsmflow'"
        )
        #expect(columns[0][0] == String(rows.filter { $0[1] != nil }.count))
    }

    @Test("region statistics: numbers of the region stand with each reference")
    func regionStatistics() async throws {
        let fixture = try await ResultsFixture()
        try await fixture.script(ResultsFixture.smallRun)
        let rows = try await fixture.rows(
            """
            SELECT run, step, subject, session, region, reference, voxels, volume_mm3, mean_ppm, sd_ppm, p95_ppm,
                missing_fraction, reference_value_ppm
            FROM qsmflow.roi_statistics ORDER BY reference
            """)
        #expect(
            rows == [
                ["1", "statistics", "01", nil, "L_putamen", "csf", "120", "960.5", "0.03", "0.01", nil, "0", "0.02"],
                ["1", "statistics", "01", nil, "L_putamen", "none", "120", "960.5", "0.05", "0.01", nil, "0", "0"],
            ])
    }

    @Test("without susceptibility maps the volumes of labels.native stand for the regions, and only then")
    func volumes() async throws {
        let fixture = try await ResultsFixture()
        try await fixture.script(ResultsFixture.smallRun)
        try await fixture.script(
            """
            UPDATE step SET kind = 'labels.native' WHERE name = 'check';
            INSERT INTO measurement (result_id, region, metric, value, unit)
            SELECT result_id, 'L_putamen', 'volume', 812.5, 'mm3' FROM task WHERE task_id = 1::bigint << 24
            """)
        let sql =
            "SELECT participant_id, subject, step, region, reference, volume_mm3, mean_ppm FROM qsmflow.roi_statistics"
        // The run has region statistics: these count, not the regions before refinement.
        #expect(try await fixture.rows(sql).allSatisfy { $0[2] == "statistics" })
        try await fixture.script("UPDATE step SET kind = 'command' WHERE name = 'statistics'")
        #expect(try await fixture.rows(sql) == [["sub-01", "01", "check", "L_putamen", nil, "812.5", nil]])
    }

    @Test("two steps of one kind have rows of their own, and the score stands with the one that was scored")
    func qualityOfTwoSteps() async throws {
        let fixture = try await ResultsFixture()
        try await fixture.script(ResultsFixture.smallRun)
        try await fixture.script(
            """
            UPDATE step SET kind = 'qc.pictures' WHERE name = 'check';
            INSERT INTO measurement (result_id, metric, value, unit)
            SELECT result_id, 'folded_fraction', 0.5, '1' FROM task WHERE task_id = 1::bigint << 24
            """)
        let rows = try await fixture.rows(
            "SELECT step, scored_by, value, robust_z, flag FROM qsmflow.qc ORDER BY step")
        #expect(rows == [["check", nil, "0.5", nil, "f"], ["pictures", "scores", "0.25", "4.5", "t"]])
    }

    @Test("whoever a view is about has the name of BIDS tables, first in files")
    func participants() async throws {
        let fixture = try await ResultsFixture()
        try await fixture.script(ResultsFixture.smallRun)
        for view in Store.resultViews {
            let columns = try await fixture.rows(
                "SELECT column_name FROM qsmflow.documentation WHERE view_name = '\(view)'"
            ).compactMap { $0[0] }
            guard columns.contains("subject") else { continue }
            #expect(columns.contains("participant_id"), "\(view)")
            let csv = try await collected(
                fixture.store.copyResults(view: view, run: RunID(rawValue: 1), format: .csv))
            #expect(csv.hasPrefix("participant_id,"), "\(view)")
            let odd = try await fixture.rows(
                "SELECT 1 FROM qsmflow.\(view) WHERE participant_id IS DISTINCT FROM 'sub-' || subject")
            #expect(odd.isEmpty, "\(view)")
        }
        let runs = try await collected(fixture.store.copyResults(view: "runs", run: RunID(rawValue: 1), format: .csv))
        #expect(runs.hasPrefix("run,name,") && !runs.contains("request,") && !runs.contains(",request\n"))
        let people = try await fixture.rows("SELECT participant_id, runs FROM qsmflow.subjects ORDER BY 1")
        #expect(people == [["sub-01", "{1}"], ["sub-02", "{1}"]])
    }

    @Test("quality numbers carry their score and flag")
    func quality() async throws {
        let fixture = try await ResultsFixture()
        try await fixture.script(ResultsFixture.smallRun)
        let rows = try await fixture.rows(
            "SELECT run, subject, session, metric, value, unit, robust_z, flag FROM qsmflow.qc")
        #expect(rows == [["1", "01", nil, "folded_fraction", "0.25", "1", "4.5", "t"]])
    }

    @Test("effects of the cohort model")
    func effects() async throws {
        let fixture = try await ResultsFixture()
        try await fixture.script(ResultsFixture.smallRun)
        let rows = try await fixture.rows(
            "SELECT step, region, reference, term, estimate, ci_low, ci_high, t, p, q, subjects, unit FROM qsmflow.cohort_effects"
        )
        #expect(
            rows == [
                ["model", "L_putamen", "csf", "age", "0.0008", "0.0002", "0.0014", nil, "0.01", "0.02", "12", "ppm"]
            ])
    }

    @Test("a failure says why and names the steps that it blocks, further down too")
    func failures() async throws {
        let fixture = try await ResultsFixture()
        try await fixture.script(ResultsFixture.smallRun)
        let rows = try await fixture.rows(
            "SELECT task, step, subject, reason, outcome, attempts, blocked_tasks, blocked_steps, worker FROM qsmflow.failures"
        )
        #expect(
            rows == [
                [
                    "1.1", "check", "02", "sub-02_Chimap.nii.gz is cut short; copy it again", "permanent", "1", "2",
                    "statistics, pictures", "w1",
                ]
            ])
    }

    @Test("counts of a run, and time and memory of its steps")
    func resources() async throws {
        let fixture = try await ResultsFixture()
        try await fixture.script(ResultsFixture.smallRun)
        let runs = try await fixture.rows(
            "SELECT run, name, state, tasks, succeeded, failed, blocked FROM qsmflow.runs")
        #expect(runs == [["1", "first", "finished_with_failures", "8", "5", "1", "2"]])
        let steps = try await fixture.rows(
            """
            SELECT step, tasks, succeeded, failed, blocked, attempts, seconds_mean, cpu_seconds_total,
                peak_memory_mib_max
            FROM qsmflow.step_resources ORDER BY position
            """)
        #expect(steps.map { $0[0] } == ["check", "statistics", "pictures", "model", "scores"])
        // Of the two attempts only the one that succeeded counts for the mean; both used processor time and memory.
        #expect(steps[0] == ["check", "2", "1", "1", "0", "2", "1.5", "2.5", "301"])
        #expect(steps[1] == ["statistics", "2", "1", "0", "1", "1", "1.5", "1.25", "302"])
    }

    @Test("inputs and outputs name their bytes")
    func bytes() async throws {
        let fixture = try await ResultsFixture()
        let (image, table) = (String(repeating: "ab", count: 32), String(repeating: "cd", count: 32))
        try await fixture.script(
            ResultsFixture.smallRun
                + """
                ;INSERT INTO artifact (digest, size_bytes, media_type) VALUES ('\\x\(table)', 10, 'text/plain');
                INSERT INTO artifact_ref (result_id, port, name, digest, size_bytes, media_type)
                SELECT result_id, 'table', 'table.tsv', '\\x\(table)', 10, 'text/plain' FROM task
                WHERE task_id = (1::bigint << 24) + 2;
                INSERT INTO source_file (digest, path, size_bytes, modified_ns, inode) VALUES
                    ('\\x\(image)', '/copy/other.nii.gz', 5, 1, 1), ('\\x\(image)', '/data/a/sub-01/chi.nii.gz', 5, 1, 1);
                INSERT INTO task_input (task_id, position, port, subject, digest, name, size_bytes)
                VALUES ((1::bigint << 24) + 2, 0, 'chimap', '01', '\\x\(image)', 'chi.nii.gz', 5);
                INSERT INTO task_input (task_id, position, port, subject, parent_id, parent_port) VALUES
                    ((1::bigint << 24) + 6, 0, 'tables', '01', (1::bigint << 24) + 2, 'table'),
                    ((1::bigint << 24) + 6, 1, 'tables', '02', (1::bigint << 24) + 3, 'table')
                """)
        let outputs = try await fixture.rows(
            "SELECT task, step, subject, port, name, digest, size, media_type FROM qsmflow.outputs")
        #expect(outputs == [["1.2", "statistics", "01", "table", "table.tsv", table, "10", "text/plain"]])
        let inputs = try await fixture.rows(
            "SELECT task, port, from_subject, from_step, name, digest, path FROM qsmflow.inputs ORDER BY ordinal, from_subject"
        )
        #expect(
            inputs == [
                ["1.2", "chimap", "01", nil, "chi.nii.gz", image, "/data/a/sub-01/chi.nii.gz"],
                ["1.6", "tables", "01", "statistics", "table.tsv", table, nil],
                ["1.6", "tables", "02", "statistics", nil, nil, nil],
            ])
    }

    @Test("people: one row per session, the session's values before the participant's")
    func subjects() async throws {
        let fixture = try await ResultsFixture()
        try await fixture.script(
            """
            INSERT INTO dataset (path, name, kind, bids_version, subjects) VALUES
                ('/data/a', 'a', 'raw', '1', '{01,02,03}'), ('/data/d', 'd', 'd', '1', '{01}');
            INSERT INTO participant VALUES
                (1, '01', 0, '{"age": 30.5, "sex": "F", "group": "HC"}', NULL),
                (1, '02', 1, '{"age": "old"}', NULL),
                (1, '04', 2, '{}', 'sub-04 is listed twice'), (2, '01', 0, '{"age": 1}', NULL);
            INSERT INTO session_row VALUES (1, '01', 'b', 0, '{"age": 31.5, "site": "x"}', NULL);
            INSERT INTO bids_file (dataset_id, path, size_bytes, modified_ns, inode, subject, session, suffix,
                sidecar_stamp) VALUES
                (1, 'p1', 1, 1, 1, '01', 'a', 'T1w', ''), (1, 'p2', 1, 1, 2, '01', 'b', 'T1w', ''),
                (1, 'p3', 1, 1, 3, '01', 'b', 'Chimap', ''), (1, 'p4', 1, 1, 4, '02', NULL, 'T1w', ''),
                (1, 'p5', 1, 1, 5, NULL, NULL, 'dseg', '');
            """)
        let rows = try await fixture.rows(
            """
            SELECT dataset, subject, session, age, sex, site, "group", files, problem FROM qsmflow.subjects
            ORDER BY subject, session
            """)
        #expect(
            rows == [
                ["/data/a", "01", "a", "30.5", "F", nil, "HC", "1", nil],
                ["/data/a", "01", "b", "31.5", "F", "x", "HC", "2", nil],
                ["/data/a", "02", nil, nil, nil, nil, nil, "1", nil],
                ["/data/a", "03", nil, nil, nil, nil, nil, "0", nil],
                ["/data/a", "04", nil, nil, nil, nil, nil, "0", "sub-04 is listed twice"],
            ])
    }

    @Test("the analysts' role reads the views and no table")
    func analyst() async throws {
        let fixture = try await ResultsFixture()
        try await fixture.script(ResultsFixture.smallRun)
        let connection = try await Connection.open(fixture.database.target)
        defer { connection.close() }
        try await connection.run { try $0.script("SET ROLE qsmflow_analyst") }
        for view in Store.resultViews {
            try await connection.run { session in
                _ = try session.table("SELECT * FROM qsmflow.\(view) LIMIT 1")
            }
        }
        for forbidden in [
            "SELECT * FROM qsmflow.token", "DELETE FROM qsmflow.measurement", "CREATE TABLE qsmflow.x ()",
        ] {
            let error = await #expect(throws: PostgresError.self) {
                try await connection.run { try $0.script(forbidden) }
            }
            #expect(error?.state == .insufficientPrivilege, "\(forbidden)")
        }
        let settings = try await fixture.rows(
            "SELECT array_to_string(rolconfig, ' ') FROM pg_roles WHERE rolname = 'qsmflow_analyst'")
        let text = settings[0][0] ?? ""
        #expect(text.contains("statement_timeout=5min") && text.contains("default_transaction_read_only=on"))
    }
}

@Suite("Results as files")
struct ResultsStreamTests {
    @Test("CSV and TSV: a header, rows in order, n/a for what is missing")
    func tables() async throws {
        let fixture = try await ResultsFixture()
        try await fixture.script(ResultsFixture.smallRun)
        let run = RunID(rawValue: 1)
        let csv = try await collected(fixture.store.copyResults(view: "cohort_effects", run: run, format: .csv))
        #expect(
            csv == """
                run,step,region,reference,term,estimate,standard_error,ci_low,ci_high,t,df,p,q,subjects,unit,data
                1,model,L_putamen,csf,age,0.0008,,0.0002,0.0014,,,0.01,0.02,12,ppm,\n
                """)
        let tsv = try await collected(fixture.store.copyResults(view: "qc", run: run, format: .tsv))
        #expect(
            tsv == """
                participant_id\trun\tsubject\tsession\tmetric\tvalue\tunit\trobust_z\tflag\tstep\tscored_by
                sub-01\t1\t01\tn/a\tfolded_fraction\t0.25\t1\t4.5\tt\tpictures\tscores\n
                """)
    }

    @Test("JSON: one array, whatever the rows hold", arguments: Store.resultViews)
    func json(view: String) async throws {
        let fixture = try await ResultsFixture()
        try await fixture.script(ResultsFixture.smallRun)
        try await fixture.script(
            #"UPDATE task SET message = E'a "quoted" \\ word,\nnew\tline \u0001 ü' WHERE message IS NOT NULL"#)
        let text = try await collected(
            fixture.store.copyResults(view: view, run: RunID(rawValue: 1), format: .json))
        let rows = try #require(try JSONValue.parse(text).arrayValue)
        let count = try await fixture.rows("SELECT count(*) FROM qsmflow.\(view)")
        #expect(String(rows.count) == count[0][0])
        if view == "failures" {
            #expect(rows[0]["reason"]?.stringValue == "a \"quoted\" \\ word,\nnew\tline \u{1} ü")
            #expect(rows[0]["blocked_tasks"]?.integerValue == 2)
        }
    }

    @Test("a run without rows gives an empty array and a bare header")
    func empty() async throws {
        let fixture = try await ResultsFixture()
        try await fixture.script(
            """
            INSERT INTO run (name, workflow, request, dataset_path, weight, requested_by, tasks)
            VALUES ('empty', 'w', '{}', '/none', 1, 'me', 0)
            """)
        let run = RunID(rawValue: 1)
        #expect(try await collected(fixture.store.copyResults(view: "qc", run: run, format: .json)) == "[]\n")
        let csv = try await collected(fixture.store.copyResults(view: "qc", run: run, format: .csv))
        #expect(csv == "participant_id,run,subject,session,metric,value,unit,robust_z,flag,step,scored_by\n")
    }

    @Test("only the run asked for, and its own dataset's people")
    func scopes() async throws {
        let fixture = try await ResultsFixture()
        try await fixture.script(ResultsFixture.smallRun)
        try await fixture.script(
            """
            INSERT INTO dataset (path, name, kind, bids_version, subjects) VALUES ('/data/b', 'b', 'raw', '1', '{09,10}');
            INSERT INTO run (name, workflow, request, dataset_id, dataset_path, weight, requested_by, tasks)
            SELECT name, 'w', '{}', 2, '/data/b', 1, 'me', 1 FROM unnest(ARRAY['second', 'third']) name;
            INSERT INTO step (run_id, position, name, kind, kind_version, parameters, retry, timeout_ms, cores, memory_mib)
            SELECT r, 0, 'check', 'image.check', 1, '{}', '{}', 1000, 1, 512 FROM unnest(ARRAY[2, 3]) r;
            INSERT INTO task (task_id, run_id, step_id, subject, tolerant, unrunnable, priority, state, pending, attempts,
                memory_mib)
            SELECT run_id << 24, run_id, step_id, CASE run_id WHEN 2 THEN '09' ELSE '10' END, false, false, 0, 1, 0, 0, 512
            FROM step WHERE run_id > 1
            """)
        let second = RunID(rawValue: 2)
        let statuses = try JSONValue.parse(
            try await collected(fixture.store.copyResults(view: "task_status", run: second, format: .json)))
        #expect(statuses.arrayValue?.compactMap { $0["task"]?.stringValue } == ["2.0"])
        let people = try JSONValue.parse(
            try await collected(fixture.store.copyResults(view: "subjects", run: second, format: .json)))
        #expect(people.arrayValue?.compactMap { $0["subject"]?.stringValue } == ["09"])
    }

    @Test("an unknown view or run is refused by name")
    func unknown() async throws {
        let fixture = try await ResultsFixture()
        let store = fixture.store
        let view = await #expect(throws: ResultError.self) {
            _ = try await store.copyResults(view: "roi", run: RunID(rawValue: 1), format: .csv)
        }
        #expect("\(try #require(view))".contains("roi_statistics"))
        let run = await #expect(throws: ResultError.self) {
            _ = try await store.copyResults(view: "qc", run: RunID(rawValue: 7), format: .csv)
        }
        #expect("\(try #require(run))".contains("run 7"))
    }

    @Test("many rows arrive whole and in pieces")
    func long() async throws {
        let fixture = try await ResultsFixture()
        try await fixture.script(ResultsFixture.smallRun)
        try await fixture.script(
            """
            INSERT INTO measurement (result_id, region, metric, value, unit)
            SELECT result_id, 'r' || lpad(n::text, 6, '0'), 'many', n, '1' FROM task, generate_series(1, 60000) n
            WHERE task_id = (1::bigint << 24) + 2
            """)
        let stream = try await fixture.store.copyResults(
            view: "measurements", run: RunID(rawValue: 1), format: .json)
        var (pieces, bytes) = (0, [UInt8]())
        for try await piece in stream {
            pieces += 1
            bytes += piece
        }
        #expect(pieces > 10)
        let rows = try #require(try JSONValue.parse(Data(bytes)).arrayValue)
        #expect(rows.count == 60_000 + 19)
        let regions = rows.filter { $0["metric"]?.stringValue == "many" }.compactMap { $0["region"]?.stringValue }
        #expect(regions == regions.sorted() && Set(regions).count == 60_000)
    }

    @Test("who stops reading stops the query")
    func abandoned() async throws {
        let rows = RowStream(places: 2, patienceSeconds: 60)
        let (ended, continuation) = AsyncStream<Bool>.makeStream()
        Thread {
            do {
                while true { try rows.put([1]) }
            } catch {
                continuation.yield(error is CancellationError)
                continuation.finish()
            }
        }.start()
        #expect(try await rows.next() == [1])
        rows.abandon()
        var outcome: Bool?
        for await isCancellation in ended { outcome = isCancellation }
        #expect(outcome == true)
        await #expect(throws: CancellationError.self) { _ = try await rows.next() }
    }

    @Test("a reader that never comes is given up")
    func impatience() throws {
        let rows = RowStream(places: 1, patienceSeconds: 0)
        try rows.put([1])
        #expect(throws: ResultError.self) { try rows.put([2]) }
    }

    @Test("the digest depends on the numbers alone, to the last bit")
    func digest() async throws {
        let first = try await ResultsFixture()
        try await first.script(ResultsFixture.smallRun)
        let expected = try await first.store.measurementDigest(run: RunID(rawValue: 1))

        // Other result numbers, other order of insertion, other run number.
        let second = try await ResultsFixture()
        try await second.script(
            """
            INSERT INTO result (task_id, attempt) SELECT 1, n FROM generate_series(1, 10) n;
            \(ResultsFixture.smallRun);
            CREATE TEMPORARY TABLE shuffled AS SELECT * FROM measurement;
            TRUNCATE measurement;
            INSERT INTO measurement SELECT * FROM shuffled ORDER BY metric DESC, value
            """)
        #expect(try await second.store.measurementDigest(run: RunID(rawValue: 1)) == expected)

        try await second.script(
            "UPDATE measurement SET value = \((0.0008).nextUp) WHERE metric = 'estimate'")
        #expect(try await second.store.measurementDigest(run: RunID(rawValue: 1)) != expected)
        try await second.script("UPDATE measurement SET value = 0.0008 WHERE metric = 'estimate'")
        #expect(try await second.store.measurementDigest(run: RunID(rawValue: 1)) == expected)
        try await second.script("UPDATE measurement SET value = NULL WHERE metric = 'estimate'")
        #expect(try await second.store.measurementDigest(run: RunID(rawValue: 1)) != expected)
    }
}
