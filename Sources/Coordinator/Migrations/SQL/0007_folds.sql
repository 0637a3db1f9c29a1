-- Cross-validation: which fold a task is of, and who is in which.

-- From 1; NULL for tasks and files that are of no fold.
ALTER TABLE task ADD COLUMN fold int CHECK (fold > 0);
ALTER TABLE task_input ADD COLUMN fold int CHECK (fold > 0);

-- 0 for numbers of no fold but the task's own: a result does not know which fold it is of, for equal trainings share it.
ALTER TABLE measurement ADD COLUMN fold int NOT NULL DEFAULT 0 CHECK (fold >= 0);
ALTER TABLE measurement DROP CONSTRAINT measurement_pkey;
ALTER TABLE measurement ADD PRIMARY KEY (result_id, metric, region, reference, term, subject, session, atlas, fold);

-- One row per run with folds.
CREATE TABLE fold_assignment (
    run_id          bigint PRIMARY KEY REFERENCES run ON DELETE CASCADE,
    digest          bytea NOT NULL REFERENCES artifact,
    path            text NOT NULL,               -- where the coordinator sees the document
    document        jsonb NOT NULL CHECK (jsonb_typeof(document) = 'object')
);
CREATE INDEX fold_assignment_digest ON fold_assignment (digest);

-- ---------------------------------------------------------------------------------------------------------------------
-- Views are replaced, never dropped: somebody's own view may stand on them. New columns come last.

CREATE VIEW folds AS
SELECT a.run_id AS run,
       p.key AS subject,
       p.value::int AS fold,
       'sub-' || p.key AS participant_id
FROM fold_assignment a
CROSS JOIN LATERAL jsonb_each_text(a.document -> 'people') p;

COMMENT ON VIEW folds IS 'Who is in which fold of a run with cross-validation; whoever is in none has no row.';
COMMENT ON COLUMN folds.run IS 'Number of the run.';
COMMENT ON COLUMN folds.subject IS 'BIDS label without "sub-".';
COMMENT ON COLUMN folds.fold IS 'Fold that the person is held out of, from 1: what is trained for it has not seen the person.';
COMMENT ON COLUMN folds.participant_id IS 'The person as BIDS tables write it: sub-LABEL.';

CREATE OR REPLACE VIEW measurements AS
SELECT t.run_id AS run,
       s.name AS step,
       s.kind,
       coalesce(nullif(m.subject, ''), t.subject) AS subject,
       coalesce(nullif(m.session, ''), t.session) AS session,
       coalesce(nullif(m.atlas, ''), t.atlas) AS atlas,
       nullif(m.region, '') AS region,
       nullif(m.reference, '') AS reference,
       nullif(m.term, '') AS term,
       m.metric,
       m.value,
       m.unit,
       'sub-' || coalesce(nullif(m.subject, ''), t.subject) AS participant_id,
       coalesce(nullif(m.fold, 0), t.fold) AS fold
FROM task t
JOIN step s USING (step_id)
JOIN measurement m USING (result_id)
WHERE t.state = 2;

COMMENT ON COLUMN measurements.fold IS 'Fold of the cross-validation, for steps with one task per fold; else NULL.';

CREATE OR REPLACE VIEW task_status AS
SELECT t.run_id AS run,
       (t.task_id & 16777215)::int AS ordinal,
       t.run_id || '.' || (t.task_id & 16777215) AS task,
       s.name AS step,
       s.kind,
       t.subject,
       t.session,
       t.atlas,
       CASE WHEN l.task_id IS NOT NULL THEN 'running' ELSE task_state_name(t.state) END AS state,
       t.outcome,
       t.message,
       t.attempts,
       t.failures,
       t.losses,
       t.pending AS waits_for,
       l.started_at AS running_since,
       w.worker,
       'sub-' || t.subject AS participant_id,
       t.fold
FROM task t
JOIN step s USING (step_id)
LEFT JOIN lease l USING (task_id)
LEFT JOIN worker_session w USING (session_id);

COMMENT ON COLUMN task_status.fold IS 'Fold of the cross-validation, for steps with one task per fold; else NULL.';

CREATE OR REPLACE VIEW attempts AS
SELECT t.run_id AS run,
       (t.task_id & 16777215)::int AS ordinal,
       t.run_id || '.' || (t.task_id & 16777215) AS task,
       s.name AS step,
       s.kind,
       t.subject,
       t.session,
       t.atlas,
       a.attempt,
       a.outcome,
       a.message,
       a.worker,
       a.started_at,
       a.finished_at,
       a.wall_ms / 1000.0::float8 AS seconds,
       (a.user_ms + a.system_ms) / 1000.0::float8 AS cpu_seconds,
       a.peak_resident_mib AS peak_memory_mib,
       a.memory_mib AS memory_limit_mib,
       a.staged_bytes,
       a.uploaded_bytes,
       a.signal,
       a.exit_code,
       a.log_tail,
       'sub-' || t.subject AS participant_id,
       t.fold
FROM attempt a
JOIN task t USING (task_id)
JOIN step s USING (step_id);

COMMENT ON COLUMN attempts.fold IS 'Fold of the cross-validation, for steps with one task per fold; else NULL.';

CREATE OR REPLACE VIEW failures AS
SELECT t.run_id AS run,
       (t.task_id & 16777215)::int AS ordinal,
       t.run_id || '.' || (t.task_id & 16777215) AS task,
       s.name AS step,
       s.kind,
       t.subject,
       t.session,
       t.atlas,
       t.message AS reason,
       t.outcome,
       t.attempts,
       b.tasks AS blocked_tasks,
       b.steps AS blocked_steps,
       a.worker,
       a.finished_at,
       a.log_tail,
       'sub-' || t.subject AS participant_id,
       t.fold
FROM task t
JOIN step s USING (step_id)
LEFT JOIN attempt a ON a.task_id = t.task_id AND a.attempt = t.attempts
CROSS JOIN LATERAL (
    WITH RECURSIVE below AS (
        SELECT c.task_id, c.step_id FROM task_dep e JOIN task c ON c.task_id = e.child_id
        WHERE e.parent_id = t.task_id AND c.state = 4
        UNION
        SELECT c.task_id, c.step_id FROM below JOIN task_dep e ON e.parent_id = below.task_id
        JOIN task c ON c.task_id = e.child_id WHERE c.state = 4)
    SELECT count(*) AS tasks,
           (SELECT string_agg(name, ', ' ORDER BY position) FROM step
            WHERE step_id IN (SELECT step_id FROM below)) AS steps
    FROM below) b
WHERE t.state = 3;

COMMENT ON COLUMN failures.fold IS 'Fold of the cross-validation, for steps with one task per fold; else NULL.';

CREATE OR REPLACE VIEW outputs AS
SELECT t.run_id AS run,
       (t.task_id & 16777215)::int AS ordinal,
       t.run_id || '.' || (t.task_id & 16777215) AS task,
       s.name AS step,
       s.kind,
       t.subject,
       t.session,
       t.atlas,
       f.port,
       f.name,
       encode(f.digest, 'hex') AS digest,
       f.size_bytes AS size,
       f.media_type,
       f.metadata,
       'sub-' || t.subject AS participant_id,
       t.fold
FROM task t
JOIN step s USING (step_id)
JOIN artifact_ref f USING (result_id)
WHERE t.state = 2;

COMMENT ON COLUMN outputs.fold IS 'Fold of the cross-validation, for steps with one task per fold; else NULL.';

CREATE OR REPLACE VIEW inputs AS
SELECT t.run_id AS run,
       (t.task_id & 16777215)::int AS ordinal,
       t.run_id || '.' || (t.task_id & 16777215) AS task,
       s.name AS step,
       s.kind,
       t.subject,
       t.session,
       t.atlas,
       i.port,
       i.subject AS from_subject,
       i.session AS from_session,
       i.atlas AS from_atlas,
       ps.name AS from_step,
       pt.run_id || '.' || (pt.task_id & 16777215) AS from_task,
       i.parent_port AS from_port,
       coalesce(i.name, f.name) AS name,
       encode(coalesce(i.digest, f.digest), 'hex') AS digest,
       coalesce(i.size_bytes, f.size_bytes) AS size,
       CASE WHEN i.parent_id IS NULL THEN (
           -- Of several places, one where the file has the name it was used under.
           SELECT o.path FROM source_file o WHERE o.digest = i.digest
           ORDER BY right(o.path, length(i.name) + 1) = '/' || i.name DESC, o.path LIMIT 1) END AS path,
       coalesce(i.metadata, f.metadata) AS metadata,
       'sub-' || t.subject AS participant_id,
       t.fold,
       i.fold AS from_fold
FROM task t
JOIN step s USING (step_id)
JOIN task_input i USING (task_id)
LEFT JOIN task pt ON pt.task_id = i.parent_id
LEFT JOIN step ps ON ps.step_id = pt.step_id
LEFT JOIN artifact_ref f ON f.result_id = pt.result_id AND f.port = i.parent_port;

COMMENT ON COLUMN inputs.fold IS 'Fold of the task that reads, for steps with one task per fold; else NULL.';
COMMENT ON COLUMN inputs.from_fold IS 'Fold of the task that made it; NULL when it is of none.';

DO $$
BEGIN
    -- Where the role could not be made, an administrator grants what is granted here.
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'qsmflow_analyst') THEN
        GRANT SELECT ON folds TO qsmflow_analyst;
    END IF;
END
$$;
