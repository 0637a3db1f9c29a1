import Foundation
import Postgres
import TestSupport
import Workflow

@testable import Coordinator

/// A migrated database of its own, and rows written straight into its tables.
///
/// The views are tested against rows made here, not against what the rest of the store writes: each has its own tests.
final class ResultsFixture: Sendable {
    let database: TestDatabase
    let pool: Pool
    let store: Store

    init() async throws {
        database = try await TestDatabase.make(key: "results-migrated") { target in
            let pool = Store.pool(target, limit: 1)
            defer { pool.close() }
            try await Migrator().migrate(pool)
        }
        pool = Store.pool(database.target, limit: 4)
        store = Store(pool: pool)
    }

    deinit { pool.close() }

    func script(_ sql: String) async throws {
        try await pool.run { try $0.script("SET search_path = qsmflow, pg_temp; " + sql) }
    }

    /// Rows of a query as text; nil is NULL.
    func rows(_ sql: String) async throws -> [[String?]] {
        try await pool.run { try $0.table(sql).rows }
    }

    /// One run over two people with the steps check, statistics, pictures (people) and model, scores (cohort).
    ///
    /// Person 02 failed in check; what follows for that person is blocked.
    static let smallRun = """
        INSERT INTO dataset (path, name, kind, bids_version, subjects)
            VALUES ('/data/a', 'a', 'raw', '1.11.1', '{01,02}');
        INSERT INTO run (name, workflow, request, dataset_id, dataset_path, weight, requested_by, tasks)
            VALUES ('first', 'subcortical', '{}', 1, '/data/a', 1, 'me', 8);
        INSERT INTO step (run_id, position, name, kind, kind_version, parameters, retry, timeout_ms, cores, memory_mib)
        SELECT 1, p - 1, n, k, 1, '{}', '{}', 1000, 1, 512
        FROM unnest(ARRAY['check', 'statistics', 'pictures', 'model', 'scores'],
            ARRAY['image.check', 'roi.statistics', 'qc.pictures', 'cohort.linear-model', 'cohort.qc'])
            WITH ORDINALITY u (n, k, p);
        INSERT INTO result (task_id, attempt) SELECT (1::bigint << 24) + o, 1 FROM unnest(ARRAY[0, 2, 4, 6, 7]) o;
        INSERT INTO task (task_id, run_id, step_id, subject, tolerant, unrunnable, priority, state, pending, attempts,
            memory_mib, result_id, blocked_by, outcome, message)
        SELECT (1::bigint << 24) + o, 1, s, subject, o > 5, false, 0, state, 0, CASE WHEN state = 4 THEN 0 ELSE 1 END, 512,
            (SELECT result_id FROM result r WHERE r.task_id = (1::bigint << 24) + o),
            CASE WHEN state = 4 THEN (1::bigint << 24) + 1 END,
            CASE state WHEN 2 THEN 'succeeded' WHEN 3 THEN 'permanent' END,
            CASE WHEN state > 2 THEN 'sub-02_Chimap.nii.gz is cut short; copy it again' END
        FROM (VALUES (0, 1, '01', 2), (1, 1, '02', 3), (2, 2, '01', 2), (3, 2, '02', 4), (4, 3, '01', 2),
            (5, 3, '02', 4), (6, 4, NULL, 2), (7, 5, NULL, 2)) t (o, s, subject, state);
        INSERT INTO task_dep SELECT (1::bigint << 24) + p, (1::bigint << 24) + c
        FROM (VALUES (0, 2), (2, 4), (1, 3), (3, 5), (2, 6), (3, 6), (4, 7), (5, 7)) d (p, c);
        INSERT INTO attempt (task_id, attempt, worker, outcome, message, started_at, memory_mib, wall_ms, user_ms,
            system_ms, peak_resident_mib, log_tail)
        SELECT task_id, 1, 'w1', outcome, message, now(), 512, 1500, 1000, 250, 300 + (task_id & 7), 'log'
        FROM task WHERE attempts = 1;
        INSERT INTO measurement (result_id, region, reference, metric, value, unit)
        SELECT (SELECT result_id FROM task WHERE task_id = (1::bigint << 24) + 2), region, reference, metric, value, unit
        FROM (VALUES ('L_putamen', '', 'voxels', 120, '1'), ('L_putamen', '', 'volume', 960.5, 'mm3'),
            ('L_putamen', '', 'missing_fraction', 0, '1'), ('L_putamen', 'none', 'mean', 0.05, 'ppm'),
            ('L_putamen', 'none', 'sd', 0.01, 'ppm'), ('L_putamen', 'none', 'reference_value', 0, 'ppm'),
            ('L_putamen', 'csf', 'mean', 0.03, 'ppm'), ('L_putamen', 'csf', 'sd', 0.01, 'ppm'),
            ('L_putamen', 'csf', 'reference_value', 0.02, 'ppm'), ('L_putamen', 'csf', 'p95', NULL, 'ppm'))
            m (region, reference, metric, value, unit);
        INSERT INTO measurement (result_id, metric, value, unit)
        SELECT result_id, 'folded_fraction', 0.25, '1' FROM task WHERE task_id = (1::bigint << 24) + 4;
        INSERT INTO measurement (result_id, subject, term, metric, value, unit)
        SELECT result_id, '01', 'folded_fraction', metric, value, '1'
        FROM task, (VALUES ('robust_z', 4.5), ('flag', 1)) m (metric, value) WHERE task_id = (1::bigint << 24) + 7;
        INSERT INTO measurement (result_id, region, reference, term, metric, value, unit)
        SELECT result_id, 'L_putamen', 'csf', 'age', metric, value, CASE WHEN metric IN ('p', 'q') THEN '1' ELSE 'ppm' END
        FROM task, (VALUES ('estimate', 0.0008), ('ci_low', 0.0002), ('ci_high', 0.0014), ('p', 0.01), ('q', 0.02),
            ('subjects', 12)) m (metric, value) WHERE task_id = (1::bigint << 24) + 6;
        """
}

/// Everything a stream carries, as text.
func collected(_ stream: AsyncThrowingStream<[UInt8], any Error>) async throws -> String {
    var bytes: [UInt8] = []
    for try await piece in stream { bytes += piece }
    return String(decoding: bytes, as: UTF8.self)
}
