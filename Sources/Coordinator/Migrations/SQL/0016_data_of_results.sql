-- Every figure of an evaluation, every lesion and every model says what its data was: tables are copied out of their runs, and what was
-- found in a simulation must not pass for a finding.

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'segmentation_metrics', 'detection_metrics', 'classification_metrics', 'classification_decisions', 'evaluation_summary',
        'published_figures', 'lesions']
    LOOP
        -- Around the view as it stands: its columns keep their places and comments, and the new one comes last.
        EXECUTE format(
            'CREATE OR REPLACE VIEW %I AS
             SELECT v.*, (SELECT d.data_kind FROM run r JOIN dataset d ON d.path = r.dataset_path WHERE r.run_id = v.run) AS data
             FROM (%s) v',
            name, rtrim(pg_get_viewdef(name::regclass), ';'));
        EXECUTE format(
            'COMMENT ON COLUMN %I.data IS %L', name,
            'What the dataset of the run is of, as in runs: real, synthetic, semi-synthetic, or unstated.');
    END LOOP;
END
$$;

COMMENT ON COLUMN published_figures.data IS
    'What the dataset of the run is of, not what the publication was about: real, synthetic, semi-synthetic, or unstated.';

DO $$
BEGIN
    EXECUTE format(
        'CREATE OR REPLACE VIEW models AS
         SELECT v.*, (SELECT d.data_kind FROM run r JOIN dataset d ON d.path = r.dataset_path WHERE r.run_id = v.run) AS data
         FROM (%s) v',
        rtrim(pg_get_viewdef('models'::regclass), ';'));
END
$$;

COMMENT ON COLUMN models.data IS
    'What the dataset is of that it was trained on, as in runs: real, synthetic, semi-synthetic, or unstated; NULL for imported models.';
