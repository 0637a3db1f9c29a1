-- What tasks that succeeded had to say: one row per sentence.

CREATE VIEW warnings AS
SELECT 'sub-' || t.subject AS participant_id,
       t.run_id AS run,
       t.run_id || '.' || (t.task_id & 16777215) AS task,
       s.name AS step,
       s.kind,
       t.subject,
       t.session,
       t.atlas,
       t.fold,
       w.place::int AS place,
       w.warning
FROM task t
JOIN step s USING (step_id)
JOIN result r USING (result_id)
CROSS JOIN LATERAL unnest(r.warnings) WITH ORDINALITY AS w (warning, place)
WHERE t.state = 2;

COMMENT ON VIEW warnings IS 'What tasks that succeeded warn of, one row per sentence.';
COMMENT ON COLUMN warnings.participant_id IS 'Participant, as in participants.tsv; NULL for tasks of the cohort.';
COMMENT ON COLUMN warnings.run IS 'Number of the run.';
COMMENT ON COLUMN warnings.task IS 'The task.';
COMMENT ON COLUMN warnings.step IS 'Step of the workflow.';
COMMENT ON COLUMN warnings.kind IS 'Kind of the task.';
COMMENT ON COLUMN warnings.subject IS 'Subject label without sub-; NULL for tasks of the cohort.';
COMMENT ON COLUMN warnings.session IS 'Session label without ses-; NULL where there are no sessions.';
COMMENT ON COLUMN warnings.atlas IS 'Atlas, for steps with one task per atlas.';
COMMENT ON COLUMN warnings.fold IS 'Fold of the cross-validation, for steps with one task per fold; else NULL.';
COMMENT ON COLUMN warnings.place IS 'Order of the sentences of one task.';
COMMENT ON COLUMN warnings.warning IS 'The sentence.';

DO $$
BEGIN
    -- Where the role could not be made, an administrator grants what is granted here.
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'qsmflow_analyst') THEN
        GRANT SELECT ON warnings TO qsmflow_analyst;
    END IF;
END
$$;
