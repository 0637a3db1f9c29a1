-- Tables of qsmflow. PostgreSQL 14 or newer.
--
-- Wide and cold tables (task, attempt, result, measurement) stand apart from narrow and hot ones (ready, delayed, lease,
-- worker_session), which hold live work only and are vacuumed hard. "Running" is not a state of a task: it is the
-- existence of a lease row, and deleting that row is the one moment at which an attempt ends.

-- ---------------------------------------------------------------------------------------------------------------------
-- The index of datasets.

CREATE TABLE dataset (
    dataset_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    path            text NOT NULL UNIQUE,
    name            text NOT NULL,
    kind            text NOT NULL,               -- 'raw', or the folder's name of a derivative dataset
    pipeline        text,                        -- what made a derivative dataset
    bids_version    text NOT NULL,
    description     jsonb,
    subjects        text[] NOT NULL DEFAULT '{}',
    problems        jsonb NOT NULL DEFAULT '[]',
    indexed_at      timestamptz
);

CREATE TABLE bids_file (
    dataset_id      bigint NOT NULL REFERENCES dataset ON DELETE CASCADE,
    path            text COLLATE "C" NOT NULL,
    size_bytes      bigint NOT NULL,
    modified_ns     bigint NOT NULL,
    inode           bigint NOT NULL,
    digest          bytea CHECK (length(digest) = 32),
    subject         text,
    session         text,
    suffix          text NOT NULL,
    datatype        text,
    metadata        jsonb,
    sidecar_stamp   text NOT NULL,
    problem         text,
    PRIMARY KEY (dataset_id, path)
);
CREATE INDEX bids_file_subject ON bids_file (dataset_id, subject);

CREATE TABLE covariate_column (
    dataset_id      bigint NOT NULL REFERENCES dataset ON DELETE CASCADE,
    kind            text NOT NULL CHECK (kind IN ('participants', 'sessions')),
    position        int NOT NULL,
    name            text NOT NULL,
    type            text NOT NULL,
    description     text,
    units           text,
    levels          jsonb,
    PRIMARY KEY (dataset_id, kind, name)
);

CREATE TABLE participant (
    dataset_id      bigint NOT NULL REFERENCES dataset ON DELETE CASCADE,
    subject         text NOT NULL,
    position        int NOT NULL,
    covariates      jsonb NOT NULL,
    ambiguous       text,                        -- why the row cannot be used
    PRIMARY KEY (dataset_id, subject)
);

CREATE TABLE session_row (
    dataset_id      bigint NOT NULL REFERENCES dataset ON DELETE CASCADE,
    subject         text NOT NULL,
    session         text NOT NULL,
    position        int NOT NULL,
    covariates      jsonb NOT NULL,
    ambiguous       text,
    PRIMARY KEY (dataset_id, subject, session)
);

-- Where bytes that no worker made can be read: files of datasets and atlases.
CREATE TABLE source_file (
    digest          bytea NOT NULL CHECK (length(digest) = 32),
    path            text NOT NULL,
    size_bytes      bigint NOT NULL,
    modified_ns     bigint NOT NULL,
    inode           bigint NOT NULL,
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (digest, path)
);
CREATE INDEX source_file_path ON source_file (path);

-- ---------------------------------------------------------------------------------------------------------------------
-- Artifacts and results.

CREATE TABLE artifact (
    digest          bytea PRIMARY KEY CHECK (length(digest) = 32),
    size_bytes      bigint NOT NULL CHECK (size_bytes >= 0),
    media_type      text NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    verified_at     timestamptz NOT NULL DEFAULT now()
);

-- What a successful attempt left. Shared by every task with the same action key, in any run: a repeated computation is
-- a task that points to an old result.
CREATE TABLE result (
    result_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    action_key      bytea UNIQUE CHECK (length(action_key) = 32),  -- NULL: not to be taken over any more
    task_id         bigint NOT NULL,             -- the attempt that computed it
    attempt         int NOT NULL,
    warnings        text[] NOT NULL DEFAULT '{}',
    created_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX result_task ON result (task_id);

CREATE TABLE artifact_ref (
    result_id       bigint NOT NULL REFERENCES result ON DELETE CASCADE,
    port            text NOT NULL,
    name            text NOT NULL,
    digest          bytea NOT NULL REFERENCES artifact,
    size_bytes      bigint NOT NULL,
    media_type      text NOT NULL,
    metadata        jsonb,
    PRIMARY KEY (result_id, port, name)
);
CREATE INDEX artifact_ref_digest ON artifact_ref (digest);

-- An absent subject, session, atlas, region, reference or term is the empty text, so that the key can hold them.
CREATE TABLE measurement (
    result_id       bigint NOT NULL REFERENCES result ON DELETE CASCADE,
    region          text NOT NULL DEFAULT '',
    reference       text NOT NULL DEFAULT '',
    term            text NOT NULL DEFAULT '',
    metric          text NOT NULL,
    subject         text NOT NULL DEFAULT '',
    session         text NOT NULL DEFAULT '',
    atlas           text NOT NULL DEFAULT '',
    value           float8,
    unit            text NOT NULL,
    PRIMARY KEY (result_id, metric, region, reference, term, subject, session, atlas)
);

-- ---------------------------------------------------------------------------------------------------------------------
-- Runs and their graphs.

CREATE TABLE run (
    run_id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name            text NOT NULL,
    workflow        text NOT NULL,
    request         jsonb NOT NULL,
    dataset_id      bigint REFERENCES dataset,
    dataset_path    text NOT NULL,
    weight          float8 NOT NULL CHECK (weight > 0),
    requested_by    text NOT NULL,
    tasks           int NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    cancelled_at    timestamptz,
    finished_at     timestamptz                  -- every task settled; unset again by a retry
);
CREATE INDEX run_unfinished ON run (run_id) WHERE finished_at IS NULL;

-- What tasks of one step have in common.
CREATE TABLE step (
    step_id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id          bigint NOT NULL REFERENCES run ON DELETE CASCADE,
    position        int NOT NULL,                -- first appearance in the graph
    name            text NOT NULL,
    kind            text NOT NULL,
    kind_version    int NOT NULL,
    parameters      jsonb NOT NULL,
    retry           jsonb NOT NULL,
    fan_in          float8,                      -- NULL: all inputs; -1: any; else the least fraction
    timeout_ms      bigint NOT NULL CHECK (timeout_ms > 0),
    cores           int NOT NULL CHECK (cores > 0),
    memory_mib      int NOT NULL CHECK (memory_mib > 0),
    command         text,                        -- program of the kind "command"
    cache_salt      text
);
CREATE INDEX step_run ON step (run_id);

-- task_id = run_id << 24 | ordinal.
-- state: 0 waiting, 1 ready (in exactly one of ready, delayed, lease), 2 succeeded, 3 failed, 4 blocked, 5 cancelled.
CREATE TABLE task (
    task_id         bigint PRIMARY KEY,
    run_id          bigint NOT NULL REFERENCES run ON DELETE CASCADE,
    step_id         bigint NOT NULL REFERENCES step,
    subject         text,
    session         text,
    atlas           text,
    tolerant        boolean NOT NULL,            -- goes on without inputs that failed
    unrunnable      boolean NOT NULL,            -- an input does not exist: no retry can help
    priority        smallint NOT NULL,           -- smaller first: minus twice the depth in the graph
    state           smallint NOT NULL CHECK (state BETWEEN 0 AND 5),
    pending         int NOT NULL CHECK (pending >= 0),
    attempts        int NOT NULL DEFAULT 0,      -- attempts that have ended
    failures        int NOT NULL DEFAULT 0,
    losses          int NOT NULL DEFAULT 0,
    memory_mib      int NOT NULL,                -- grows after an out-of-memory end
    action_key      bytea,
    result_id       bigint REFERENCES result,
    blocked_by      bigint,                      -- the failed task at the root
    outcome         text,                        -- of the last attempt
    message         text,
    CHECK (task_id >> 24 = run_id),
    CHECK ((state = 2) = (result_id IS NOT NULL)),
    CHECK ((state = 4) = (blocked_by IS NOT NULL))
) WITH (fillfactor = 80);
CREATE INDEX task_result ON task (result_id) WHERE result_id IS NOT NULL;

CREATE TABLE task_dep (
    parent_id       bigint NOT NULL,
    child_id        bigint NOT NULL,
    PRIMARY KEY (parent_id, child_id)
);
CREATE INDEX task_dep_child ON task_dep (child_id, parent_id);

-- Either a file (digest, name, size) or an output of another task (parent_id, parent_port).
CREATE TABLE task_input (
    task_id         bigint NOT NULL,
    position        int NOT NULL,
    port            text NOT NULL,
    subject         text,
    session         text,
    atlas           text,
    digest          bytea,
    path            text,                        -- where the coordinator sees the file
    name            text,
    size_bytes      bigint,
    metadata        jsonb,
    parent_id       bigint,
    parent_port     text,
    PRIMARY KEY (task_id, position),
    CHECK ((parent_id IS NULL) <> (digest IS NULL)),
    CHECK ((parent_id IS NULL) = (parent_port IS NULL)),
    CHECK (digest IS NULL OR (name IS NOT NULL AND size_bytes IS NOT NULL))
);
CREATE INDEX task_input_digest ON task_input (digest) WHERE digest IS NOT NULL;

CREATE TABLE attempt (
    task_id         bigint NOT NULL,
    attempt         int NOT NULL,
    nonce           uuid,                        -- NULL: never given to a worker
    session_id      uuid,
    worker          text,
    outcome         text NOT NULL CHECK (outcome IN ('succeeded', 'cached', 'transient', 'permanent', 'out_of_memory',
                                                     'timed_out', 'crashed', 'lost', 'cancelled', 'released')),
    message         text,
    started_at      timestamptz,
    finished_at     timestamptz NOT NULL DEFAULT now(),
    memory_mib      int,
    wall_ms         bigint,
    user_ms         bigint,
    system_ms       bigint,
    peak_resident_mib int,
    staged_bytes    bigint,
    uploaded_bytes  bigint,
    signal          int,
    exit_code       int,
    log_tail        text,
    PRIMARY KEY (task_id, attempt)
);

-- ---------------------------------------------------------------------------------------------------------------------
-- Workers and the hot tables.

CREATE TABLE worker_session (
    session_id      uuid PRIMARY KEY,
    worker          text NOT NULL,
    boot_id         uuid NOT NULL,
    cores           int NOT NULL,
    memory_mib      int NOT NULL,
    kinds           jsonb NOT NULL,              -- name to version
    commands        text[] NOT NULL,
    instruction_set text NOT NULL,
    version         text NOT NULL,
    draining        boolean NOT NULL DEFAULT false,
    ttl_ms          int NOT NULL,
    opened_at       timestamptz NOT NULL DEFAULT now(),
    heartbeat_at    timestamptz NOT NULL DEFAULT now(),
    expires_at      timestamptz NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
CREATE INDEX worker_session_expires ON worker_session (expires_at);
CREATE INDEX worker_session_boot ON worker_session (boot_id);

-- Tasks are claimed lane by lane: a lane holds tasks that fit the same workers.
CREATE TABLE lane (
    lane_id         int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind            text NOT NULL,
    kind_version    int NOT NULL,
    cores           int NOT NULL,
    memory_mib      int NOT NULL,                -- rounded up to the class
    command         text NOT NULL DEFAULT '',
    UNIQUE (kind, kind_version, cores, memory_mib, command)
);

CREATE TABLE ready (
    lane_id         int NOT NULL,
    run_id          bigint NOT NULL,
    priority        smallint NOT NULL,
    seq             bigint GENERATED ALWAYS AS IDENTITY,
    task_id         bigint NOT NULL UNIQUE,
    attempt         int NOT NULL,
    memory_mib      int NOT NULL,
    timeout_ms      bigint NOT NULL,
    PRIMARY KEY (lane_id, run_id, priority, seq)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0,
        vacuum_truncate = off);

CREATE TABLE delayed (
    task_id         bigint PRIMARY KEY,
    run_at          timestamptz NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0,
        vacuum_truncate = off);
CREATE INDEX delayed_run_at ON delayed (run_at);

CREATE TABLE lease (
    task_id         bigint PRIMARY KEY,
    attempt         int NOT NULL,
    nonce           uuid NOT NULL,
    claim_id        uuid NOT NULL,
    session_id      uuid NOT NULL,
    memory_mib      int NOT NULL,
    started_at      timestamptz NOT NULL DEFAULT now(),
    deadline_at     timestamptz NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
        autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);
CREATE INDEX lease_session ON lease (session_id);
CREATE INDEX lease_claim ON lease (claim_id);
CREATE INDEX lease_deadline ON lease (deadline_at);

-- ---------------------------------------------------------------------------------------------------------------------
-- Audit and access.

CREATE TABLE event (
    event_id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Readers that follow the table go by this and a snapshot's horizon: numbers are not handed out in commit order.
    transaction_id  xid8 NOT NULL DEFAULT pg_current_xact_id(),
    at              timestamptz NOT NULL DEFAULT now(),
    run_id          bigint,
    task_id         bigint,
    actor           text NOT NULL,
    kind            text NOT NULL,
    body            jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX event_run ON event (run_id, event_id);

CREATE TABLE token (
    name            text PRIMARY KEY,
    role            text NOT NULL CHECK (role IN ('worker', 'operator', 'analyst')),
    secret_sha256   bytea NOT NULL UNIQUE CHECK (length(secret_sha256) = 32),
    created_at      timestamptz NOT NULL DEFAULT now()
);
