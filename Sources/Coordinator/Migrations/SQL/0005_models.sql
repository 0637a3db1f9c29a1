-- Models: artifacts that are networks with their weights, and what is known of them.

-- A row is there as long as the model is: a model that somebody imported or named stays until it is removed; one that a
-- run trained stays as long as the results that hold it.
CREATE TABLE model (
    digest          bytea PRIMARY KEY REFERENCES artifact,
    name            text COLLATE "C" UNIQUE CHECK (name <> ''),
    imported        boolean NOT NULL DEFAULT false,
    task_id         bigint,                      -- whose attempt trained it first; NULL: none did
    card            jsonb NOT NULL CHECK (jsonb_typeof(card) = 'object'),
    created_at      timestamptz NOT NULL DEFAULT now(),
    CHECK (imported OR task_id IS NOT NULL)
);
CREATE INDEX model_created ON model (created_at, digest);

CREATE VIEW models AS
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
       m.card
FROM model m
JOIN artifact a USING (digest);

COMMENT ON VIEW models IS 'Networks with their weights: trained by runs, or imported. The view inputs says which tasks read one, by its digest.';
COMMENT ON COLUMN models.digest IS 'SHA-256 of the bytes, hexadecimal; the file is GET /v1/artifacts/DIGEST.';
COMMENT ON COLUMN models.name IS 'Name that it has now; a name may move to another model, which changes no run. NULL when it has none.';
COMMENT ON COLUMN models.architecture IS 'Architecture, as its card names it.';
COMMENT ON COLUMN models.inputs IS 'Input channels, as its card states them, as JSON.';
COMMENT ON COLUMN models.outputs IS 'Classes or other outputs, as its card states them, as JSON.';
COMMENT ON COLUMN models.source IS 'trained (by a task of a run) or imported (from a file).';
COMMENT ON COLUMN models.run IS 'Number of the run that trained it first; NULL for imported ones.';
COMMENT ON COLUMN models.task IS 'Number of the task that trained it first: run.ordinal; NULL for imported ones.';
COMMENT ON COLUMN models.metrics IS 'How well it did, as its card states it, as JSON.';
COMMENT ON COLUMN models.size IS 'Size, bytes.';
COMMENT ON COLUMN models.created_at IS 'When it became known.';
COMMENT ON COLUMN models.card IS 'The whole model card as JSON: architecture, data, split, metrics, version.';

DO $$
BEGIN
    -- Where the role could not be made, an administrator grants what is granted here.
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'qsmflow_analyst') THEN
        GRANT SELECT ON models TO qsmflow_analyst;
    END IF;
END
$$;
