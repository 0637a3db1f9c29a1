-- What analysts read. Names and meanings of the columns are a promise; every view and every column has a comment, and
-- the view `documentation` lists them. `run` is the number of a run everywhere, so that views join on it.
--
-- Measurements hang on results, which runs share: the numbers of a run are those of the results its tasks point to. The
-- primary key of measurement begins with (result_id, metric), so that a run, and a metric of it, is read by index.

CREATE INDEX task_run ON task (run_id, step_id);

CREATE FUNCTION task_state_name(state smallint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (ARRAY['waiting', 'ready', 'succeeded', 'failed', 'blocked', 'cancelled'])[state + 1];

-- ---------------------------------------------------------------------------------------------------------------------
-- Who and what.

CREATE VIEW runs AS
SELECT r.run_id AS run,
       r.name,
       r.workflow,
       r.dataset_path AS dataset,
       CASE WHEN r.cancelled_at IS NOT NULL THEN 'cancelled'
            WHEN c.unsettled > 0 THEN 'running'
            WHEN c.succeeded = c.tasks THEN 'succeeded'
            ELSE 'finished_with_failures' END AS state,
       c.tasks,
       c.succeeded,
       c.failed,
       c.blocked,
       r.requested_by,
       r.created_at,
       r.cancelled_at,
       r.request
FROM run r
CROSS JOIN LATERAL (
    SELECT count(*) AS tasks,
           count(*) FILTER (WHERE t.state IN (0, 1)) AS unsettled,
           count(*) FILTER (WHERE t.state = 2) AS succeeded,
           count(*) FILTER (WHERE t.state = 3) AS failed,
           count(*) FILTER (WHERE t.state = 4) AS blocked
    FROM task t WHERE t.run_id = r.run_id) c;

COMMENT ON VIEW runs IS 'Every execution of a workflow over a cohort.';
COMMENT ON COLUMN runs.run IS 'Number of the run.';
COMMENT ON COLUMN runs.name IS 'Name given to the run, for people.';
COMMENT ON COLUMN runs.workflow IS 'Name of the workflow.';
COMMENT ON COLUMN runs.dataset IS 'Folder of the dataset it is about.';
COMMENT ON COLUMN runs.state IS 'running, succeeded, finished_with_failures or cancelled.';
COMMENT ON COLUMN runs.tasks IS 'Tasks of the run.';
COMMENT ON COLUMN runs.succeeded IS 'Tasks that succeeded, those with a result taken over included.';
COMMENT ON COLUMN runs.failed IS 'Tasks that failed for good; the view failures says why.';
COMMENT ON COLUMN runs.blocked IS 'Tasks that cannot run because another failed.';
COMMENT ON COLUMN runs.requested_by IS 'Who submitted it.';
COMMENT ON COLUMN runs.created_at IS 'When it was submitted.';
COMMENT ON COLUMN runs.cancelled_at IS 'When it was cancelled; NULL when it was not.';
COMMENT ON COLUMN runs.request IS 'What was asked for: workflow text, parameters, participants, atlases.';

CREATE VIEW subjects AS
SELECT d.path AS dataset,
       u.subject,
       u.session,
       CASE WHEN jsonb_typeof(v.covariates -> 'age') = 'number' THEN (v.covariates ->> 'age')::float8 END AS age,
       v.covariates ->> 'sex' AS sex,
       v.covariates ->> 'site' AS site,
       v.covariates ->> 'group' AS "group",
       v.covariates,
       u.files,
       nullif(concat_ws(' ', p.ambiguous, x.ambiguous), '') AS problem
FROM (
    SELECT dataset_id, subject, session, files,
           max(session) OVER (PARTITION BY dataset_id, subject) IS NOT NULL AS has_sessions
    FROM (
        SELECT dataset_id, subject, session, sum(files)::bigint AS files
        FROM (
            SELECT dataset_id, subject, session, count(*) AS files FROM bids_file
            WHERE subject IS NOT NULL GROUP BY dataset_id, subject, session
            UNION ALL SELECT dataset_id, subject, session, 0 FROM session_row
            UNION ALL SELECT dataset_id, subject, NULL, 0 FROM participant
            UNION ALL SELECT dataset_id, unnest(subjects), NULL, 0 FROM dataset) known
        GROUP BY dataset_id, subject, session) counted) u
JOIN dataset d USING (dataset_id)
LEFT JOIN participant p USING (dataset_id, subject)
LEFT JOIN session_row x ON (x.dataset_id, x.subject, x.session) = (u.dataset_id, u.subject, u.session)
CROSS JOIN LATERAL (SELECT coalesce(p.covariates, '{}') || coalesce(x.covariates, '{}') AS covariates) v
WHERE d.kind = 'raw' AND (u.session IS NOT NULL OR NOT u.has_sessions);

COMMENT ON VIEW subjects IS
    'People and their sessions with covariates, one row per person and session: participants.tsv, overridden by sessions.tsv.';
COMMENT ON COLUMN subjects.dataset IS 'Folder of the dataset.';
COMMENT ON COLUMN subjects.subject IS 'BIDS label without "sub-".';
COMMENT ON COLUMN subjects.session IS 'BIDS label without "ses-"; NULL for people without sessions.';
COMMENT ON COLUMN subjects.age IS 'Column "age" where it is a number, in the unit of its sidecar (years unless that says otherwise).';
COMMENT ON COLUMN subjects.sex IS 'Column "sex", as written.';
COMMENT ON COLUMN subjects.site IS 'Column "site", as written.';
COMMENT ON COLUMN subjects."group" IS 'Column "group", as written; quote the name: "group".';
COMMENT ON COLUMN subjects.covariates IS 'All columns of both tables as JSON; a missing value has no entry.';
COMMENT ON COLUMN subjects.files IS 'Files of this person and session in the index; 0 for people who are only in a table.';
COMMENT ON COLUMN subjects.problem IS 'Why a line of the tables cannot be used; NULL when all can.';

-- ---------------------------------------------------------------------------------------------------------------------
-- Numbers.

CREATE VIEW measurements AS
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
       m.unit
FROM task t
JOIN step s USING (step_id)
JOIN measurement m USING (result_id)
WHERE t.state = 2;

COMMENT ON VIEW measurements IS
    'Every number that tasks computed, one row each. `qsmflow kinds` says what each metric of a kind means.';
COMMENT ON COLUMN measurements.run IS 'Number of the run.';
COMMENT ON COLUMN measurements.step IS 'Step of the workflow that computed it.';
COMMENT ON COLUMN measurements.kind IS 'Kind of that step, such as roi.statistics.';
COMMENT ON COLUMN measurements.subject IS 'BIDS label without "sub-"; NULL for numbers about the cohort.';
COMMENT ON COLUMN measurements.session IS 'BIDS label without "ses-"; NULL where there are no sessions.';
COMMENT ON COLUMN measurements.atlas IS 'Atlas, for steps with one task per atlas; else NULL.';
COMMENT ON COLUMN measurements.region IS 'Region, such as L_putamen; NULL for numbers about a whole image.';
COMMENT ON COLUMN measurements.reference IS 'What susceptibility is against: none, whole_brain, csf or a region; NULL where that does not apply.';
COMMENT ON COLUMN measurements.term IS 'Term of a statistical model, or the quality number that a score is about; else NULL.';
COMMENT ON COLUMN measurements.metric IS 'What was measured, such as mean, volume, estimate, p.';
COMMENT ON COLUMN measurements.value IS 'The number; NULL when there was none, such as the mean of an empty region.';
COMMENT ON COLUMN measurements.unit IS 'Unit of the number: ppm, mm3, mm, degree, or 1 for counts and ratios.';

-- Numbers of a region that hold against every reference stand in rows of their own; they are joined to each.
CREATE VIEW roi_statistics AS
SELECT a.run, a.step, a.subject, a.session, a.atlas, a.region, a.reference,
       g.voxels, g.volume_mm3, a.mean_ppm, a.sd_ppm, a.median_ppm, a.p5_ppm, a.p25_ppm, a.p75_ppm, a.p95_ppm,
       a.high_mean_ppm, a.high_volume_mm3, g.missing_fraction, a.reference_value_ppm
FROM (
    SELECT t.run_id AS run, t.task_id, s.name AS step, t.subject, t.session, t.atlas, m.region, m.reference,
           max(m.value) FILTER (WHERE m.metric = 'mean') AS mean_ppm,
           max(m.value) FILTER (WHERE m.metric = 'sd') AS sd_ppm,
           max(m.value) FILTER (WHERE m.metric = 'median') AS median_ppm,
           max(m.value) FILTER (WHERE m.metric = 'p5') AS p5_ppm,
           max(m.value) FILTER (WHERE m.metric = 'p25') AS p25_ppm,
           max(m.value) FILTER (WHERE m.metric = 'p75') AS p75_ppm,
           max(m.value) FILTER (WHERE m.metric = 'p95') AS p95_ppm,
           max(m.value) FILTER (WHERE m.metric = 'high_mean') AS high_mean_ppm,
           max(m.value) FILTER (WHERE m.metric = 'high_volume') AS high_volume_mm3,
           max(m.value) FILTER (WHERE m.metric = 'reference_value') AS reference_value_ppm
    FROM task t
    JOIN step s USING (step_id)
    JOIN measurement m USING (result_id)
    WHERE t.state = 2 AND s.kind = 'roi.statistics' AND m.region <> '' AND m.reference <> ''
    GROUP BY t.run_id, t.task_id, s.name, t.subject, t.session, t.atlas, m.region, m.reference) a
LEFT JOIN (
    SELECT t.run_id AS run, t.task_id, m.region,
           (max(m.value) FILTER (WHERE m.metric = 'voxels'))::bigint AS voxels,
           max(m.value) FILTER (WHERE m.metric = 'volume') AS volume_mm3,
           max(m.value) FILTER (WHERE m.metric = 'missing_fraction') AS missing_fraction
    FROM task t
    JOIN step s USING (step_id)
    JOIN measurement m USING (result_id)
    WHERE t.state = 2 AND s.kind = 'roi.statistics' AND m.metric IN ('voxels', 'volume', 'missing_fraction')
        AND m.reference = ''
    GROUP BY t.run_id, t.task_id, m.region) g USING (run, task_id, region);

COMMENT ON VIEW roi_statistics IS
    'Susceptibility per region, one row per run, person, session, region and reference (kind roi.statistics).';
COMMENT ON COLUMN roi_statistics.run IS 'Number of the run.';
COMMENT ON COLUMN roi_statistics.step IS 'Step of the workflow.';
COMMENT ON COLUMN roi_statistics.subject IS 'BIDS label without "sub-".';
COMMENT ON COLUMN roi_statistics.session IS 'BIDS label without "ses-"; NULL where there are no sessions.';
COMMENT ON COLUMN roi_statistics.atlas IS 'Atlas, for steps with one task per atlas; NULL when several atlases were fused.';
COMMENT ON COLUMN roi_statistics.region IS 'Region, such as L_putamen.';
COMMENT ON COLUMN roi_statistics.reference IS 'What susceptibility is against: none, whole_brain, csf or a region.';
COMMENT ON COLUMN roi_statistics.voxels IS 'Voxels of the region on the grid of the susceptibility map.';
COMMENT ON COLUMN roi_statistics.volume_mm3 IS 'Volume of the region, mm³.';
COMMENT ON COLUMN roi_statistics.mean_ppm IS 'Mean susceptibility minus that of the reference, ppm.';
COMMENT ON COLUMN roi_statistics.sd_ppm IS 'Standard deviation of susceptibility over the voxels, ppm.';
COMMENT ON COLUMN roi_statistics.median_ppm IS 'Median susceptibility minus that of the reference, ppm.';
COMMENT ON COLUMN roi_statistics.p5_ppm IS '5th percentile against the reference, ppm.';
COMMENT ON COLUMN roi_statistics.p25_ppm IS '25th percentile against the reference, ppm.';
COMMENT ON COLUMN roi_statistics.p75_ppm IS '75th percentile against the reference, ppm.';
COMMENT ON COLUMN roi_statistics.p95_ppm IS '95th percentile against the reference, ppm.';
COMMENT ON COLUMN roi_statistics.high_mean_ppm IS 'Mean susceptibility of the sub-region of high susceptibility, against the reference, ppm.';
COMMENT ON COLUMN roi_statistics.high_volume_mm3 IS 'Volume of the sub-region of high susceptibility, mm³.';
COMMENT ON COLUMN roi_statistics.missing_fraction IS 'Fraction of the voxels of the region that have no susceptibility value, 0 to 1.';
COMMENT ON COLUMN roi_statistics.reference_value_ppm IS 'Susceptibility of the reference, which was subtracted, ppm.';

CREATE VIEW cohort_effects AS
SELECT t.run_id AS run, s.name AS step, nullif(m.region, '') AS region, nullif(m.reference, '') AS reference, m.term,
       max(m.value) FILTER (WHERE m.metric = 'estimate') AS estimate,
       max(m.value) FILTER (WHERE m.metric = 'standard_error') AS standard_error,
       max(m.value) FILTER (WHERE m.metric = 'ci_low') AS ci_low,
       max(m.value) FILTER (WHERE m.metric = 'ci_high') AS ci_high,
       max(m.value) FILTER (WHERE m.metric = 't') AS t,
       max(m.value) FILTER (WHERE m.metric = 'df') AS df,
       max(m.value) FILTER (WHERE m.metric = 'p') AS p,
       max(m.value) FILTER (WHERE m.metric = 'q') AS q,
       (max(m.value) FILTER (WHERE m.metric = 'subjects'))::bigint AS subjects,
       max(m.unit) FILTER (WHERE m.metric = 'estimate') AS unit
FROM task t
JOIN step s USING (step_id)
JOIN measurement m USING (result_id)
WHERE t.state = 2 AND s.kind = 'cohort.linear-model' AND m.term <> ''
GROUP BY t.run_id, s.name, nullif(m.region, ''), nullif(m.reference, ''), m.term;

COMMENT ON VIEW cohort_effects IS
    'Effects of the linear models over the cohort, one row per region and term (kind cohort.linear-model).';
COMMENT ON COLUMN cohort_effects.run IS 'Number of the run.';
COMMENT ON COLUMN cohort_effects.step IS 'Step of the workflow.';
COMMENT ON COLUMN cohort_effects.region IS 'Region that was modelled.';
COMMENT ON COLUMN cohort_effects.reference IS 'What the modelled susceptibility is against.';
COMMENT ON COLUMN cohort_effects.term IS 'Term of the model, such as age or group[HH]; Intercept is the value at mean age (and other numbers) in the baseline groups.';
COMMENT ON COLUMN cohort_effects.estimate IS 'Coefficient, in the column "unit" per unit of the covariate or against the baseline level.';
COMMENT ON COLUMN cohort_effects.standard_error IS 'Standard error of the coefficient.';
COMMENT ON COLUMN cohort_effects.ci_low IS 'Lower end of the confidence interval (95 % unless the step says otherwise).';
COMMENT ON COLUMN cohort_effects.ci_high IS 'Upper end of the confidence interval.';
COMMENT ON COLUMN cohort_effects.t IS 'Coefficient over its standard error.';
COMMENT ON COLUMN cohort_effects.df IS 'Residual degrees of freedom.';
COMMENT ON COLUMN cohort_effects.p IS 'Two-sided p value.';
COMMENT ON COLUMN cohort_effects.q IS 'Benjamini–Hochberg q value over the regions, for each term by itself.';
COMMENT ON COLUMN cohort_effects.subjects IS 'People in the model.';
COMMENT ON COLUMN cohort_effects.unit IS 'Unit of estimate, standard_error, ci_low and ci_high.';

CREATE VIEW qc AS
SELECT run, subject, session, metric,
       max(value) FILTER (WHERE part = 'value') AS value,
       max(unit) FILTER (WHERE part = 'value') AS unit,
       max(value) FILTER (WHERE part = 'robust_z') AS robust_z,
       coalesce(max(value) FILTER (WHERE part = 'flag'), 0) = 1 AS flag
FROM (
    SELECT t.run_id AS run,
           coalesce(nullif(m.subject, ''), t.subject) AS subject,
           coalesce(nullif(m.session, ''), t.session) AS session,
           CASE WHEN s.kind = 'cohort.qc' THEN m.term ELSE m.metric END AS metric,
           CASE WHEN s.kind = 'cohort.qc' THEN m.metric ELSE 'value' END AS part,
           m.value, m.unit
    FROM task t
    JOIN step s USING (step_id)
    JOIN measurement m USING (result_id)
    WHERE t.state = 2 AND t.atlas IS NULL AND m.region = ''
        AND s.kind IN ('image.check', 'brain.mask', 'registration.within-subject', 'qc.pictures', 'cohort.qc')) n
GROUP BY run, subject, session, metric;

COMMENT ON VIEW qc IS
    'Quality numbers of each person and session, with how far each stands out from the cohort (cohort.qc).';
COMMENT ON COLUMN qc.run IS 'Number of the run.';
COMMENT ON COLUMN qc.subject IS 'BIDS label without "sub-".';
COMMENT ON COLUMN qc.session IS 'BIDS label without "ses-"; NULL where there are no sessions.';
COMMENT ON COLUMN qc.metric IS 'Quality number, such as registration_similarity or folded_fraction.';
COMMENT ON COLUMN qc.value IS 'The number.';
COMMENT ON COLUMN qc.unit IS 'Unit of the number.';
COMMENT ON COLUMN qc.robust_z IS 'Robust z score over the cohort: 0.6745 (value − median) / median absolute deviation; NULL where not scored.';
COMMENT ON COLUMN qc.flag IS 'True when the score is at or beyond the threshold of cohort.qc: look at this person.';

-- ---------------------------------------------------------------------------------------------------------------------
-- How the work went.

CREATE VIEW task_status AS
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
       w.worker
FROM task t
JOIN step s USING (step_id)
LEFT JOIN lease l USING (task_id)
LEFT JOIN worker_session w USING (session_id);

COMMENT ON VIEW task_status IS 'Where every task of every run stands at this moment.';
COMMENT ON COLUMN task_status.run IS 'Number of the run.';
COMMENT ON COLUMN task_status.ordinal IS 'Place of the task in the run''s graph, from 0; parents come before children.';
COMMENT ON COLUMN task_status.task IS 'Number of the task as the command line writes it: run.ordinal.';
COMMENT ON COLUMN task_status.step IS 'Step of the workflow.';
COMMENT ON COLUMN task_status.kind IS 'Kind of the step.';
COMMENT ON COLUMN task_status.subject IS 'BIDS label without "sub-"; NULL for tasks about the cohort.';
COMMENT ON COLUMN task_status.session IS 'BIDS label without "ses-".';
COMMENT ON COLUMN task_status.atlas IS 'Atlas, for steps with one task per atlas.';
COMMENT ON COLUMN task_status.state IS 'waiting, ready, running, succeeded, failed, blocked or cancelled.';
COMMENT ON COLUMN task_status.outcome IS 'How the last attempt ended; cached when an earlier result was taken over.';
COMMENT ON COLUMN task_status.message IS 'Why it failed or is blocked, in one sentence; else NULL.';
COMMENT ON COLUMN task_status.attempts IS 'Attempts that have ended.';
COMMENT ON COLUMN task_status.failures IS 'Attempts that failed by themselves since the last retry by an operator.';
COMMENT ON COLUMN task_status.losses IS 'Attempts lost with their worker, or crashed, since the last retry by an operator.';
COMMENT ON COLUMN task_status.waits_for IS 'Tasks that it still waits for.';
COMMENT ON COLUMN task_status.running_since IS 'When the attempt at work began; NULL when none is.';
COMMENT ON COLUMN task_status.worker IS 'Worker of the attempt at work; NULL when none is.';

CREATE VIEW attempts AS
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
       a.log_tail
FROM attempt a
JOIN task t USING (task_id)
JOIN step s USING (step_id);

COMMENT ON VIEW attempts IS 'Every attempt that has ended, with how it ended and what it used.';
COMMENT ON COLUMN attempts.run IS 'Number of the run.';
COMMENT ON COLUMN attempts.ordinal IS 'Place of the task in the run''s graph, from 0.';
COMMENT ON COLUMN attempts.task IS 'Number of the task: run.ordinal.';
COMMENT ON COLUMN attempts.step IS 'Step of the workflow.';
COMMENT ON COLUMN attempts.kind IS 'Kind of the step.';
COMMENT ON COLUMN attempts.subject IS 'BIDS label without "sub-".';
COMMENT ON COLUMN attempts.session IS 'BIDS label without "ses-".';
COMMENT ON COLUMN attempts.atlas IS 'Atlas, for steps with one task per atlas.';
COMMENT ON COLUMN attempts.attempt IS '1, 2, … per task.';
COMMENT ON COLUMN attempts.outcome IS 'succeeded, cached, transient, permanent, out_of_memory, timed_out, crashed, lost, cancelled or released.';
COMMENT ON COLUMN attempts.message IS 'Why it did not succeed, in one sentence; else NULL.';
COMMENT ON COLUMN attempts.worker IS 'Worker that ran it; NULL when none did.';
COMMENT ON COLUMN attempts.started_at IS 'When a worker was given it; NULL when none was.';
COMMENT ON COLUMN attempts.finished_at IS 'When its end was stored.';
COMMENT ON COLUMN attempts.seconds IS 'How long its process ran, s, as the worker measured it.';
COMMENT ON COLUMN attempts.cpu_seconds IS 'Processor time of its process, user and system, s.';
COMMENT ON COLUMN attempts.peak_memory_mib IS 'Largest resident memory of its process, MiB.';
COMMENT ON COLUMN attempts.memory_limit_mib IS 'Memory limit that it ran under, MiB.';
COMMENT ON COLUMN attempts.staged_bytes IS 'Bytes of inputs that were copied to the worker for it.';
COMMENT ON COLUMN attempts.uploaded_bytes IS 'Bytes of outputs that were sent.';
COMMENT ON COLUMN attempts.signal IS 'Number of the signal that ended its process; NULL when none did.';
COMMENT ON COLUMN attempts.exit_code IS 'Exit code of its process; NULL when a signal ended it.';
COMMENT ON COLUMN attempts.log_tail IS 'Last 8 KiB of its log.';

CREATE VIEW failures AS
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
       a.log_tail
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

COMMENT ON VIEW failures IS 'Tasks that failed for good: why, and what cannot run because of it.';
COMMENT ON COLUMN failures.run IS 'Number of the run.';
COMMENT ON COLUMN failures.ordinal IS 'Place of the task in the run''s graph, from 0.';
COMMENT ON COLUMN failures.task IS 'Number of the task: run.ordinal; for `qsmflow logs` and `qsmflow retry --task`.';
COMMENT ON COLUMN failures.step IS 'Step of the workflow.';
COMMENT ON COLUMN failures.kind IS 'Kind of the step.';
COMMENT ON COLUMN failures.subject IS 'BIDS label without "sub-"; NULL for tasks about the cohort.';
COMMENT ON COLUMN failures.session IS 'BIDS label without "ses-".';
COMMENT ON COLUMN failures.atlas IS 'Atlas, for steps with one task per atlas.';
COMMENT ON COLUMN failures.reason IS 'The file or step, what is wrong and what to do, in one sentence.';
COMMENT ON COLUMN failures.outcome IS 'How the last attempt ended: permanent, transient, timed_out, out_of_memory, crashed or lost.';
COMMENT ON COLUMN failures.attempts IS 'Attempts made; 0 when it could not be tried at all.';
COMMENT ON COLUMN failures.blocked_tasks IS 'Tasks that cannot run because of it.';
COMMENT ON COLUMN failures.blocked_steps IS 'Steps of those tasks, in the order of the graph.';
COMMENT ON COLUMN failures.worker IS 'Worker of the last attempt.';
COMMENT ON COLUMN failures.finished_at IS 'When the last attempt ended.';
COMMENT ON COLUMN failures.log_tail IS 'Last 8 KiB of the log of the last attempt.';

CREATE VIEW step_resources AS
SELECT c.run,
       s.position,
       s.name AS step,
       s.kind,
       c.tasks,
       c.succeeded,
       c.cached,
       c.failed,
       c.blocked,
       u.attempts,
       u.seconds_mean,
       u.seconds_median,
       u.seconds_p95,
       u.seconds_max,
       u.cpu_seconds_total,
       u.peak_memory_mib_mean,
       u.peak_memory_mib_max,
       s.memory_mib AS memory_limit_mib,
       s.cores
FROM (
    SELECT t.run_id AS run, t.step_id,
           count(*) AS tasks,
           count(*) FILTER (WHERE t.state = 2) AS succeeded,
           count(*) FILTER (WHERE t.state = 2 AND t.outcome = 'cached') AS cached,
           count(*) FILTER (WHERE t.state = 3) AS failed,
           count(*) FILTER (WHERE t.state = 4) AS blocked
    FROM task t GROUP BY t.run_id, t.step_id) c
JOIN step s USING (step_id)
LEFT JOIN (
    SELECT t.run_id AS run, t.step_id,
           count(*) AS attempts,
           avg(a.wall_ms) FILTER (WHERE a.outcome = 'succeeded')::float8 / 1000 AS seconds_mean,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY a.wall_ms) FILTER (WHERE a.outcome = 'succeeded') / 1000
               AS seconds_median,
           percentile_cont(0.95) WITHIN GROUP (ORDER BY a.wall_ms) FILTER (WHERE a.outcome = 'succeeded') / 1000
               AS seconds_p95,
           max(a.wall_ms) FILTER (WHERE a.outcome = 'succeeded') / 1000.0::float8 AS seconds_max,
           sum(a.user_ms + a.system_ms)::float8 / 1000 AS cpu_seconds_total,
           avg(a.peak_resident_mib) FILTER (WHERE a.outcome = 'succeeded')::float8 AS peak_memory_mib_mean,
           max(a.peak_resident_mib) AS peak_memory_mib_max
    FROM attempt a JOIN task t USING (task_id)
    WHERE a.outcome NOT IN ('cached', 'released')
    GROUP BY t.run_id, t.step_id) u USING (run, step_id);

COMMENT ON VIEW step_resources IS 'Time and memory per step of a run, over its attempts.';
COMMENT ON COLUMN step_resources.run IS 'Number of the run.';
COMMENT ON COLUMN step_resources.position IS 'Place of the step in the graph, from 0.';
COMMENT ON COLUMN step_resources.step IS 'Step of the workflow.';
COMMENT ON COLUMN step_resources.kind IS 'Kind of the step.';
COMMENT ON COLUMN step_resources.tasks IS 'Tasks of the step.';
COMMENT ON COLUMN step_resources.succeeded IS 'Tasks that succeeded, cached ones included.';
COMMENT ON COLUMN step_resources.cached IS 'Tasks whose result was taken over from an earlier run.';
COMMENT ON COLUMN step_resources.failed IS 'Tasks that failed for good.';
COMMENT ON COLUMN step_resources.blocked IS 'Tasks that cannot run because another failed.';
COMMENT ON COLUMN step_resources.attempts IS 'Attempts that were run to whatever end; NULL when none was.';
COMMENT ON COLUMN step_resources.seconds_mean IS 'Mean duration of successful attempts, s.';
COMMENT ON COLUMN step_resources.seconds_median IS 'Median duration of successful attempts, s.';
COMMENT ON COLUMN step_resources.seconds_p95 IS '95th percentile of the duration of successful attempts, s.';
COMMENT ON COLUMN step_resources.seconds_max IS 'Longest successful attempt, s.';
COMMENT ON COLUMN step_resources.cpu_seconds_total IS 'Processor time of all attempts together, s.';
COMMENT ON COLUMN step_resources.peak_memory_mib_mean IS 'Mean of the peak resident memory of successful attempts, MiB.';
COMMENT ON COLUMN step_resources.peak_memory_mib_max IS 'Largest peak resident memory of any attempt, MiB.';
COMMENT ON COLUMN step_resources.memory_limit_mib IS 'Memory that the step asks for, MiB.';
COMMENT ON COLUMN step_resources.cores IS 'Cores that the step asks for.';

-- ---------------------------------------------------------------------------------------------------------------------
-- Which bytes.

CREATE VIEW outputs AS
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
       f.metadata
FROM task t
JOIN step s USING (step_id)
JOIN artifact_ref f USING (result_id)
WHERE t.state = 2;

COMMENT ON VIEW outputs IS 'Files that tasks made, named by their bytes.';
COMMENT ON COLUMN outputs.run IS 'Number of the run.';
COMMENT ON COLUMN outputs.ordinal IS 'Place of the task in the run''s graph, from 0.';
COMMENT ON COLUMN outputs.task IS 'Number of the task: run.ordinal.';
COMMENT ON COLUMN outputs.step IS 'Step of the workflow.';
COMMENT ON COLUMN outputs.kind IS 'Kind of the step.';
COMMENT ON COLUMN outputs.subject IS 'BIDS label without "sub-"; NULL for files about the cohort.';
COMMENT ON COLUMN outputs.session IS 'BIDS label without "ses-".';
COMMENT ON COLUMN outputs.atlas IS 'Atlas, for steps with one task per atlas.';
COMMENT ON COLUMN outputs.port IS 'Output port of the kind, such as labels.';
COMMENT ON COLUMN outputs.name IS 'File name that the task gave.';
COMMENT ON COLUMN outputs.digest IS 'SHA-256 of the bytes, hexadecimal; the file is GET /v1/artifacts/DIGEST.';
COMMENT ON COLUMN outputs.size IS 'Size, bytes.';
COMMENT ON COLUMN outputs.media_type IS 'Media type, such as application/x-nifti.';
COMMENT ON COLUMN outputs.metadata IS 'What the task says of the file, as JSON; NULL when nothing.';

CREATE VIEW inputs AS
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
       coalesce(i.metadata, f.metadata) AS metadata
FROM task t
JOIN step s USING (step_id)
JOIN task_input i USING (task_id)
LEFT JOIN task pt ON pt.task_id = i.parent_id
LEFT JOIN step ps ON ps.step_id = pt.step_id
LEFT JOIN artifact_ref f ON f.result_id = pt.result_id AND f.port = i.parent_port;

COMMENT ON VIEW inputs IS 'Which bytes each task reads: files of the dataset and the atlases, and outputs of other tasks.';
COMMENT ON COLUMN inputs.run IS 'Number of the run.';
COMMENT ON COLUMN inputs.ordinal IS 'Place of the task in the run''s graph, from 0.';
COMMENT ON COLUMN inputs.task IS 'Number of the task: run.ordinal.';
COMMENT ON COLUMN inputs.step IS 'Step of the workflow that reads.';
COMMENT ON COLUMN inputs.kind IS 'Kind of that step.';
COMMENT ON COLUMN inputs.subject IS 'BIDS label without "sub-" of the task that reads.';
COMMENT ON COLUMN inputs.session IS 'BIDS label without "ses-" of the task that reads.';
COMMENT ON COLUMN inputs.atlas IS 'Atlas of the task that reads.';
COMMENT ON COLUMN inputs.port IS 'Input port of the kind.';
COMMENT ON COLUMN inputs.from_subject IS 'Whose file it is; NULL when nobody''s.';
COMMENT ON COLUMN inputs.from_session IS 'Of which session it is.';
COMMENT ON COLUMN inputs.from_atlas IS 'Of which atlas it is.';
COMMENT ON COLUMN inputs.from_step IS 'Step that made it; NULL for files of the dataset and the atlases.';
COMMENT ON COLUMN inputs.from_task IS 'Number of the task that made it; NULL for files of the dataset and the atlases.';
COMMENT ON COLUMN inputs.from_port IS 'Output port of that task.';
COMMENT ON COLUMN inputs.name IS 'File name; NULL while the task that makes it has not succeeded.';
COMMENT ON COLUMN inputs.digest IS 'SHA-256 of the bytes, hexadecimal; NULL while the task that makes it has not succeeded.';
COMMENT ON COLUMN inputs.size IS 'Size, bytes.';
COMMENT ON COLUMN inputs.path IS 'Where a file of the dataset or an atlas with these bytes was last seen; NULL for outputs of tasks.';
COMMENT ON COLUMN inputs.metadata IS 'Merged sidecar, or what the task that made it says of it, as JSON.';

-- ---------------------------------------------------------------------------------------------------------------------
-- About the views themselves.

CREATE VIEW documentation AS
SELECT c.relname::text AS view_name,
       a.attnum::int AS position,
       a.attname::text AS column_name,
       format_type(a.atttypid, a.atttypmod) AS type,
       CASE WHEN a.attnum = 0 THEN obj_description(c.oid, 'pg_class') ELSE col_description(c.oid, a.attnum) END
           AS description
FROM pg_class c
CROSS JOIN LATERAL (
    SELECT attnum, attname, atttypid, atttypmod FROM pg_attribute
    WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped
    UNION ALL SELECT 0, NULL, NULL, NULL) a
WHERE c.relkind = 'v' AND c.relnamespace = 'qsmflow'::regnamespace;

COMMENT ON VIEW documentation IS 'What every view and every column of it means.';
COMMENT ON COLUMN documentation.view_name IS 'Name of the view.';
COMMENT ON COLUMN documentation.position IS 'Place of the column, from 1; 0 for the view itself.';
COMMENT ON COLUMN documentation.column_name IS 'Name of the column; NULL for the view itself.';
COMMENT ON COLUMN documentation.type IS 'Type of the column; NULL for the view itself.';
COMMENT ON COLUMN documentation.description IS 'What it means, with the unit.';

-- ---------------------------------------------------------------------------------------------------------------------
-- The role for analysts reads the views and nothing else, and cannot hold the database up. It has no password: where
-- the server asks for one, an administrator sets it, or grants the role to people's own. Roles belong to the whole
-- server: where this database's owner may not make one, an administrator does, and grants it what is granted below.

DO $$
BEGIN
    BEGIN
        CREATE ROLE qsmflow_analyst LOGIN NOINHERIT;
        ALTER ROLE qsmflow_analyst SET statement_timeout = '5min';
        ALTER ROLE qsmflow_analyst SET idle_in_transaction_session_timeout = '1min';
        ALTER ROLE qsmflow_analyst SET default_transaction_read_only = on;
        ALTER ROLE qsmflow_analyst SET search_path = qsmflow;
    EXCEPTION
        WHEN insufficient_privilege THEN
            RAISE NOTICE 'the role qsmflow_analyst was not made: % may not create roles', current_user;
        WHEN duplicate_object OR unique_violation THEN
            -- Made for another database of this server.
            NULL;
    END;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'qsmflow_analyst') THEN
        GRANT USAGE ON SCHEMA qsmflow TO qsmflow_analyst;
        GRANT SELECT ON runs, subjects, measurements, roi_statistics, cohort_effects, qc, task_status, attempts,
            failures, step_resources, outputs, inputs, documentation TO qsmflow_analyst;
    END IF;
END
$$;
