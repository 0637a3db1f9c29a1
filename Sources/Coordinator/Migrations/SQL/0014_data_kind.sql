-- Whether the data of a run is real or was made, as its dataset says: no figure of synthetic people may be read without it.

ALTER TABLE dataset ADD COLUMN data_kind text;  -- NULL until it is indexed

-- What keywords say of datasets that are indexed already; of the others whoever indexes them says more.
UPDATE dataset d SET data_kind = (
    SELECT CASE WHEN bool_or(word IN ('semi-synthetic', 'semisynthetic', 'semi synthetic')) THEN 'semi-synthetic'
                WHEN bool_or(word IN ('synthetic', 'simulated', 'phantom', 'digital phantom')) THEN 'synthetic'
                WHEN bool_or(word IN ('real', 'in vivo', 'in-vivo')) THEN 'real' END
    FROM (
        SELECT lower(keyword) AS word
        FROM jsonb_array_elements_text(
            CASE WHEN jsonb_typeof(d.description -> 'Keywords') = 'array' THEN d.description -> 'Keywords' ELSE '[]' END)
            AS k (keyword)) words);

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
       (SELECT d.data_kind FROM dataset d WHERE d.path = r.dataset_path) AS data
FROM run r
CROSS JOIN LATERAL (
    SELECT count(*) AS tasks,
           count(*) FILTER (WHERE t.state IN (0, 1)) AS unsettled,
           count(*) FILTER (WHERE t.state = 2) AS succeeded,
           count(*) FILTER (WHERE t.state = 3) AS failed,
           count(*) FILTER (WHERE t.state = 4) AS blocked
    FROM task t WHERE t.run_id = r.run_id) c;

COMMENT ON COLUMN runs.data IS
    'What its dataset is of, as dataset_description.json says: real, synthetic, semi-synthetic, or unstated; NULL where it was not indexed since that is kept.';
