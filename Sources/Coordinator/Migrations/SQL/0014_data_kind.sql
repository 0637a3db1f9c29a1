-- Whether the data of a run is real or was made, as its dataset says: no figure of synthetic people may be read without it.

ALTER TABLE dataset ADD COLUMN data_kind text;  -- NULL until it is indexed again

-- New columns of a view come last.
CREATE OR REPLACE VIEW runs AS
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
       r.request,
       coalesce((SELECT d.data_kind FROM dataset d WHERE d.path = r.dataset_path), 'unstated') AS data
FROM run r
CROSS JOIN LATERAL (
    SELECT count(*) AS tasks,
           count(*) FILTER (WHERE t.state IN (0, 1)) AS unsettled,
           count(*) FILTER (WHERE t.state = 2) AS succeeded,
           count(*) FILTER (WHERE t.state = 3) AS failed,
           count(*) FILTER (WHERE t.state = 4) AS blocked
    FROM task t WHERE t.run_id = r.run_id) c;

COMMENT ON COLUMN runs.data IS
    'What its dataset is of, as dataset_description.json says: real, synthetic, semi-synthetic, or unstated.';
