import BIDS

extension TaskKindCatalog {
    /// Kinds that train networks and apply them.
    static let networkKinds = [
        TaskKind(
            name: "network.train", version: 5,
            summary: "Trains a network on the cohort's images: to segment them, or to tell people or lesions apart.",
            scopes: [.cohort],
            inputs: [TaskPort("images", .volume, .many, "First channel, one image per session.")]
                + furtherChannels.map { name, place in
                    TaskPort(name, .volume, .any, "\(place) channel, on the grid of the first.")
                } + [
                    TaskPort("masks", .mask, .any, "Brain masks on the grid of the images, for normalisation."),
                    TaskPort(
                        "labels", .labelMap, .any,
                        "What is to be found, on the grid of the images: regions for a segmentation, lesions by number for "
                            + "their classification. Sessions without are left out."),
                    TaskPort(
                        "tables", .table, .any,
                        "Names of the regions in the label maps (index, name), for classes that are given by them."),
                    TaskPort("targets", .table, .any, "Classes of lesions: columns lesion (its number) and class."),
                    TaskPort(
                        "features", .table, .any,
                        "Numbers beside the image (network qsmrim): column lesion and any further columns of numbers, say of "
                            + "radiomics."),
                    TaskPort("covariates", .json, .optional, "Columns of participants.tsv: classes of people."),
                    TaskPort("model", .model, .optional, "Model whose weights the training begins with."),
                    TaskPort("checks", .json, .any, "Reports of image.check: nobody without one takes part."),
                ],
            outputs: [
                TaskPort("model", .model, .one, "The model: weights and card in one safetensors file."),
                TaskPort("curve", .table, .one, "Loss and metric per epoch."),
                TaskPort("split", .table, .one, "Who was trained on and who only judged by."),
            ],
            parameters: trainingParameters,
            measurements: [
                MeasurementDeclaration("epochs", unit: "1", "Epochs trained."),
                MeasurementDeclaration(
                    "best_epoch", unit: "1",
                    "Epoch of the weights that were kept, counted from 1; none where they are averaged."),
                MeasurementDeclaration("training_loss", unit: "1", "Mean loss of the last epoch."),
                MeasurementDeclaration(
                    "validation_loss", unit: "1",
                    "Loss of the weights that were kept on patches of the validation people."),
                MeasurementDeclaration("validation_metric", unit: "1", "Metric on the same (term names it)."),
                MeasurementDeclaration(
                    "dice", unit: "1",
                    "Dice coefficient of a class (term names it) on whole images of the validation people, mean over people."
                ),
                MeasurementDeclaration("parameters", unit: "1", "Trainable parameters."),
                MeasurementDeclaration(
                    "training_voxels", unit: "1",
                    "Voxels of a class (term names it) in the label maps of the people trained on: 0 is not learned."),
            ],
            resources: TaskResources(cores: 2, memoryMiB: 8192), timeoutSeconds: 7 * 86400, keepsProgress: true,
            rules: .training),
        TaskKind(
            name: "network.segment", version: 5,
            summary: "Applies a segmentation model, or several as an ensemble, to a person's images.",
            scopes: [.session],
            inputs: imagePorts + [
                modelPort,
                TaskPort("check", .json, .optional, "Report of image.check."),
            ],
            outputs: [
                TaskPort("labels", .labelMap, .one, "Class per voxel, on the grid of the image."),
                TaskPort("table", .table, .one, "Class numbers and names."),
                TaskPort(
                    "probabilities", .volume, .optional,
                    "With the parameter of that name: 4-D, volume n the probability of label n, from background on."),
            ],
            parameters: [
                units,
                TaskParameter(
                    "probabilities", .boolean, default: false, "Write the probabilities of all classes as well."),
                TaskParameter("overlap", .number(0...0.9), default: 0.5, "Share by which windows overlap."),
                TaskParameter(
                    "flips", .list, default: [],
                    "Axes (width, height, depth) along which mirrored predictions are averaged in."),
                TaskParameter(
                    "whole_volume", .boolean, default: false,
                    "Take the volume as one window; fails, saying what it needs, where that exceeds the step's memory."),
                TaskParameter(
                    "largest_piece", .boolean, default: false,
                    "Of every class keep the largest piece; for classes that are one piece each, such as nuclei of one side."
                ),
                TaskParameter(
                    "fill_holes", .boolean, default: false, "Background that a class encloses becomes that class."),
                TaskParameter(
                    "smallest_mm3", .number(0...1_000_000), default: 0,
                    "Pieces of a class that are smaller become background."),
            ],
            measurements: [
                MeasurementDeclaration("volume", unit: "mm3", "Volume of the class."),
                MeasurementDeclaration("voxels", unit: "1", "Voxels of the class."),
            ],
            resources: TaskResources(cores: 1, memoryMiB: 4096), timeoutSeconds: 3600, rules: .segmenting),
        TaskKind(
            name: "network.classify", version: 5,
            summary: "Applies a classification model, or an ensemble, to a person's image, or to each lesion in it.",
            scopes: [.session],
            inputs: imagePorts + [
                TaskPort("lesions", .labelMap, .optional, "Lesions by number, on the grid of the image."),
                TaskPort(
                    "features", .table, .optional,
                    "Column lesion and the columns of numbers that the model was trained with, where it takes any."),
                TaskPort(
                    "regions", .labelMap, .optional,
                    "Regions on the grid of the image: slices that meet none are left out of the table of slices."),
                modelPort,
                TaskPort("check", .json, .optional, "Report of image.check."),
            ],
            outputs: [
                TaskPort("table", .table, .one, "One row per image or lesion: class and probabilities."),
                TaskPort(
                    "slices", .table, .optional,
                    "One row per slice, of models that judge slices one by one; with regions, of slices that meet one."),
            ],
            parameters: [units],
            measurements: [
                MeasurementDeclaration(
                    "probability", unit: "1", "Probability of a class (term names it; region names the lesion)."),
                MeasurementDeclaration("decision", unit: "1", "Index of the most probable class."),
            ],
            resources: TaskResources(cores: 1, memoryMiB: 4096), timeoutSeconds: 3600, rules: .classifying),
    ]

    private static let furtherChannels = [("images2", "Second"), ("images3", "Third"), ("images4", "Fourth")]

    private static let imagePorts = [
        TaskPort("image", .volume, .one, "First channel of the model."),
        TaskPort("image2", .volume, .optional, "Second channel, on the grid of the first."),
        TaskPort("image3", .volume, .optional, "Third channel, on the grid of the first."),
        TaskPort("image4", .volume, .optional, "Fourth channel, on the grid of the first."),
        TaskPort(
            "mask", .mask, .optional, "Brain mask on the grid of the image, where the model normalises inside one."),
    ]

    private static let modelPort = TaskPort(
        "model", .model, .many,
        "Model of network.train, or imported; of several that were made alike, the folds of a cross-validation say, "
            + "probabilities are averaged.")

    static let units = TaskParameter(
        "units", .choice(["sidecar", "ppm", "ppb"]), default: "sidecar",
        "Unit of susceptibility maps: as their sidecars say, or stated here for data without.")
}
