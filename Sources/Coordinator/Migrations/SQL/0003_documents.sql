-- Which bytes the tables and descriptions of a dataset had: covariates and inherited metadata are taken from them.

-- As the last scan read them.
CREATE TABLE dataset_document (
    dataset_id      bigint NOT NULL REFERENCES dataset ON DELETE CASCADE,
    path            text COLLATE "C" NOT NULL,
    size_bytes      bigint NOT NULL,
    modified_ns     bigint NOT NULL,
    inode           bigint NOT NULL,
    digest          bytea NOT NULL CHECK (length(digest) = 32),
    PRIMARY KEY (dataset_id, path)
);

-- As they were when a run was made.
CREATE TABLE run_document (
    run_id          bigint NOT NULL REFERENCES run ON DELETE CASCADE,
    dataset_path    text NOT NULL,
    path            text COLLATE "C" NOT NULL,
    size_bytes      bigint NOT NULL,
    modified_ns     bigint NOT NULL,
    inode           bigint NOT NULL,
    digest          bytea NOT NULL CHECK (length(digest) = 32),
    PRIMARY KEY (run_id, dataset_path, path)
);

CREATE VIEW documents AS
SELECT d.run_id AS run,
       d.dataset_path AS dataset,
       d.path,
       encode(d.digest, 'hex') AS digest,
       d.size_bytes AS size,
       to_timestamp(d.modified_ns / 1e9) AS modified_at
FROM run_document d;

COMMENT ON VIEW documents IS 'Tables and descriptions of its datasets that a run took covariates and metadata from, named by their bytes.';
COMMENT ON COLUMN documents.run IS 'Number of the run.';
COMMENT ON COLUMN documents.dataset IS 'Path of the dataset.';
COMMENT ON COLUMN documents.path IS 'Path of the file in the dataset, such as participants.tsv.';
COMMENT ON COLUMN documents.digest IS 'SHA-256 of the bytes that were read, hexadecimal.';
COMMENT ON COLUMN documents.size IS 'Size, bytes.';
COMMENT ON COLUMN documents.modified_at IS 'When the file had been changed last.';

DO $$
BEGIN
    -- Where the role could not be made, an administrator grants what is granted here.
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'qsmflow_analyst') THEN
        GRANT SELECT ON documents TO qsmflow_analyst;
    END IF;
END
$$;
