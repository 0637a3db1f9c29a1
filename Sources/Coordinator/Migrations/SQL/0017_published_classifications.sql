-- Published figures of classifications have a source, too, which stood in the report alone.

CREATE OR REPLACE VIEW published_figures AS
SELECT f.run, f.step, f.label, f.rule, f.metric, f.unit, substr(f.term, length('published: ') + 1) AS source,
       f.value AS published, f.mean, f.sd, f.pooled, f.people::bigint AS people, f.fold, d.data_kind AS data, f.level
FROM (
    SELECT t.run_id AS run, s.name AS step, t.fold, m.region AS label, m.metric, m.unit, m.term, m.value,
           CASE s.kind WHEN 'evaluate.summary' THEN nullif(m.reference, '') END AS rule,
           CASE s.kind WHEN 'evaluate.classification' THEN m.reference END AS level,
           max(m.value) FILTER (WHERE m.term = 'mean') OVER figure AS mean,
           max(m.value) FILTER (WHERE m.term = 'sd') OVER figure AS sd,
           -- A classification is of all cases together.
           max(m.value) FILTER (WHERE m.term = CASE s.kind WHEN 'evaluate.summary' THEN 'pooled' ELSE '' END)
               OVER figure AS pooled,
           max(m.value) FILTER (WHERE m.term = 'people') OVER figure AS people
    FROM task t
    JOIN step s USING (step_id)
    JOIN measurement m USING (result_id)
    WHERE t.state = 2 AND s.kind IN ('evaluate.summary', 'evaluate.classification')
    WINDOW figure AS (PARTITION BY t.task_id, m.region, m.reference, m.metric)) f
LEFT JOIN run r ON r.run_id = f.run LEFT JOIN dataset d ON d.path = r.dataset_path
WHERE starts_with(f.term, 'published: ');

COMMENT ON VIEW published_figures IS
    'Figures that others have published, one row each, beside what the run found; never results of the run (kinds evaluate.summary and evaluate.classification).';
COMMENT ON COLUMN published_figures.label IS 'Structure, class of lesions, or class that is told from the rest.';
COMMENT ON COLUMN published_figures.rule IS 'Matching rule of lesions; NULL for regions and classifications.';
COMMENT ON COLUMN published_figures.pooled IS
    'Over everybody of this run together, where there is such a value; of classifications the value over all cases.';
COMMENT ON COLUMN published_figures.level IS
    'Of classifications, what a case is: slice, item or person; else NULL.';
COMMENT ON COLUMN classification_metrics.published IS
    'Figure that somebody has published; its source is in published_figures. Not a result of this run.';
