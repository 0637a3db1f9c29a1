-- A name may stand for the models of several folds, NAME.fold-1 and so on. How many they are is kept with each: a group that
-- has lost one is told from a smaller group, and a model that somebody calls x.fold-1 by hand is no group.

ALTER TABLE model ADD COLUMN fold_count smallint CHECK (fold_count > 0),
    ADD CONSTRAINT model_fold_named CHECK (fold_count IS NULL OR name IS NOT NULL);

-- Groups named before are as large as their last fold.
UPDATE model m SET fold_count = g.count
FROM (
    SELECT substring(name FROM '^(.*)\.fold-[1-9][0-9]*$') AS lead,
           max(substring(name FROM '\.fold-([1-9][0-9]*)$')::integer) AS count
    FROM model WHERE name ~ '.\.fold-[1-9][0-9]{0,3}$' GROUP BY 1) g
WHERE m.name ~ '.\.fold-[1-9][0-9]{0,3}$' AND substring(m.name FROM '^(.*)\.fold-[1-9][0-9]*$') = g.lead
  AND m.task_id IS NOT NULL;

CREATE OR REPLACE VIEW models AS
SELECT encode(m.digest, 'hex') AS digest,
       m.name,
       coalesce(m.card #>> '{architecture,name}', m.card ->> 'architecture') AS architecture,
       coalesce(m.card -> 'inputs', jsonb_path_query_array(m.card, '$.channels[*].modality')) AS inputs,
       coalesce(m.card -> 'classes', m.card -> 'outputs') AS outputs,
       CASE WHEN m.task_id IS NULL THEN 'imported' ELSE 'trained' END AS source,
       m.task_id >> 24 AS run,
       (m.task_id >> 24) || '.' || (m.task_id & 16777215) AS task,
       m.card -> 'metrics' AS metrics,
       a.size_bytes AS size,
       m.created_at,
       m.card,
       CASE WHEN m.fold_count IS NOT NULL THEN substring(m.name FROM '^(.*)\.fold-[0-9]+$') END AS group_name,
       m.fold_count
FROM model m
JOIN artifact a USING (digest);

COMMENT ON COLUMN models.group_name IS 'Name that stands for this model and those of the other folds; NULL when it stands alone.';
COMMENT ON COLUMN models.fold_count IS 'How many folds that name stands for.';
