-- Volumes of runs without susceptibility maps stand among the region statistics, people carry the name that BIDS tables
-- give them, quality numbers of several steps stand apart, and people can be limited to a run.
--
-- Views are replaced, never dropped: somebody's own view may stand on them. New columns therefore come last; files begin
-- with participant_id all the same.

-- Step kinds by their names: roi.statistics where there is one, else the regions of labels.native, whose volume is all
-- that is known of them. In a run that has both, the regions of labels.native are the ones before refinement.
CREATE OR REPLACE VIEW roi_statistics AS
SELECT a.run, a.step, a.subject, a.session, a.atlas, a.region, a.reference,
       g.voxels, g.volume_mm3, a.mean_ppm, a.sd_ppm, a.median_ppm, a.p5_ppm, a.p25_ppm, a.p75_ppm, a.p95_ppm,
       a.high_mean_ppm, a.high_volume_mm3, g.missing_fraction, a.reference_value_ppm,
       'sub-' || a.subject AS participant_id
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
    GROUP BY t.run_id, t.task_id, m.region) g USING (run, task_id, region)
UNION ALL
SELECT t.run_id, s.name, t.subject, t.session, t.atlas, m.region, NULL,
       NULL, m.value, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
       NULL, NULL, NULL, NULL,
       'sub-' || t.subject
FROM task t
JOIN step s USING (step_id)
JOIN measurement m USING (result_id)
WHERE t.state = 2 AND s.kind = 'labels.native' AND m.metric = 'volume' AND m.region <> ''
    AND NOT EXISTS (SELECT FROM step o WHERE o.run_id = t.run_id AND o.kind = 'roi.statistics');

COMMENT ON VIEW roi_statistics IS
    'Susceptibility and volume per region, one row per run, person, session, region and reference (kind roi.statistics); in runs without susceptibility maps one row per region with its volume (kind labels.native).';
COMMENT ON COLUMN roi_statistics.reference IS 'What susceptibility is against: none, whole_brain, csf or a region; NULL in runs without susceptibility maps.';
COMMENT ON COLUMN roi_statistics.voxels IS 'Voxels of the region on the grid of the susceptibility map; NULL in runs without one.';
COMMENT ON COLUMN roi_statistics.participant_id IS 'The person as BIDS tables write it: sub-LABEL.';

-- A score belongs to the number of the step whose reports were scored; two steps of one kind stay two rows.
CREATE OR REPLACE VIEW qc AS
WITH value AS (
    SELECT t.run_id AS run, s.name AS step,
           coalesce(nullif(m.subject, ''), t.subject) AS subject,
           coalesce(nullif(m.session, ''), t.session) AS session,
           m.metric, m.value, m.unit
    FROM task t
    JOIN step s USING (step_id)
    JOIN measurement m USING (result_id)
    WHERE t.state = 2 AND t.atlas IS NULL AND m.region = ''
        AND s.kind IN ('image.check', 'brain.mask', 'registration.within-subject', 'qc.pictures')
), score AS (
    SELECT t.run_id AS run, p.name AS step, s.name AS scored_by,
           coalesce(nullif(m.subject, ''), t.subject) AS subject,
           coalesce(nullif(m.session, ''), t.session) AS session,
           m.term AS metric,
           max(m.value) FILTER (WHERE m.metric = 'robust_z') AS robust_z,
           coalesce(max(m.value) FILTER (WHERE m.metric = 'flag'), 0) = 1 AS flag
    FROM task t
    JOIN step s USING (step_id)
    JOIN measurement m USING (result_id)
    CROSS JOIN LATERAL (
        SELECT DISTINCT ps.name FROM task_dep d
        JOIN task pt ON pt.task_id = d.parent_id
        JOIN step ps ON ps.step_id = pt.step_id
        WHERE d.child_id = t.task_id AND ps.kind = 'qc.pictures') p
    WHERE t.state = 2 AND s.kind = 'cohort.qc' AND m.term <> ''
    GROUP BY 1, 2, 3, 4, 5, 6
)
SELECT v.run, v.subject, v.session, v.metric, v.value, v.unit, c.robust_z, coalesce(c.flag, false) AS flag,
       v.step, c.scored_by, 'sub-' || v.subject AS participant_id
FROM value v
LEFT JOIN score c ON c.run = v.run AND c.step = v.step AND c.subject = v.subject
    AND coalesce(c.session, '') = coalesce(v.session, '') AND c.metric = v.metric;

COMMENT ON COLUMN qc.step IS 'Step of the workflow that measured it.';
COMMENT ON COLUMN qc.scored_by IS 'Step that scored it against the cohort; NULL where not scored.';
COMMENT ON COLUMN qc.participant_id IS 'The person as BIDS tables write it: sub-LABEL.';

CREATE OR REPLACE VIEW subjects AS
SELECT d.path AS dataset,
       u.subject,
       u.session,
       CASE WHEN jsonb_typeof(v.covariates -> 'age') = 'number' THEN (v.covariates ->> 'age')::float8 END AS age,
       v.covariates ->> 'sex' AS sex,
       v.covariates ->> 'site' AS site,
       v.covariates ->> 'group' AS "group",
       v.covariates,
       u.files,
       nullif(concat_ws(' ', p.ambiguous, x.ambiguous), '') AS problem,
       'sub-' || u.subject AS participant_id,
       coalesce(k.runs, '{}') AS runs
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
LEFT JOIN (
    SELECT path, subject, array_agg(run_id ORDER BY run_id) AS runs
    FROM (SELECT DISTINCT r.dataset_path AS path, t.subject, t.run_id
          FROM task t JOIN run r USING (run_id) WHERE t.subject IS NOT NULL) part
    GROUP BY path, subject) k ON (k.path, k.subject) = (d.path, u.subject)
CROSS JOIN LATERAL (SELECT coalesce(p.covariates, '{}') || coalesce(x.covariates, '{}') AS covariates) v
WHERE d.kind = 'raw' AND (u.session IS NOT NULL OR NOT u.has_sessions);

COMMENT ON COLUMN subjects.participant_id IS 'The person as BIDS tables write it: sub-LABEL.';
COMMENT ON COLUMN subjects.runs IS 'Runs that the person is part of; those of run 3: WHERE 3 = ANY (runs).';

-- The remaining views about people say who it is in the same way, and are otherwise what they were.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['measurements', 'task_status', 'attempts', 'failures', 'outputs', 'inputs'] LOOP
        EXECUTE format('CREATE OR REPLACE VIEW %I AS SELECT v.*, ''sub-'' || v.subject AS participant_id FROM (%s) v',
            name, rtrim(pg_get_viewdef(name::regclass), '; '));
        EXECUTE format('COMMENT ON COLUMN %I.participant_id IS %L', name,
            'The person as BIDS tables write it: sub-LABEL; NULL where it is about the cohort.');
    END LOOP;
END
$$;
