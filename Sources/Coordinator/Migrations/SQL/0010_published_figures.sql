-- Figures that others have published, each beside what a run found. One row per figure: a metric may have several, of
-- several sources.

CREATE VIEW published_figures AS
SELECT run, step, label, rule, metric, unit, substr(term, length('published: ') + 1) AS source, value AS published, mean, sd,
       pooled, people::bigint AS people, fold
FROM (
    SELECT t.run_id AS run, s.name AS step, t.fold, m.region AS label, nullif(m.reference, '') AS rule, m.metric, m.unit, m.term,
           m.value,
           max(m.value) FILTER (WHERE m.term = 'mean') OVER figure AS mean,
           max(m.value) FILTER (WHERE m.term = 'sd') OVER figure AS sd,
           max(m.value) FILTER (WHERE m.term = 'pooled') OVER figure AS pooled,
           max(m.value) FILTER (WHERE m.term = 'people') OVER figure AS people
    FROM task t
    JOIN step s USING (step_id)
    JOIN measurement m USING (result_id)
    WHERE t.state = 2 AND s.kind = 'evaluate.summary'
    WINDOW figure AS (PARTITION BY t.task_id, m.region, m.reference, m.metric)) f
WHERE starts_with(term, 'published: ');

COMMENT ON VIEW published_figures IS
    'Figures that others have published, one row each, beside what the run found; never results of the run (kind evaluate.summary).';
COMMENT ON COLUMN published_figures.run IS 'Number of the run.';
COMMENT ON COLUMN published_figures.step IS 'Step of the workflow.';
COMMENT ON COLUMN published_figures.label IS 'Structure, or class of lesions.';
COMMENT ON COLUMN published_figures.rule IS 'Matching rule of lesions; NULL for regions.';
COMMENT ON COLUMN published_figures.metric IS 'Metric, such as dice or sensitivity.';
COMMENT ON COLUMN published_figures.unit IS 'Its unit.';
COMMENT ON COLUMN published_figures.source IS 'Who published the figure, and of what.';
COMMENT ON COLUMN published_figures.published IS 'The figure.';
COMMENT ON COLUMN published_figures.mean IS 'Mean over people in this run; NULL for metrics over all only.';
COMMENT ON COLUMN published_figures.sd IS 'Standard deviation over them.';
COMMENT ON COLUMN published_figures.pooled IS 'Over everybody of this run together, where there is such a value.';
COMMENT ON COLUMN published_figures.people IS 'People of this run who have it.';
COMMENT ON COLUMN published_figures.fold IS 'Fold of the cross-validation, for steps with one task per fold; else NULL.';

COMMENT ON COLUMN evaluation_summary.published IS
    'Figure that somebody has published, where there is one; NULL where there are several, which are in published_figures. Not a result of this run.';

DO $$
BEGIN
    -- Where the role could not be made, an administrator grants what is granted here.
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'qsmflow_analyst') THEN
        GRANT SELECT ON published_figures TO qsmflow_analyst;
    END IF;
END
$$;
