import BIDS

extension TaskKindCatalog {
    private static let folds = TaskPort(
        "folds", .json, .optional,
        "Folds of a cross-validation: {folds: k, people: {LABEL: fold}}; means and deviations over folds are added.")

    static let classificationEvaluation = TaskKind(
        name: "evaluate.classification", version: 5,
        summary: "Predicted against true classes over the cohort: curves, decisions, calibration, numbers per person.",
        scopes: [.cohort],
        inputs: [
            TaskPort(
                "tables", .table, .many,
                "Predictions: one row per image or lesion, with a score per class (p_CLASS) and perhaps the decision (class), or "
                    + "in all tables the decision alone, which has no curves and no calibration; a table of everybody has the column participant_id, perhaps session_id."
            ),
            TaskPort(
                "slices", .table, .any,
                "Predictions of slices, judged by what is true of their person; a person by slices has the mean of their log-odds."
            ),
            TaskPort(
                "truth", .table, .any,
                "True classes of items, in a column, by the column that names the item in both tables."),
            TaskPort("covariates", .json, .optional, "Columns of participants.tsv, for truths of people."),
            folds,
        ],
        outputs: [
            TaskPort("metrics", .table, .one, "One row per level, class, fold and metric."),
            TaskPort("roc", .table, .one, "Points of the ROC curves, those between corners left out."),
            TaskPort("pr", .table, .one, "Points of the precision-recall curves."),
            TaskPort("calibration", .table, .one, "Stated and observed shares per bin."),
            TaskPort("confusion", .table, .one, "Cases by true class and decision."),
            TaskPort("people", .table, .one, "Score, and true and predicted number, of each person."),
            TaskPort("report", .json, .one, "How it was judged, and who is missing."),
        ],
        parameters: [
            TaskParameter(
                "target", .text, default: "",
                "Column of participants.tsv that holds the true class; empty: the tables bound to truth, or a column of the "
                    + "predictions' own.", namesColumns: true),
            TaskParameter("item", .text, default: "lesion", "Column that names an item in predictions and truth."),
            TaskParameter(
                "truth", .text, default: "class",
                "Column that holds the true class of an item; without tables bound to truth a column of the predictions, whose "
                    + "own class is no truth."),
            TaskParameter(
                "positive", .text, default: "", "Class that is to be found; empty: each class against the rest."),
            TaskParameter("score", .text, default: "", "Column of its scores; empty: p_CLASS."),
            TaskParameter(
                "threshold", .number(-1e9...1e9), default: 0.5,
                "Items with this score or a higher one are called positive; of decisions alone it is not asked."
            ),
            TaskParameter(
                "partial_fpr", .number(0.0001...1), default: 0.1, "False positive rate where the partial area ends."),
            TaskParameter("calibration_bins", .integer(2...100), default: 10, "Bins of equal width."),
            TaskParameter(
                "person_score", .choice(["automatic", "mean", "max", "share"]), default: "automatic",
                "How the scores of a person's items become one; by itself the mean for truths of people, else the maximum; "
                    + "without an item it is the lowest."
            ),
            TaskParameter(
                "counts", .boolean, default: true,
                "Compare predicted and true number of items per person, for truths of items; false where items are no count of "
                    + "anything, as of candidates, of which one lesion may have several or none."),
            TaskParameter(
                "bootstrap", .integer(0...1_000_000), default: 2000,
                "Repeats of the bootstrap, which draws people with all that is theirs, given what was predicted; 0 leaves intervals "
                    + "out."),
            TaskParameter("confidence", .number(0.5...0.999), default: 0.95, "Coverage of the intervals."),
            TaskParameter("seed", .integer(0...1_000_000_000), default: 1, "Of the bootstrap."),
            TaskParameter(
                "published", .list, default: [],
                "Published figures to show beside ours, never as ours: {class, metric, value, source}, perhaps level."),
        ],
        measurements: [
            MeasurementDeclaration(
                "auc", unit: "1",
                "Area under the ROC curve (region names the class, reference the level: slice, item, person or person_by_slices)."
            ),
            MeasurementDeclaration("partial_auc", unit: "1", "Area up to partial_fpr, as it is."),
            MeasurementDeclaration(
                "partial_auc_normalised", unit: "1", "Divided by partial_fpr: the mean sensitivity there."),
            MeasurementDeclaration("partial_auc_mcclish", unit: "1", "Rescaled: chance ½, perfect 1."),
            MeasurementDeclaration("average_precision", unit: "1", "Area under the precision-recall curve, step form."),
            MeasurementDeclaration("pr_auc_trapezoid", unit: "1", "The same by trapezoids from recall 0, precision 1."),
            MeasurementDeclaration("accuracy", unit: "1", "Share of right decisions."),
            MeasurementDeclaration("balanced_accuracy", unit: "1", "Mean share found over the classes."),
            MeasurementDeclaration("sensitivity", unit: "1", "Share of positives found at the threshold."),
            MeasurementDeclaration("specificity", unit: "1", "Share of the rest left alone at the threshold."),
            MeasurementDeclaration("precision", unit: "1", "Share of positive decisions that are right."),
            MeasurementDeclaration("f1", unit: "1", "2TP / (2TP + FP + FN)."),
            MeasurementDeclaration("kappa", unit: "1", "Agreement beyond chance (Cohen)."),
            MeasurementDeclaration("brier", unit: "1", "Mean squared distance of probability and truth."),
            MeasurementDeclaration("log_loss", unit: "1", "Mean negative log probability of the truth."),
            MeasurementDeclaration(
                "calibration_error", unit: "1",
                "Mean distance of stated and observed shares; resamples lie further off, so its interval may exclude it."
            ),
            MeasurementDeclaration(
                "calibration_slope", unit: "1", "1 where probabilities are as extreme as they should be."),
            MeasurementDeclaration("calibration_intercept", unit: "1", "Of the same line."),
            MeasurementDeclaration(
                "count_mse", unit: "1", "Mean squared difference of predicted and true number per person."),
            MeasurementDeclaration("count_r", unit: "1", "Pearson's r of the two."),
            MeasurementDeclaration("count_r_fisher", unit: "1", "The same, with Fisher's interval."),
            MeasurementDeclaration("count_bias", unit: "1", "Mean difference, predicted minus true."),
            MeasurementDeclaration("count_limit_low", unit: "1", "Lower limit of agreement."),
            MeasurementDeclaration("count_limit_high", unit: "1", "Upper limit of agreement."),
            MeasurementDeclaration(
                "decided", unit: "1",
                "Cases of a class (region names it) that were decided to be of another or the same (term names that)."),
        ],
        resources: TaskResources(cores: 1, memoryMiB: 1024), timeoutSeconds: 3600)

    static let evaluationSummary = TaskKind(
        name: "evaluate.summary", version: 6,
        summary:
            "Evaluations of regions or lesions over people: mean and spread, pooled, agreement, published figures beside.",
        scopes: [.cohort],
        inputs: [
            TaskPort("tables", .table, .many, "Tables of evaluate.segmentation, or of evaluate.detection."),
            TaskPort(
                "lesions", .table, .any, "Tables of lesions of evaluate.detection, for free-response curves."),
            TaskPort(
                "published", .table, .optional,
                "Published figures beside those of the parameter: columns label, metric, value, source, perhaps rule."),
            folds,
        ],
        outputs: [
            TaskPort("table", .table, .one, "One row per structure, or class and rule, and metric."),
            TaskPort("people", .table, .one, "Everybody's rows, whose each in front."),
            TaskPort("froc", .table, .one, "Points of the free-response curves; empty where there are no scores."),
            TaskPort(
                "published", .table, .one,
                "One row per published figure that has a counterpart here, with that beside it."),
            TaskPort("report", .json, .one, "Who is in it and who is missing."),
        ],
        parameters: [
            TaskParameter(
                "published", .list, default: [],
                "Published figures to show beside ours, never as ours: {label, metric, value, source}, perhaps rule; several of "
                    + "one metric where their sources tell them apart.")
        ],
        measurements: [
            MeasurementDeclaration(
                "dice", unit: "1",
                "Dice over people (region names structure or class, reference the rule, term the statistic)."
            ),
            MeasurementDeclaration("jaccard", unit: "1", "Jaccard index."),
            MeasurementDeclaration("hausdorff", unit: "mm", "Largest surface distance."),
            MeasurementDeclaration("hd95", unit: "mm", "95th percentile, both directions pooled."),
            MeasurementDeclaration("hd95_larger", unit: "mm", "The larger of the two directions' 95th percentiles."),
            MeasurementDeclaration("assd", unit: "mm", "Mean surface distance."),
            MeasurementDeclaration(
                "sensitivity", unit: "1", "References found, over people with one; pooled: over all."),
            MeasurementDeclaration(
                "precision", unit: "1", "Predictions right, over people with one; pooled: over all."),
            MeasurementDeclaration(
                "f1", unit: "1",
                "2TP / (2TP + FP + FN): TP references found, FP predictions that found none, FN references missed."),
            MeasurementDeclaration("dice_found", unit: "1", "Dice of found references."),
            MeasurementDeclaration("fp_per_image", unit: "1", "False alarms per image."),
            MeasurementDeclaration("fp_per_lesion", unit: "1", "False alarms of all over references of all."),
            MeasurementDeclaration("count_ratio", unit: "1", "Predicted over true number."),
            MeasurementDeclaration("volume_ratio", unit: "1", "Predicted over true volume."),
            MeasurementDeclaration(
                "absolute_count_difference", unit: "1", "Size of the difference of the numbers, of lesions."),
            MeasurementDeclaration(
                "absolute_volume_difference", unit: "mm3", "Size of the difference of the volumes, of lesions."),
            MeasurementDeclaration("both_empty", unit: "1", "Images in which neither side has a voxel: Dice is 1."),
            MeasurementDeclaration("one_empty", unit: "1", "Images in which only one side has a voxel: Dice is 0."),
            MeasurementDeclaration("count_mse", unit: "1", "Mean squared difference of the numbers."),
            MeasurementDeclaration("count_r", unit: "1", "Pearson's r of the numbers, with Fisher's interval."),
            MeasurementDeclaration("count_bias", unit: "1", "Mean difference of the numbers (Bland and Altman)."),
            MeasurementDeclaration("count_limit_low", unit: "1", "Lower limit of agreement of the numbers."),
            MeasurementDeclaration("count_limit_high", unit: "1", "Upper limit of agreement of the numbers."),
            MeasurementDeclaration("volume_mse", unit: "mm3^2", "Mean squared difference of the volumes."),
            MeasurementDeclaration("volume_r", unit: "1", "Pearson's r of the volumes, with Fisher's interval."),
            MeasurementDeclaration("volume_bias", unit: "mm3", "Mean difference of the volumes (Bland and Altman)."),
            MeasurementDeclaration("volume_limit_low", unit: "mm3", "Lower limit of agreement of the volumes."),
            MeasurementDeclaration("volume_limit_high", unit: "mm3", "Upper limit of agreement of the volumes."),
            MeasurementDeclaration(
                "froc_mean_sensitivity", unit: "1",
                "Mean sensitivity at ⅛, ¼, ½, 1, 2, 4 and 8 false alarms per image; froc_sensitivity_at_N at each. Where all "
                    + "findings together have fewer false alarms, it is the sensitivity of all findings."),
            MeasurementDeclaration(
                "froc_false_alarms", unit: "1",
                "False alarms per image of all findings together, where the free-response curve ends."),
        ],
        resources: TaskResources(cores: 1, memoryMiB: 1024), timeoutSeconds: 1800)
}
