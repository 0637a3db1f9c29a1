-- How good predictions are: lesions one by one, and evaluations of regions, lesions and classes.
--
-- Names that a measurement carries beside its number say what it is about: the structure or the lesion is its region, the
-- class its term, the matching rule its reference; see the kinds (`qsmflow kinds evaluate.detection`).

CREATE VIEW lesions AS
SELECT t.run_id AS run,
       s.name AS step,
       t.subject,
       t.session,
       substr(m.region, length('lesion-') + 1)::int AS lesion,
       max(m.term) FILTER (WHERE m.metric = 'voxels') AS class,
       max(m.value) FILTER (WHERE m.metric = 'x') AS x_mm,
       max(m.value) FILTER (WHERE m.metric = 'y') AS y_mm,
       max(m.value) FILTER (WHERE m.metric = 'z') AS z_mm,
       (max(m.value) FILTER (WHERE m.metric = 'voxels'))::bigint AS voxels,
       max(m.value) FILTER (WHERE m.metric = 'volume') AS volume_mm3,
       max(m.value) FILTER (WHERE m.metric = 'diameter') AS diameter_mm,
       max(m.value) FILTER (WHERE m.metric = 'mean') AS mean_ppm,
       max(m.value) FILTER (WHERE m.metric = 'peak') AS peak_ppm,
       max(m.value) FILTER (WHERE m.metric = 'sphericity') AS sphericity,
       max(m.value) FILTER (WHERE m.metric = 'elongation') AS elongation,
       max(m.value) FILTER (WHERE m.metric = 'flatness') AS flatness,
       max(m.term) FILTER (WHERE m.metric = 'region_share') AS region,
       max(m.value) FILTER (WHERE m.metric = 'region_share') AS region_share,
       max(m.term) FILTER (WHERE m.metric = 'centre_region') AS centre_region,
       max(m.value) FILTER (WHERE m.metric = 'mean_probability') AS mean_probability,
       max(m.value) FILTER (WHERE m.metric = 'max_probability') AS max_probability,
       'sub-' || t.subject AS participant_id,
       t.fold
FROM task t
JOIN step s USING (step_id)
JOIN measurement m USING (result_id)
WHERE t.state = 2 AND s.kind = 'lesions.components' AND m.region LIKE 'lesion-%'
GROUP BY t.run_id, t.task_id, s.name, t.subject, t.session, t.fold, m.region;

COMMENT ON VIEW lesions IS 'Lesions one by one: where each lies and what it is like (kind lesions.components).';
COMMENT ON COLUMN lesions.run IS 'Number of the run.';
COMMENT ON COLUMN lesions.step IS 'Step of the workflow.';
COMMENT ON COLUMN lesions.subject IS 'BIDS label without "sub-".';
COMMENT ON COLUMN lesions.session IS 'BIDS label without "ses-"; NULL where there are no sessions.';
COMMENT ON COLUMN lesions.lesion IS 'Number of the lesion in the label map of the step.';
COMMENT ON COLUMN lesions.class IS 'Its class, such as microbleed; lesion where there is only one.';
COMMENT ON COLUMN lesions.x_mm IS 'Centre of its voxels in scanner space, to the right, mm.';
COMMENT ON COLUMN lesions.y_mm IS 'Centre, to the front, mm.';
COMMENT ON COLUMN lesions.z_mm IS 'Centre, upwards, mm.';
COMMENT ON COLUMN lesions.voxels IS 'Its voxels.';
COMMENT ON COLUMN lesions.volume_mm3 IS 'Its volume, mm³.';
COMMENT ON COLUMN lesions.diameter_mm IS 'Diameter of a sphere of that volume, mm.';
COMMENT ON COLUMN lesions.mean_ppm IS 'Mean susceptibility, ppm; NULL without a map.';
COMMENT ON COLUMN lesions.peak_ppm IS 'Susceptibility of the largest magnitude, with its sign, ppm; NULL without a map.';
COMMENT ON COLUMN lesions.sphericity IS 'Surface of a sphere of its volume over its surface: 1 for a sphere.';
COMMENT ON COLUMN lesions.elongation IS 'Second over first principal axis, 0 to 1; NULL for a single voxel.';
COMMENT ON COLUMN lesions.flatness IS 'Third over first principal axis, 0 to 1; NULL for a single voxel.';
COMMENT ON COLUMN lesions.region IS 'Anatomical region that holds most of it; NULL where none does.';
COMMENT ON COLUMN lesions.region_share IS 'Share of the lesion in that region, 0 to 1.';
COMMENT ON COLUMN lesions.centre_region IS 'Anatomical region at its centre; NULL where none is.';
COMMENT ON COLUMN lesions.mean_probability IS 'Mean probability inside it; NULL without a map of probabilities.';
COMMENT ON COLUMN lesions.max_probability IS 'Largest probability inside it; NULL without a map of probabilities.';
COMMENT ON COLUMN lesions.participant_id IS 'The person as BIDS tables write it: sub-LABEL.';
COMMENT ON COLUMN lesions.fold IS 'Fold of the cross-validation, for steps with one task per fold; else NULL.';

CREATE VIEW segmentation_metrics AS
SELECT t.run_id AS run,
       s.name AS step,
       t.subject,
       t.session,
       m.region AS structure,
       max(m.value) FILTER (WHERE m.metric = 'dice') AS dice,
       max(m.value) FILTER (WHERE m.metric = 'jaccard') AS jaccard,
       max(m.value) FILTER (WHERE m.metric = 'hausdorff') AS hausdorff_mm,
       max(m.value) FILTER (WHERE m.metric = 'hd95') AS hd95_mm,
       max(m.value) FILTER (WHERE m.metric = 'hd95_larger') AS hd95_larger_mm,
       max(m.value) FILTER (WHERE m.metric = 'assd') AS assd_mm,
       max(m.value) FILTER (WHERE m.metric = 'reference_volume') AS reference_mm3,
       max(m.value) FILTER (WHERE m.metric = 'prediction_volume') AS prediction_mm3,
       max(m.value) FILTER (WHERE m.metric = 'volume_ratio') AS volume_ratio,
       'sub-' || t.subject AS participant_id,
       t.fold
FROM task t
JOIN step s USING (step_id)
JOIN measurement m USING (result_id)
WHERE t.state = 2 AND s.kind = 'evaluate.segmentation' AND m.region <> ''
GROUP BY t.run_id, t.task_id, s.name, t.subject, t.session, t.fold, m.region;

COMMENT ON VIEW segmentation_metrics IS
    'Predicted against reference regions, one row per person, session and structure (kind evaluate.segmentation).';
COMMENT ON COLUMN segmentation_metrics.run IS 'Number of the run.';
COMMENT ON COLUMN segmentation_metrics.step IS 'Step of the workflow.';
COMMENT ON COLUMN segmentation_metrics.subject IS 'BIDS label without "sub-".';
COMMENT ON COLUMN segmentation_metrics.session IS 'BIDS label without "ses-"; NULL where there are no sessions.';
COMMENT ON COLUMN segmentation_metrics.structure IS 'Region, or group of regions, that was compared.';
COMMENT ON COLUMN segmentation_metrics.dice IS 'Dice coefficient; 1 where both sides are empty, 0 where one is.';
COMMENT ON COLUMN segmentation_metrics.jaccard IS 'Jaccard index, by the same convention.';
COMMENT ON COLUMN segmentation_metrics.hausdorff_mm IS 'Largest distance between the surfaces, mm; NULL where a side is empty.';
COMMENT ON COLUMN segmentation_metrics.hd95_mm IS '95th percentile of the distances of both directions pooled, mm.';
COMMENT ON COLUMN segmentation_metrics.hd95_larger_mm IS 'The larger of the 95th percentiles of the two directions, mm.';
COMMENT ON COLUMN segmentation_metrics.assd_mm IS 'Mean distance between the surfaces, both directions pooled, mm.';
COMMENT ON COLUMN segmentation_metrics.reference_mm3 IS 'Volume in the reference, mm³.';
COMMENT ON COLUMN segmentation_metrics.prediction_mm3 IS 'Volume in the prediction, mm³.';
COMMENT ON COLUMN segmentation_metrics.volume_ratio IS 'Predicted over reference volume; NULL without a reference.';
COMMENT ON COLUMN segmentation_metrics.participant_id IS 'The person as BIDS tables write it: sub-LABEL.';
COMMENT ON COLUMN segmentation_metrics.fold IS 'Fold of the cross-validation, for steps with one task per fold; else NULL.';

-- Numbers of a class that hold under every rule stand in rows of their own; they are joined to each.
CREATE VIEW detection_metrics AS
SELECT a.run, a.step, a.subject, a.session, a.class, a.rule, g.reference_lesions, g.predicted_lesions, a.tp, a.fn, a.right_predictions,
       a.fp, a.sensitivity, a.precision, a.f1, a.dice_found, g.dice, g.reference_mm3, g.prediction_mm3, g.count_ratio,
       g.volume_ratio, 'sub-' || a.subject AS participant_id, a.fold
FROM (
    SELECT t.run_id AS run, t.task_id, s.name AS step, t.subject, t.session, t.fold, m.term AS class, m.reference AS rule,
           (max(m.value) FILTER (WHERE m.metric = 'tp'))::bigint AS tp,
           (max(m.value) FILTER (WHERE m.metric = 'fn'))::bigint AS fn,
           (max(m.value) FILTER (WHERE m.metric = 'right'))::bigint AS right_predictions,
           (max(m.value) FILTER (WHERE m.metric = 'fp'))::bigint AS fp,
           max(m.value) FILTER (WHERE m.metric = 'sensitivity') AS sensitivity,
           max(m.value) FILTER (WHERE m.metric = 'precision') AS precision,
           max(m.value) FILTER (WHERE m.metric = 'f1') AS f1,
           max(m.value) FILTER (WHERE m.metric = 'dice_found') AS dice_found
    FROM task t
    JOIN step s USING (step_id)
    JOIN measurement m USING (result_id)
    WHERE t.state = 2 AND s.kind = 'evaluate.detection' AND m.reference <> ''
    GROUP BY t.run_id, t.task_id, s.name, t.subject, t.session, t.fold, m.term, m.reference) a
LEFT JOIN (
    SELECT t.task_id, m.term AS class,
           (max(m.value) FILTER (WHERE m.metric = 'references'))::bigint AS reference_lesions,
           (max(m.value) FILTER (WHERE m.metric = 'predictions'))::bigint AS predicted_lesions,
           max(m.value) FILTER (WHERE m.metric = 'dice') AS dice,
           max(m.value) FILTER (WHERE m.metric = 'reference_volume') AS reference_mm3,
           max(m.value) FILTER (WHERE m.metric = 'prediction_volume') AS prediction_mm3,
           max(m.value) FILTER (WHERE m.metric = 'count_ratio') AS count_ratio,
           max(m.value) FILTER (WHERE m.metric = 'volume_ratio') AS volume_ratio
    FROM task t
    JOIN step s USING (step_id)
    JOIN measurement m USING (result_id)
    WHERE t.state = 2 AND s.kind = 'evaluate.detection' AND m.reference = ''
    GROUP BY t.task_id, m.term) g USING (task_id, class);

COMMENT ON VIEW detection_metrics IS
    'Predicted against reference lesions, one row per person, session, class and matching rule (kind evaluate.detection).';
COMMENT ON COLUMN detection_metrics.run IS 'Number of the run.';
COMMENT ON COLUMN detection_metrics.step IS 'Step of the workflow.';
COMMENT ON COLUMN detection_metrics.subject IS 'BIDS label without "sub-".';
COMMENT ON COLUMN detection_metrics.session IS 'BIDS label without "ses-"; NULL where there are no sessions.';
COMMENT ON COLUMN detection_metrics.class IS 'Class of the lesions.';
COMMENT ON COLUMN detection_metrics.rule IS 'When a reference counts as found: overlap_VOXELS, iou_SHARE, centre_MM, valdo_MM.';
COMMENT ON COLUMN detection_metrics.reference_lesions IS 'Lesions that there are.';
COMMENT ON COLUMN detection_metrics.predicted_lesions IS 'Lesions that were predicted.';
COMMENT ON COLUMN detection_metrics.tp IS 'References that were found.';
COMMENT ON COLUMN detection_metrics.fn IS 'References that were missed.';
COMMENT ON COLUMN detection_metrics.right_predictions IS 'Predictions that found a reference. It differs from tp where several may find one.';
COMMENT ON COLUMN detection_metrics.fp IS 'Predictions that found none.';
COMMENT ON COLUMN detection_metrics.sensitivity IS 'tp over references; NULL without a reference.';
COMMENT ON COLUMN detection_metrics.precision IS 'Right over all predictions; NULL without a prediction.';
COMMENT ON COLUMN detection_metrics.f1 IS 'Harmonic mean of the two; NULL without a reference.';
COMMENT ON COLUMN detection_metrics.dice_found IS 'Mean Dice of found references with the predictions assigned to them; NULL where none was found.';
COMMENT ON COLUMN detection_metrics.dice IS 'Dice coefficient of all voxels of the class.';
COMMENT ON COLUMN detection_metrics.reference_mm3 IS 'Volume of the references, mm³.';
COMMENT ON COLUMN detection_metrics.prediction_mm3 IS 'Volume of the predictions, mm³.';
COMMENT ON COLUMN detection_metrics.count_ratio IS 'Predictions over references; NULL without a reference.';
COMMENT ON COLUMN detection_metrics.volume_ratio IS 'Predicted over reference volume; NULL without a reference.';
COMMENT ON COLUMN detection_metrics.participant_id IS 'The person as BIDS tables write it: sub-LABEL.';
COMMENT ON COLUMN detection_metrics.fold IS 'Fold of the cross-validation, for steps with one task per fold; else NULL.';

CREATE VIEW classification_metrics AS
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
       t.fold
FROM task t
JOIN step s USING (step_id)
JOIN measurement m USING (result_id)
WHERE t.state = 2 AND s.kind = 'evaluate.classification'
GROUP BY t.run_id, t.task_id, s.name, t.fold, m.reference, m.region, m.metric;

COMMENT ON VIEW classification_metrics IS
    'Predicted against true classes over the cohort, one row per level, class and metric (kind evaluate.classification).';
COMMENT ON COLUMN classification_metrics.run IS 'Number of the run.';
COMMENT ON COLUMN classification_metrics.step IS 'Step of the workflow.';
COMMENT ON COLUMN classification_metrics.level IS 'What a case is: slice, item (an image or a lesion) or person.';
COMMENT ON COLUMN classification_metrics.class IS 'Class that is told from the rest; all for decisions among all classes.';
COMMENT ON COLUMN classification_metrics.metric IS 'Metric, such as auc; `qsmflow kinds evaluate.classification` explains each.';
COMMENT ON COLUMN classification_metrics.value IS 'Over all cases together; NULL where these cases do not have it.';
COMMENT ON COLUMN classification_metrics.ci_low IS 'Lower end of its interval, from a bootstrap by person (count_r_fisher: Fisher''s).';
COMMENT ON COLUMN classification_metrics.ci_high IS 'Upper end of its interval.';
COMMENT ON COLUMN classification_metrics.fold_mean IS 'Mean over the folds of a cross-validation; NULL without folds.';
COMMENT ON COLUMN classification_metrics.fold_sd IS 'Standard deviation over the folds.';
COMMENT ON COLUMN classification_metrics.cases IS 'Cases.';
COMMENT ON COLUMN classification_metrics.positives IS 'Cases of the class.';
COMMENT ON COLUMN classification_metrics.people IS 'People whose cases they are.';
COMMENT ON COLUMN classification_metrics.fold IS 'Fold of the cross-validation, for steps with one task per fold; else NULL.';

CREATE VIEW evaluation_summary AS
SELECT t.run_id AS run,
       s.name AS step,
       m.region AS label,
       nullif(m.reference, '') AS rule,
       m.metric,
       max(m.unit) FILTER (WHERE m.term NOT IN ('people', 'empty', 'folds')) AS unit,
       (max(m.value) FILTER (WHERE m.term = 'people'))::bigint AS people,
       max(m.value) FILTER (WHERE m.term = 'mean') AS mean,
       max(m.value) FILTER (WHERE m.term = 'sd') AS sd,
       max(m.value) FILTER (WHERE m.term = 'sem') AS sem,
       max(m.value) FILTER (WHERE m.term = 'median') AS median,
       max(m.value) FILTER (WHERE m.term = 'min') AS minimum,
       max(m.value) FILTER (WHERE m.term = 'max') AS maximum,
       (max(m.value) FILTER (WHERE m.term = 'empty'))::bigint AS empty,
       max(m.value) FILTER (WHERE m.term = 'pooled') AS pooled,
       max(m.value) FILTER (WHERE m.term = 'ci_low') AS ci_low,
       max(m.value) FILTER (WHERE m.term = 'ci_high') AS ci_high,
       (max(m.value) FILTER (WHERE m.term = 'folds'))::bigint AS folds,
       max(m.value) FILTER (WHERE m.term = 'fold_mean') AS fold_mean,
       max(m.value) FILTER (WHERE m.term = 'fold_sd') AS fold_sd,
       max(m.value) FILTER (WHERE m.term = 'published') AS published,
       t.fold
FROM task t
JOIN step s USING (step_id)
JOIN measurement m USING (result_id)
WHERE t.state = 2 AND s.kind = 'evaluate.summary' AND m.term <> ''
GROUP BY t.run_id, t.task_id, s.name, t.fold, m.region, m.reference, m.metric;

COMMENT ON VIEW evaluation_summary IS
    'Evaluations of regions or lesions over people, one row per structure, or class and rule, and metric (kind evaluate.summary).';
COMMENT ON COLUMN evaluation_summary.run IS 'Number of the run.';
COMMENT ON COLUMN evaluation_summary.step IS 'Step of the workflow.';
COMMENT ON COLUMN evaluation_summary.label IS 'Structure, or class of lesions.';
COMMENT ON COLUMN evaluation_summary.rule IS 'Matching rule of lesions; NULL for regions.';
COMMENT ON COLUMN evaluation_summary.metric IS 'Metric, such as dice or sensitivity.';
COMMENT ON COLUMN evaluation_summary.unit IS 'Its unit.';
COMMENT ON COLUMN evaluation_summary.people IS 'People who have it.';
COMMENT ON COLUMN evaluation_summary.mean IS 'Mean over these people; several sessions of a person are averaged first.';
COMMENT ON COLUMN evaluation_summary.sd IS 'Standard deviation over them.';
COMMENT ON COLUMN evaluation_summary.sem IS 'Standard error of the mean.';
COMMENT ON COLUMN evaluation_summary.median IS 'Median over them.';
COMMENT ON COLUMN evaluation_summary.minimum IS 'Smallest.';
COMMENT ON COLUMN evaluation_summary.maximum IS 'Largest.';
COMMENT ON COLUMN evaluation_summary.empty IS 'People without it, such as a sensitivity without a lesion.';
COMMENT ON COLUMN evaluation_summary.pooled IS 'Over everybody together, such as all lesions found over all lesions.';
COMMENT ON COLUMN evaluation_summary.ci_low IS 'Lower end of the interval of the pooled value, where there is one (Fisher''s, for r).';
COMMENT ON COLUMN evaluation_summary.ci_high IS 'Upper end of that interval.';
COMMENT ON COLUMN evaluation_summary.folds IS 'Folds of a cross-validation; NULL without.';
COMMENT ON COLUMN evaluation_summary.fold_mean IS 'Mean over the folds.';
COMMENT ON COLUMN evaluation_summary.fold_sd IS 'Standard deviation over the folds.';
COMMENT ON COLUMN evaluation_summary.published IS 'Figure that somebody has published, as the workflow names it with its source; not a result of this run.';
COMMENT ON COLUMN evaluation_summary.fold IS 'Fold of the cross-validation, for steps with one task per fold; else NULL.';

CREATE VIEW datasets AS
SELECT d.path AS dataset,
       d.name,
       d.kind,
       d.bids_version,
       d.description,
       d.indexed_at,
       coalesce(k.runs, '{}') AS runs
FROM dataset d
LEFT JOIN (
    SELECT path, array_agg(run_id ORDER BY run_id) AS runs
    FROM (SELECT dataset_path AS path, run_id FROM run) part
    GROUP BY path) k ON k.path = d.path;

COMMENT ON VIEW datasets IS 'Datasets of the index, with what each says of itself.';
COMMENT ON COLUMN datasets.dataset IS 'Folder of the dataset.';
COMMENT ON COLUMN datasets.name IS 'Name that it gives itself.';
COMMENT ON COLUMN datasets.kind IS 'raw, or the folder''s name of a derivative dataset.';
COMMENT ON COLUMN datasets.bids_version IS 'Version of BIDS that it states.';
COMMENT ON COLUMN datasets.description IS 'dataset_description.json as it was read; its keywords say whether the data is real or synthetic.';
COMMENT ON COLUMN datasets.indexed_at IS 'When it was last indexed; NULL before the first time.';
COMMENT ON COLUMN datasets.runs IS 'Runs over it; those of run 3: WHERE 3 = ANY (runs).';

DO $$
BEGIN
    -- Where the role could not be made, an administrator grants what is granted here.
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'qsmflow_analyst') THEN
        GRANT SELECT ON lesions, segmentation_metrics, detection_metrics, classification_metrics, evaluation_summary, datasets
            TO qsmflow_analyst;
    END IF;
END
$$;
