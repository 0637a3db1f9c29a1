-- Decisions of classifications, and what others have published beside what was found.

-- Columns can only be added at the end of a view.
CREATE OR REPLACE VIEW classification_metrics AS
SELECT t.run_id AS run,
       s.name AS step,
       m.reference AS level,
       m.region AS class,
       m.metric,
       max(m.value) FILTER (WHERE m.term = '') AS value,
       max(m.value) FILTER (WHERE m.term = 'ci_low') AS ci_low,
       max(m.value) FILTER (WHERE m.term = 'ci_high') AS ci_high,
       max(m.value) FILTER (WHERE m.term = 'fold_mean') AS fold_mean,
       max(m.value) FILTER (WHERE m.term = 'fold_sd') AS fold_sd,
       (max(m.value) FILTER (WHERE m.term = 'cases'))::bigint AS cases,
       (max(m.value) FILTER (WHERE m.term = 'positives'))::bigint AS positives,
       (max(m.value) FILTER (WHERE m.term = 'people'))::bigint AS people,
       t.fold,
       (max(m.value) FILTER (WHERE m.term = 'folds'))::bigint AS folds,
       max(m.value) FILTER (WHERE m.term = 'published') AS published
FROM task t
JOIN step s USING (step_id)
JOIN measurement m USING (result_id)
WHERE t.state = 2 AND s.kind = 'evaluate.classification' AND m.metric <> 'decided'
GROUP BY t.run_id, t.task_id, s.name, t.fold, m.reference, m.region, m.metric;

COMMENT ON COLUMN classification_metrics.level IS
    'What a case is: slice, item (an image or a lesion), person, or person_by_slices (by the mean log-odds of their slices).';
COMMENT ON COLUMN classification_metrics.folds IS 'Folds that have the value; NULL without folds.';
COMMENT ON COLUMN classification_metrics.published IS
    'Figure that somebody has published, as the workflow names it with its source; not a result of this run.';

CREATE VIEW classification_decisions AS
SELECT t.run_id AS run,
       s.name AS step,
       t.fold,
       m.reference AS level,
       m.region AS truth,
       m.term AS decision,
       m.value::bigint AS cases
FROM task t
JOIN step s USING (step_id)
JOIN measurement m USING (result_id)
WHERE t.state = 2 AND s.kind = 'evaluate.classification' AND m.metric = 'decided';

COMMENT ON VIEW classification_decisions IS
    'What was decided, by what is true: the confusion matrix over everybody, one row per level, true class and decision (kind evaluate.classification).';
COMMENT ON COLUMN classification_decisions.run IS 'Number of the run.';
COMMENT ON COLUMN classification_decisions.step IS 'Step of the workflow.';
COMMENT ON COLUMN classification_decisions.fold IS 'Fold of the cross-validation, for steps with one task per fold; else NULL.';
COMMENT ON COLUMN classification_decisions.level IS 'What a case is: slice, item (an image or a lesion) or person.';
COMMENT ON COLUMN classification_decisions.truth IS 'Class that it is of.';
COMMENT ON COLUMN classification_decisions.decision IS 'Class that it was taken for.';
COMMENT ON COLUMN classification_decisions.cases IS 'Cases.';

DO $$
BEGIN
    -- Where the role could not be made, an administrator grants what is granted here.
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'qsmflow_analyst') THEN
        GRANT SELECT ON classification_decisions TO qsmflow_analyst;
    END IF;
END
$$;
