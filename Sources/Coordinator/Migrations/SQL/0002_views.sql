-- What analysts read. Names and meanings of columns are a promise; every column has a comment.

CREATE VIEW subjects AS
SELECT d.dataset_id,
       d.path AS dataset,
       u.subject,
       p.covariates ->> 'age'   AS age_text,
       CASE WHEN jsonb_typeof(p.covariates -> 'age') = 'number' THEN (p.covariates ->> 'age')::float8 END AS age,
       p.covariates ->> 'sex'   AS sex,
       p.covariates ->> 'site'  AS site,
       p.covariates ->> 'group' AS "group",
       p.covariates,
       p.ambiguous AS problem,
       (SELECT count(*) FROM bids_file f WHERE f.dataset_id = d.dataset_id AND f.subject = u.subject) AS files
FROM dataset d
CROSS JOIN LATERAL (SELECT unnest(d.subjects) AS subject
                    UNION SELECT subject FROM participant q WHERE q.dataset_id = d.dataset_id) u
LEFT JOIN participant p ON p.dataset_id = d.dataset_id AND p.subject = u.subject
WHERE d.kind = 'raw';

COMMENT ON VIEW subjects IS 'Participants of the indexed datasets with their covariates (participants.tsv).';
COMMENT ON COLUMN subjects.dataset_id IS 'Number of the dataset.';
COMMENT ON COLUMN subjects.dataset IS 'Folder of the dataset.';
COMMENT ON COLUMN subjects.subject IS 'Label without "sub-".';
COMMENT ON COLUMN subjects.age_text IS 'Column "age" as text; NULL when missing.';
COMMENT ON COLUMN subjects.age IS 'Column "age" as a number, in the unit of its sidecar (years unless stated).';
COMMENT ON COLUMN subjects.sex IS 'Column "sex".';
COMMENT ON COLUMN subjects.site IS 'Column "site".';
COMMENT ON COLUMN subjects."group" IS 'Column "group".';
COMMENT ON COLUMN subjects.covariates IS 'All columns of participants.tsv: {"name": value}; NULL when not listed there.';
COMMENT ON COLUMN subjects.problem IS 'Why the row of participants.tsv cannot be used; NULL when it can.';
COMMENT ON COLUMN subjects.files IS 'Files of this participant in the index.';

CREATE VIEW measurements AS
SELECT t.run_id,
       r.name AS run,
       t.task_id,
       s.name AS step,
       s.kind,
       nullif(m.subject, '')   AS subject,
       nullif(m.session, '')   AS session,
       nullif(m.atlas, '')     AS atlas,
       nullif(m.region, '')    AS region,
       nullif(m.reference, '') AS reference,
       nullif(m.term, '')      AS term,
       m.metric,
       m.value,
       m.unit
FROM task t
JOIN run r USING (run_id)
JOIN step s USING (step_id)
JOIN measurement m USING (result_id)
WHERE t.state = 2;

COMMENT ON VIEW measurements IS 'Every number computed, one row each, of tasks that succeeded.';
COMMENT ON COLUMN measurements.run_id IS 'Number of the run.';
COMMENT ON COLUMN measurements.run IS 'Name of the run.';
COMMENT ON COLUMN measurements.task_id IS 'Task that stands for the number; provenance is in attempts.';
COMMENT ON COLUMN measurements.step IS 'Step of the workflow.';
COMMENT ON COLUMN measurements.kind IS 'Kind of task, such as roi.statistics.';
COMMENT ON COLUMN measurements.subject IS 'Label without "sub-"; NULL for numbers about the cohort.';
COMMENT ON COLUMN measurements.session IS 'Label without "ses-"; NULL where there are no sessions.';
COMMENT ON COLUMN measurements.atlas IS 'Atlas, for steps with one task per atlas.';
COMMENT ON COLUMN measurements.region IS 'Region; NULL for whole-image numbers.';
COMMENT ON COLUMN measurements.reference IS 'What susceptibility is referenced to: none, whole_brain, csf or a region.';
COMMENT ON COLUMN measurements.term IS 'Term of a statistical model or name of a quality number.';
COMMENT ON COLUMN measurements.metric IS 'What was measured, such as mean, volume, estimate, dice.';
COMMENT ON COLUMN measurements.value IS 'The number; NULL when the result was not a number.';
COMMENT ON COLUMN measurements.unit IS 'Unit of the number, such as ppm, mm3, 1.';

CREATE VIEW roi_statistics AS
SELECT run_id, min(run) AS run, step, subject, session, atlas, region, reference,
       max(value) FILTER (WHERE metric = 'voxels')           AS voxels,
       max(value) FILTER (WHERE metric = 'volume')           AS volume_mm3,
       max(value) FILTER (WHERE metric = 'missing_fraction') AS missing_fraction,
       max(value) FILTER (WHERE metric = 'mean')             AS mean_ppm,
       max(value) FILTER (WHERE metric = 'sd')               AS sd_ppm,
       max(value) FILTER (WHERE metric = 'median')           AS median_ppm,
       max(value) FILTER (WHERE metric = 'p5')               AS p5_ppm,
       max(value) FILTER (WHERE metric = 'p25')              AS p25_ppm,
       max(value) FILTER (WHERE metric = 'p75')              AS p75_ppm,
       max(value) FILTER (WHERE metric = 'p95')              AS p95_ppm,
       max(value) FILTER (WHERE metric = 'high_mean')        AS high_mean_ppm,
       max(value) FILTER (WHERE metric = 'high_volume')      AS high_volume_mm3,
       max(value) FILTER (WHERE metric = 'reference_value')  AS reference_value_ppm
FROM measurements
WHERE kind = 'roi.statistics'
GROUP BY run_id, step, subject, session, atlas, region, reference;

COMMENT ON VIEW roi_statistics IS 'Susceptibility per region and reference, one row each (kind roi.statistics).';
COMMENT ON COLUMN roi_statistics.run_id IS 'Number of the run.';
COMMENT ON COLUMN roi_statistics.run IS 'Name of the run.';
COMMENT ON COLUMN roi_statistics.step IS 'Step of the workflow.';
COMMENT ON COLUMN roi_statistics.subject IS 'Label without "sub-".';
COMMENT ON COLUMN roi_statistics.session IS 'Label without "ses-"; NULL where there are no sessions.';
COMMENT ON COLUMN roi_statistics.atlas IS 'Atlas, for steps with one task per atlas.';
COMMENT ON COLUMN roi_statistics.region IS 'Region of the labels; NULL for numbers about the whole image.';
COMMENT ON COLUMN roi_statistics.reference IS 'What the values are against: none, whole_brain, csf or a region; NULL for numbers without one.';
COMMENT ON COLUMN roi_statistics.voxels IS 'Voxels of the region.';
COMMENT ON COLUMN roi_statistics.volume_mm3 IS 'Volume of the region, mm3.';
COMMENT ON COLUMN roi_statistics.missing_fraction IS 'Fraction of the voxels without a susceptibility value.';
COMMENT ON COLUMN roi_statistics.mean_ppm IS 'Mean susceptibility against the reference, ppm.';
COMMENT ON COLUMN roi_statistics.sd_ppm IS 'Standard deviation of the susceptibility, ppm.';
COMMENT ON COLUMN roi_statistics.median_ppm IS 'Median susceptibility against the reference, ppm.';
COMMENT ON COLUMN roi_statistics.p5_ppm IS '5th percentile, ppm.';
COMMENT ON COLUMN roi_statistics.p25_ppm IS '25th percentile, ppm.';
COMMENT ON COLUMN roi_statistics.p75_ppm IS '75th percentile, ppm.';
COMMENT ON COLUMN roi_statistics.p95_ppm IS '95th percentile, ppm.';
COMMENT ON COLUMN roi_statistics.high_mean_ppm IS 'Mean of the high-susceptibility sub-region, ppm.';
COMMENT ON COLUMN roi_statistics.high_volume_mm3 IS 'Volume of the high-susceptibility sub-region, mm3.';
COMMENT ON COLUMN roi_statistics.reference_value_ppm IS 'Susceptibility of the reference that was subtracted, ppm.';

CREATE VIEW task_status AS
SELECT t.run_id,
       r.name AS run,
       t.task_id,
       t.run_id || '.' || (t.task_id & 16777215) AS task,
       s.name AS step,
       s.kind,
       t.subject,
       t.session,
       t.atlas,
       CASE WHEN l.task_id IS NOT NULL THEN 'running'
            ELSE (ARRAY['waiting', 'ready', 'succeeded', 'failed', 'blocked', 'cancelled'])[t.state + 1] END AS state,
       t.outcome,
       t.message,
       t.attempts,
       t.failures,
       t.losses,
       t.pending AS waits_for,
       l.started_at AS running_since,
       w.worker
FROM task t
JOIN run r USING (run_id)
JOIN step s USING (step_id)
LEFT JOIN lease l USING (task_id)
LEFT JOIN worker_session w ON w.session_id = l.session_id;

COMMENT ON VIEW task_status IS 'Where every task of every run stands now.';
COMMENT ON COLUMN task_status.run_id IS 'Number of the run.';
COMMENT ON COLUMN task_status.run IS 'Name of the run.';
COMMENT ON COLUMN task_status.task_id IS 'Number of the task.';
COMMENT ON COLUMN task_status.task IS 'Number of the task as the command line writes it: run.ordinal.';
COMMENT ON COLUMN task_status.step IS 'Step of the workflow.';
COMMENT ON COLUMN task_status.kind IS 'Kind of task.';
COMMENT ON COLUMN task_status.subject IS 'Label without "sub-"; NULL for tasks about the cohort.';
COMMENT ON COLUMN task_status.session IS 'Label without "ses-".';
COMMENT ON COLUMN task_status.atlas IS 'Atlas, for steps with one task per atlas.';
COMMENT ON COLUMN task_status.state IS 'waiting, ready, running, succeeded, failed, blocked or cancelled.';
COMMENT ON COLUMN task_status.outcome IS 'How the last attempt ended; cached when an earlier result was taken over.';
COMMENT ON COLUMN task_status.message IS 'Why it failed, in one sentence; for a blocked task, why the one it waits for failed.';
COMMENT ON COLUMN task_status.attempts IS 'Attempts that have ended.';
COMMENT ON COLUMN task_status.failures IS 'Attempts that failed by themselves since the last retry by an operator.';
COMMENT ON COLUMN task_status.losses IS 'Attempts lost with their worker or crashed since the last retry by an operator.';
COMMENT ON COLUMN task_status.waits_for IS 'Tasks it still waits for.';
COMMENT ON COLUMN task_status.running_since IS 'Start of the attempt that runs now.';
COMMENT ON COLUMN task_status.worker IS 'Worker that runs it now.';

CREATE VIEW attempts AS
SELECT t.run_id, t.task_id, s.name AS step, s.kind, t.subject, t.session, t.atlas, a.attempt, a.outcome, a.message,
       a.worker, a.started_at, a.finished_at, a.wall_ms / 1000.0 AS wall_seconds,
       (a.user_ms + a.system_ms) / 1000.0 AS cpu_seconds, a.peak_resident_mib, a.memory_mib AS memory_limit_mib,
       a.staged_bytes, a.uploaded_bytes, a.signal, a.exit_code, a.log_tail
FROM attempt a
JOIN task t USING (task_id)
JOIN step s USING (step_id);

COMMENT ON VIEW attempts IS 'Every ended attempt of every task, with what it used.';
COMMENT ON COLUMN attempts.run_id IS 'Number of the run.';
COMMENT ON COLUMN attempts.task_id IS 'Number of the task.';
COMMENT ON COLUMN attempts.step IS 'Step of the workflow.';
COMMENT ON COLUMN attempts.kind IS 'Kind of task.';
COMMENT ON COLUMN attempts.subject IS 'Label without "sub-".';
COMMENT ON COLUMN attempts.session IS 'Label without "ses-".';
COMMENT ON COLUMN attempts.atlas IS 'Atlas, for steps with one task per atlas.';
COMMENT ON COLUMN attempts.attempt IS '1, 2, … per task.';
COMMENT ON COLUMN attempts.outcome IS 'succeeded, cached, transient, permanent, out_of_memory, timed_out, crashed, lost, cancelled or released.';
COMMENT ON COLUMN attempts.message IS 'One sentence; NULL for a success.';
COMMENT ON COLUMN attempts.worker IS 'Worker that ran it; NULL when none did.';
COMMENT ON COLUMN attempts.started_at IS 'When the worker got the task; NULL when none did.';
COMMENT ON COLUMN attempts.finished_at IS 'When its end was stored.';
COMMENT ON COLUMN attempts.wall_seconds IS 'Duration as the worker measured it, s.';
COMMENT ON COLUMN attempts.cpu_seconds IS 'Processor time, s.';
COMMENT ON COLUMN attempts.peak_resident_mib IS 'Largest resident memory, MiB.';
COMMENT ON COLUMN attempts.memory_limit_mib IS 'Memory limit it ran under, MiB.';
COMMENT ON COLUMN attempts.staged_bytes IS 'Bytes of inputs copied to the worker.';
COMMENT ON COLUMN attempts.uploaded_bytes IS 'Bytes of outputs sent.';
COMMENT ON COLUMN attempts.signal IS 'Signal that ended the process.';
COMMENT ON COLUMN attempts.exit_code IS 'Exit code of the process.';
COMMENT ON COLUMN attempts.log_tail IS 'Last 8 KiB of its log.';

CREATE VIEW failures AS
SELECT t.run_id, t.task_id, t.run_id || '.' || (t.task_id & 16777215) AS task, s.name AS step, s.kind, t.subject,
       t.session, t.atlas, t.outcome, t.message, t.attempts, a.worker, a.finished_at, a.log_tail,
       (SELECT count(*) FROM task b WHERE b.run_id = t.run_id AND b.blocked_by = t.task_id) AS blocks
FROM task t
JOIN step s USING (step_id)
LEFT JOIN attempt a ON a.task_id = t.task_id AND a.attempt = t.attempts
WHERE t.state = 3;

COMMENT ON VIEW failures IS 'Tasks that failed for good, with the reason.';
COMMENT ON COLUMN failures.run_id IS 'Number of the run.';
COMMENT ON COLUMN failures.task_id IS 'Number of the task.';
COMMENT ON COLUMN failures.task IS 'Number of the task as the command line writes it: run.ordinal.';
COMMENT ON COLUMN failures.step IS 'Step of the workflow.';
COMMENT ON COLUMN failures.kind IS 'Kind of task.';
COMMENT ON COLUMN failures.subject IS 'Label without "sub-".';
COMMENT ON COLUMN failures.session IS 'Label without "ses-".';
COMMENT ON COLUMN failures.atlas IS 'Atlas, for steps with one task per atlas.';
COMMENT ON COLUMN failures.outcome IS 'How the last attempt ended.';
COMMENT ON COLUMN failures.message IS 'What is wrong and what to do, in one sentence.';
COMMENT ON COLUMN failures.attempts IS 'Attempts made.';
COMMENT ON COLUMN failures.worker IS 'Worker of the last attempt.';
COMMENT ON COLUMN failures.finished_at IS 'When the last attempt ended.';
COMMENT ON COLUMN failures.log_tail IS 'Last 8 KiB of the log of the last attempt.';
COMMENT ON COLUMN failures.blocks IS 'Tasks that cannot run because of it.';

CREATE VIEW cohort_effects AS
SELECT run_id, min(run) AS run, step, region, reference, term,
       max(value) FILTER (WHERE metric = 'estimate')       AS estimate,
       max(value) FILTER (WHERE metric = 'standard_error') AS standard_error,
       max(value) FILTER (WHERE metric = 'ci_low')         AS ci_low,
       max(value) FILTER (WHERE metric = 'ci_high')        AS ci_high,
       max(value) FILTER (WHERE metric = 't')              AS t,
       max(value) FILTER (WHERE metric = 'df')             AS df,
       max(value) FILTER (WHERE metric = 'p')              AS p,
       max(value) FILTER (WHERE metric = 'q')              AS q,
       max(value) FILTER (WHERE metric = 'subjects')       AS subjects,
       max(unit) FILTER (WHERE metric = 'estimate')        AS unit
FROM measurements
WHERE kind = 'cohort.linear-model'
GROUP BY run_id, step, region, reference, term;

COMMENT ON VIEW cohort_effects IS 'Effects of the linear model per region and term (kind cohort.linear-model).';
COMMENT ON COLUMN cohort_effects.run_id IS 'Number of the run.';
COMMENT ON COLUMN cohort_effects.run IS 'Name of the run.';
COMMENT ON COLUMN cohort_effects.step IS 'Step of the workflow.';
COMMENT ON COLUMN cohort_effects.region IS 'Region.';
COMMENT ON COLUMN cohort_effects.reference IS 'What susceptibility is referenced to.';
COMMENT ON COLUMN cohort_effects.term IS 'Term of the model, such as age or group[HH].';
COMMENT ON COLUMN cohort_effects.estimate IS 'Coefficient of the term, in "unit" per unit of the covariate.';
COMMENT ON COLUMN cohort_effects.standard_error IS 'Its standard error.';
COMMENT ON COLUMN cohort_effects.ci_low IS 'Lower end of the confidence interval.';
COMMENT ON COLUMN cohort_effects.ci_high IS 'Upper end of the confidence interval.';
COMMENT ON COLUMN cohort_effects.t IS 'Estimate over standard error.';
COMMENT ON COLUMN cohort_effects.df IS 'Residual degrees of freedom.';
COMMENT ON COLUMN cohort_effects.p IS 'Two-sided p value.';
COMMENT ON COLUMN cohort_effects.q IS 'Benjamini-Hochberg q value over the regions, per term.';
COMMENT ON COLUMN cohort_effects.subjects IS 'People in the model.';
COMMENT ON COLUMN cohort_effects.unit IS 'Unit of the estimate.';

CREATE VIEW qc AS
SELECT m.run_id, m.run, m.step, m.kind, m.subject, m.session, m.atlas, coalesce(m.term, m.metric) AS name,
       CASE WHEN m.kind <> 'cohort.qc' THEN m.value END AS value,
       CASE WHEN m.kind = 'cohort.qc' AND m.metric = 'robust_z' THEN m.value END AS robust_z,
       CASE WHEN m.kind = 'cohort.qc' AND m.metric = 'flag' THEN m.value = 1 END AS flagged,
       m.unit
FROM measurements m
WHERE m.kind IN ('image.check', 'brain.mask', 'registration.within-subject', 'registration.atlas', 'qc.pictures',
                 'cohort.qc');

COMMENT ON VIEW qc IS 'Quality numbers of every person, and which of them stand out from the cohort.';
COMMENT ON COLUMN qc.run_id IS 'Number of the run.';
COMMENT ON COLUMN qc.run IS 'Name of the run.';
COMMENT ON COLUMN qc.step IS 'Step of the workflow.';
COMMENT ON COLUMN qc.kind IS 'Kind of task that made the number.';
COMMENT ON COLUMN qc.subject IS 'Label without "sub-".';
COMMENT ON COLUMN qc.session IS 'Label without "ses-".';
COMMENT ON COLUMN qc.atlas IS 'Atlas, for steps with one task per atlas.';
COMMENT ON COLUMN qc.name IS 'Name of the quality number.';
COMMENT ON COLUMN qc.value IS 'The number; NULL in rows of cohort.qc.';
COMMENT ON COLUMN qc.robust_z IS 'Robust z score against the cohort; only in rows of cohort.qc.';
COMMENT ON COLUMN qc.flagged IS 'True when it stands out from the cohort; only in rows of cohort.qc.';
COMMENT ON COLUMN qc.unit IS 'Unit of the number.';

-- The role for analysts reads the views and nothing else, and cannot hold the database up. Roles belong to the whole
-- server: where this database's owner may not create one, an administrator does, and grants it the same.
DO $$
BEGIN
    BEGIN
        CREATE ROLE qsmflow_analyst LOGIN;
        ALTER ROLE qsmflow_analyst SET statement_timeout = '5min';
        ALTER ROLE qsmflow_analyst SET idle_in_transaction_session_timeout = '1min';
        ALTER ROLE qsmflow_analyst SET default_transaction_read_only = on;
        ALTER ROLE qsmflow_analyst SET search_path = qsmflow;
    EXCEPTION WHEN insufficient_privilege OR duplicate_object OR unique_violation THEN
        NULL;
    END;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'qsmflow_analyst') THEN
        GRANT USAGE ON SCHEMA qsmflow TO qsmflow_analyst;
        GRANT SELECT ON subjects, measurements, roi_statistics, task_status, attempts, failures, cohort_effects, qc
            TO qsmflow_analyst;
    END IF;
END
$$;
