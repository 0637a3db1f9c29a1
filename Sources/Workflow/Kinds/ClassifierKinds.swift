import BIDS

extension TaskKindCatalog {
    /// Classical classifiers on tables of features, and candidates for them.
    static let classifierKinds = [
        TaskKind(
            name: "classifier.train", version: 6,
            summary:
                "Trains a random forest or a logistic regression on tables of features, to tell lesions, slices or people apart.",
            scopes: [.cohort],
            inputs: [
                TaskPort(
                    "features", .table, .many,
                    "One table per session: a row per lesion (column lesion) or slice (column slice), or one per region (column "
                        + "name or region), whose numbers all describe the person."),
                TaskPort(
                    "features2", .table, .any,
                    "Further features of the same lesions, a table per session: columns that the first lacks."),
                TaskPort(
                    "targets", .table, .any,
                    "Classes of lesions: columns lesion and class; without, the tables of features have the column class."
                ),
                TaskPort(
                    "covariates", .json, .optional,
                    "Columns of participants.tsv: classes of people and of their slices, and what features are residualised for."
                ),
            ],
            outputs: [
                TaskPort("model", .model, .one, "The classifier with its card, for classifier.apply."),
                TaskPort(
                    "predictions", .table, .one,
                    "One row per case: class and probabilities by what was not trained on its person."),
                TaskPort("importance", .table, .one, "One row per feature: what it contributes."),
            ],
            parameters: [
                TaskParameter(
                    "method", .choice(["random-forest", "logistic"]), default: "random-forest",
                    "Random forest (Breiman 2001), or logistic regression of two classes with a quadratic penalty."),
                TaskParameter(
                    "target", .text, default: "", "Column of participants.tsv to tell people apart by.",
                    namesColumns: true),
                TaskParameter(
                    "classes", .list, default: [],
                    "Names of the classes, [no_rim, rim], of which folds then never disagree; of two the last counts as positive, "
                        + "cases of others are left out. None named means those met."),
                TaskParameter(
                    "positive", .text, default: "",
                    "Of two classes the one that counts as positive; empty: the last of classes, or the rarer of those met.",
                    valueOf: "target"),
                TaskParameter(
                    "columns", .list, default: [],
                    "Columns of the tables to use; none named means all but names and positions."),
                TaskParameter(
                    "reference", .text, default: "whole_brain",
                    "Of tables with the column reference the rows to use."),
                TaskParameter(
                    "residualise", .list, default: [],
                    "Columns of numbers of participants.tsv, such as age, whose part in every feature is taken away: by their slopes "
                        + "within the classes trained on, so that what classes differ in stays.", namesColumns: true),
                TaskParameter(
                    "missing", .choice(["median", "refuse"]), default: "median",
                    "What n/a becomes: the median of the training cases, or a reason to stop."),
                TaskParameter(
                    "class_weights", .choice(["balanced", "equal"]), default: "balanced",
                    "Whether every class counts alike, or every case."),
                TaskParameter("trees", .integer(1...100_000), default: 500, "Trees of a random forest."),
                TaskParameter(
                    "features_per_split", .integer(0...1_000_000), default: 0,
                    "Features that a question of a tree is chosen from; 0: the square root of their number."),
                TaskParameter(
                    "smallest_leaf", .integer(1...1_000_000), default: 1, "Cases at a leaf of a tree, at least."),
                TaskParameter(
                    "inverse_penalty", .number(1e-9...1e9), default: 1,
                    "C of a logistic regression on standardised features: smaller shrinks coefficients more."),
                TaskParameter(
                    "folds", .integer(2...1000), default: 5,
                    "Parts that people are dealt into to judge a logistic regression, or a random forest with residualise; else a "
                        + "random forest judges itself by the trees that did not see a person."),
                TaskParameter("seed", .integer(0...Int(Int32.max)), default: 1, "Of everything random."),
            ],
            measurements: [
                MeasurementDeclaration("cases", unit: "1", "Cases of a class (term names it)."),
                MeasurementDeclaration("features", unit: "1", "Features used."),
                MeasurementDeclaration("accuracy", unit: "1", "Share of cases decided rightly, not trained on."),
                MeasurementDeclaration(
                    "balanced_accuracy", unit: "1", "Mean over classes of the share decided rightly, not trained on."),
                MeasurementDeclaration("roc_auc", unit: "1", "Area under the ROC curve, of two classes."),
                MeasurementDeclaration(
                    "average_precision", unit: "1", "Area under the curve of precision and recall, of two classes."),
            ],
            resources: TaskResources(cores: 2, memoryMiB: 2048), timeoutSeconds: 86400, rules: .trainingClassifier),
        TaskKind(
            name: "classifier.apply", version: 4,
            summary: "Applies a classifier of classifier.train, or an ensemble, to a session's table of features.",
            scopes: [.session],
            inputs: [
                TaskPort("features", .table, .one, "Table with the features that the classifier was trained with."),
                TaskPort(
                    "features2", .table, .optional,
                    "Further features of the same lesions, where it was trained with any."
                ),
                TaskPort(
                    "covariates", .json, .optional,
                    "Columns of participants.tsv, where the classifier residualises features for some."),
                TaskPort(
                    "model", .model, .many,
                    "Classifier of classifier.train; of several that were made alike, the folds of a cross-validation say, "
                        + "probabilities are averaged."),
            ],
            outputs: [
                TaskPort(
                    "table", .table, .one,
                    "One row per lesion or slice, or one of the person: class and probabilities, as network.classify has them."
                )
            ],
            measurements: [
                MeasurementDeclaration(
                    "probability", unit: "1",
                    "Probability of a class (term names it; region names the lesion); none of slices."),
                MeasurementDeclaration("decision", unit: "1", "Index of the most probable class."),
            ],
            resources: TaskResources(cores: 1, memoryMiB: 1024), timeoutSeconds: 3600),
        TaskKind(
            name: "lesions.candidates", version: 2,
            summary: "Finds places that may be small round lesions by their radial symmetry (Loy and Zelinsky 2003).",
            scopes: [.session],
            inputs: [
                TaskPort(
                    "image", .volume, .one, "Image to search, say susceptibility-weighted or a susceptibility map."),
                TaskPort(
                    "chimap", .volume, .optional, "Susceptibility map on its grid, whose sign tells iron from calcium."),
                TaskPort("mask", .mask, .optional, "Brain mask on its grid; without, candidates may be anywhere."),
            ],
            outputs: [
                TaskPort("labels", .labelMap, .one, "A ball for every candidate, by number."),
                TaskPort(
                    "table", .table, .one,
                    "One row per candidate, the strongest first: position, radius, symmetry, mean of the image and χ."),
            ],
            parameters: [
                TaskParameter("radii_mm", .list, default: [1, 1.5, 2, 3, 4], "Radii to look for, in mm."),
                TaskParameter(
                    "polarity", .choice(["bright", "dark", "both"]), default: "both",
                    "Bright balls, dark ones, or both; microbleeds are dark on susceptibility-weighted images and bright on χ."
                ),
                TaskParameter(
                    "sign", .choice(["any", "paramagnetic", "diamagnetic"]), default: "any",
                    "Keep candidates whose mean χ has this sign; needs chimap."),
                TaskParameter(
                    "strictness", .number(0.5...5), default: 2,
                    "Exponent of radial symmetry: higher asks for gradients from all sides."),
                TaskParameter(
                    "smoothing_mm", .number(0...10), default: 0.5, "Gaussian before, standard deviation in mm."),
                TaskParameter(
                    "threshold", .number(0...1e12), default: 0,
                    "Least radial symmetry, in units of the image per mm; 0: any."),
                TaskParameter(
                    "slices", .boolean, default: false,
                    "Search every slice (first two axes of the file) by itself, for thick slices."),
                TaskParameter("limit", .integer(1...65535), default: 200, "Candidates to keep, the strongest."),
                units,
            ],
            measurements: [MeasurementDeclaration("candidates", unit: "1", "Candidates found.")],
            resources: TaskResources(cores: 1, memoryMiB: 4096), timeoutSeconds: 3600),
    ]
}
