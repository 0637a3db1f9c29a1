-- Whatever is known of a person in a cross-validation has the fold that the person was held out of, so that figures by fold
-- need no join.
--
-- A view can only be replaced whole.

CREATE OR REPLACE VIEW lesions AS
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
       coalesce(
           t.fold, (SELECT (f.document -> 'people' ->> t.subject)::int FROM fold_assignment f WHERE f.run_id = t.run_id)) AS fold
FROM task t
JOIN step s USING (step_id)
JOIN measurement m USING (result_id)
WHERE t.state = 2 AND s.kind = 'lesions.components' AND m.region LIKE 'lesion-%'
GROUP BY t.run_id, t.task_id, s.name, t.subject, t.session, t.fold, m.region;

CREATE OR REPLACE VIEW segmentation_metrics AS
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
       coalesce(
           t.fold, (SELECT (f.document -> 'people' ->> t.subject)::int FROM fold_assignment f WHERE f.run_id = t.run_id)) AS fold
FROM task t
JOIN step s USING (step_id)
JOIN measurement m USING (result_id)
WHERE t.state = 2 AND s.kind = 'evaluate.segmentation' AND m.region <> ''
GROUP BY t.run_id, t.task_id, s.name, t.subject, t.session, t.fold, m.region;

CREATE OR REPLACE VIEW detection_metrics AS
SELECT a.run, a.step, a.subject, a.session, a.class, a.rule, g.reference_lesions, g.predicted_lesions, a.tp, a.fn, a.right_predictions,
       a.fp, a.sensitivity, a.precision, a.f1, a.dice_found, g.dice, g.reference_mm3, g.prediction_mm3, g.count_ratio,
       g.volume_ratio, 'sub-' || a.subject AS participant_id, a.fold
FROM (
    SELECT t.run_id AS run, t.task_id, s.name AS step, t.subject, t.session,
           coalesce(
               t.fold, (SELECT (f.document -> 'people' ->> t.subject)::int FROM fold_assignment f WHERE f.run_id = t.run_id)) AS fold,
           m.term AS class, m.reference AS rule,
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

COMMENT ON COLUMN lesions.fold IS 'Fold of the cross-validation that the person was held out of; NULL without one.';
COMMENT ON COLUMN segmentation_metrics.fold IS 'Fold of the cross-validation that the person was held out of; NULL without one.';
COMMENT ON COLUMN detection_metrics.fold IS 'Fold of the cross-validation that the person was held out of; NULL without one.';
