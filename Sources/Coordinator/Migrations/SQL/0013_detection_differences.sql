-- Differences of number and volume of lesions, as the VALDO challenge judges by them; and what F1 is.
--
-- F1 is computed here, so that results of earlier versions, which stored the harmonic mean of sensitivity and precision, are what the
-- column says. Columns can only be added at the end of a view, and a view can only be replaced whole.

CREATE OR REPLACE VIEW detection_metrics AS
SELECT a.run, a.step, a.subject, a.session, a.class, a.rule, g.reference_lesions, g.predicted_lesions, a.tp, a.fn, a.right_predictions,
       a.fp, a.sensitivity, a.precision,
       CASE WHEN a.tp + a.fn > 0 THEN 2.0::float8 * a.tp / (2 * a.tp + a.fp + a.fn) END AS f1, a.dice_found, g.dice, g.reference_mm3, g.prediction_mm3, g.count_ratio,
       g.volume_ratio, 'sub-' || a.subject AS participant_id, a.fold, g.absolute_count_difference,
       g.absolute_volume_difference_mm3
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
           max(m.value) FILTER (WHERE m.metric = 'volume_ratio') AS volume_ratio,
           (max(m.value) FILTER (WHERE m.metric = 'absolute_count_difference'))::bigint AS absolute_count_difference,
           max(m.value) FILTER (WHERE m.metric = 'absolute_volume_difference') AS absolute_volume_difference_mm3
    FROM task t
    JOIN step s USING (step_id)
    JOIN measurement m USING (result_id)
    WHERE t.state = 2 AND s.kind = 'evaluate.detection' AND m.reference = ''
    GROUP BY t.task_id, m.term) g USING (task_id, class);

COMMENT ON COLUMN detection_metrics.f1 IS '2 tp / (2 tp + fp + fn); NULL without a reference.';
COMMENT ON COLUMN detection_metrics.absolute_count_difference IS
    'Size of the difference between predictions and references in number; NULL of runs that did not measure it.';
COMMENT ON COLUMN detection_metrics.absolute_volume_difference_mm3 IS
    'Size of the difference in volume, mm³, with voxels of predictions counted by their probability where there is a map of it; NULL of runs that did not measure it.';
