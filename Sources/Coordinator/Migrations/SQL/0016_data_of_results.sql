-- Every figure and every model says what its data was: tables are copied out of their runs, and what was found in a simulation
-- must not pass for a finding.

DO $$
DECLARE
    name text;
    what text := 'What the dataset of the run is of, as in runs: real, synthetic, semi-synthetic, or unstated; NULL where it was '
        'not indexed since that is kept.';
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'roi_statistics', 'cohort_effects', 'lesions', 'segmentation_metrics', 'detection_metrics', 'classification_metrics',
        'classification_decisions', 'evaluation_summary', 'published_figures', 'models']
    LOOP
        -- Around the view as it stands: its columns keep their places and comments, and the new one comes last.
        EXECUTE format(
            'CREATE OR REPLACE VIEW %I AS
             SELECT v.*, d.data_kind AS data
             FROM (%s) v LEFT JOIN run r ON r.run_id = v.run LEFT JOIN dataset d ON d.path = r.dataset_path',
            name, rtrim(pg_get_viewdef(name::regclass), ';'));
        EXECUTE format('COMMENT ON COLUMN %I.data IS %L', name, what);
    END LOOP;
END
$$;

COMMENT ON COLUMN published_figures.data IS
    'What the dataset of the run is of, as in runs; not what the publication was about.';
COMMENT ON COLUMN models.data IS
    'What the dataset is of that it was trained on, as in runs: real, synthetic, semi-synthetic, or unstated; NULL for imported models, too.';
