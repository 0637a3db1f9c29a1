import BIDS

extension TaskKindCatalog {
    /// Kinds that hold predictions, of anybody's, against a reference.
    static let evaluationKinds = [
        segmentationEvaluation, detectionEvaluation, classificationEvaluation, evaluationSummary,
    ]

    private static let resample = TaskParameter(
        "resample", .boolean, default: false,
        "Bring the prediction to the grid of the reference, each voxel from the nearest; else other grids are refused.")

    private static let segmentationEvaluation = TaskKind(
        name: "evaluate.segmentation", version: 2,
        summary:
            "Predicted against reference regions of a person: overlap, surface distances and volumes per structure.",
        scopes: [.session],
        inputs: [
            TaskPort("prediction", .labelMap, .one, "Regions as predicted."),
            TaskPort(
                "prediction_table", .table, .optional, "Their numbers and names; one table serves both sides."),
            TaskPort("reference", .labelMap, .one, "Regions as they are held to be."),
            TaskPort("reference_table", .table, .optional, "Their numbers and names."),
            TaskPort("check", .json, .optional, "Report of image.check."),
        ],
        outputs: [TaskPort("table", .table, .one, "One row per structure.")],
        parameters: [
            resample,
            TaskParameter(
                "structures", .list, default: [],
                "Names of the structures to compare; none named means all that both sides name."),
            TaskParameter(
                "groups", .map, default: [:],
                "Structures made of several regions, or named otherwise on the two sides: {caudate: [L_caudate, R_caudate]}."
            ),
            TaskParameter(
                "only_shared", .boolean, default: false,
                "Leave out structures and groups of which a side's table has no region, as long as there are others; else they "
                    + "are refused."),
        ],
        measurements: [
            MeasurementDeclaration(
                "dice", unit: "1",
                "2|P∩R| / (|P|+|R|); 1 where both are empty, 0 where one is (region names the structure)."),
            MeasurementDeclaration("jaccard", unit: "1", "|P∩R| / |P∪R|."),
            MeasurementDeclaration(
                "hausdorff", unit: "mm", "Largest distance between the surfaces; none where either is empty."),
            MeasurementDeclaration(
                "hd95", unit: "mm", "95th percentile of the distances of both directions pooled."),
            MeasurementDeclaration(
                "hd95_larger", unit: "mm", "The larger of the 95th percentiles of the two directions."),
            MeasurementDeclaration("assd", unit: "mm", "Mean distance, both directions pooled."),
            MeasurementDeclaration("reference_volume", unit: "mm3", "Volume in the reference."),
            MeasurementDeclaration("prediction_volume", unit: "mm3", "Volume in the prediction."),
            MeasurementDeclaration("volume_ratio", unit: "1", "Predicted over reference volume."),
        ],
        resources: TaskResources(cores: 1, memoryMiB: 2048), timeoutSeconds: 1800)

    private static let detectionEvaluation = TaskKind(
        name: "evaluate.detection", version: 4,
        summary: "Predicted against reference lesions of a person, under several matching rules side by side.",
        scopes: [.session],
        inputs: [
            TaskPort("prediction", .labelMap, .one, "Classes of lesions, a mask of them, or lesions by number."),
            TaskPort(
                "prediction_table", .table, .optional,
                "Names of classes (index, name), or classes of lesions by number (lesion, class)."),
            TaskPort("reference", .labelMap, .one, "The lesions that there are, given in the same ways."),
            TaskPort("reference_table", .table, .optional, "As prediction_table."),
            TaskPort(
                "probabilities", .volume, .optional,
                "How sure the prediction is, on its grid: one volume, or volume n for label n."),
            TaskPort(
                "mask", .mask, .optional, "On the grid of the reference: what lies outside counts on neither side."),
            TaskPort("check", .json, .optional, "Report of image.check."),
        ],
        outputs: [
            TaskPort(
                "table", .table, .one, "One row per class and rule; without numbers for a class that is left out."),
            TaskPort(
                "lesions", .table, .one,
                "One row per class, rule and lesion of either side: what became of it (tp, fn, fp or ignored)."),
        ],
        parameters: [
            numbers("prediction_numbers", "the prediction"), numbers("reference_numbers", "the reference"),
            rename("either side"),
            TaskParameter(
                "only_shared", .boolean, default: false,
                "Leave out classes that a side's table of classes does not name, as long as there are others: a network that was "
                    + "taught one class does not fail at another."),
            resample,
            TaskParameter(
                "rules", .list, default: ["overlap", "iou", "centre", "valdo"],
                "When a reference counts as found: overlap, iou, centre, valdo."),
            TaskParameter(
                "ignored_below_mm3", .number(0...1_000_000), default: 0,
                "Lesions smaller than this are not asked for, on either side: a reference is then not missed, and a prediction "
                    + "that is right for nothing larger no false alarm. They stay in volumes and Dice."),
            TaskParameter(
                "score", .text, default: "max_probability",
                "How sure the prediction is of a lesion: a column of prediction_table, or max_probability or "
                    + "mean_probability of the map."),
        ] + lesionMaking + matchingRules,
        measurements: [
            MeasurementDeclaration("references", unit: "1", "Reference lesions of a class (term names it)."),
            MeasurementDeclaration("predictions", unit: "1", "Predicted lesions."),
            MeasurementDeclaration("tp", unit: "1", "References found under a rule (reference names it)."),
            MeasurementDeclaration("fn", unit: "1", "References missed."),
            MeasurementDeclaration("right", unit: "1", "Predictions that found a reference."),
            MeasurementDeclaration("fp", unit: "1", "Predictions that found none."),
            MeasurementDeclaration("sensitivity", unit: "1", "tp / references; none without a reference."),
            MeasurementDeclaration("precision", unit: "1", "right / predictions; none without a prediction."),
            MeasurementDeclaration("f1", unit: "1", "2tp / (2tp + fp + fn); none without a reference."),
            MeasurementDeclaration(
                "dice_found", unit: "1", "Mean Dice of found references with the predictions assigned to them."),
            MeasurementDeclaration("dice", unit: "1", "Dice of all voxels of the class."),
            MeasurementDeclaration("reference_volume", unit: "mm3", "Volume of the references."),
            MeasurementDeclaration("prediction_volume", unit: "mm3", "Volume of the predictions."),
            MeasurementDeclaration("count_ratio", unit: "1", "Predictions over references."),
            MeasurementDeclaration("volume_ratio", unit: "1", "Predicted over reference volume."),
            MeasurementDeclaration(
                "absolute_count_difference", unit: "1", "|predictions − references|, as VALDO has it."),
            MeasurementDeclaration(
                "absolute_volume_difference", unit: "mm3",
                "|predicted − reference volume|, as VALDO has it: voxels of predictions count by their probability where a map of "
                    + "probabilities gives the scores."),
        ],
        resources: TaskResources(cores: 1, memoryMiB: 2048), timeoutSeconds: 1800)
}
