import BIDS

extension TaskKindCatalog {
    /// Kinds that train networks and apply them.
    static let networkKinds = [
        TaskKind(
            name: "network.train", version: 2,
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
                    TaskPort("targets", .table, .any, "Classes of lesions: columns lesion (its number) and class."),
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
                    "Epoch of the weights that were kept, counted from 1; none where weights are averaged."),
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
            ],
            resources: TaskResources(cores: 2, memoryMiB: 8192), timeoutSeconds: 7 * 86400, keepsProgress: true),
        TaskKind(
            name: "network.segment", version: 1,
            summary: "Applies a segmentation model to a person's images.",
            scopes: [.session],
            inputs: imagePorts + [
                TaskPort("model", .model, .one, "Model of network.train, or imported."),
                TaskPort("check", .json, .optional, "Report of image.check."),
            ],
            outputs: [
                TaskPort("labels", .labelMap, .one, "Class per voxel, on the grid of the image."),
                TaskPort("table", .table, .one, "Class numbers and names."),
            ],
            parameters: [
                units,
                TaskParameter("overlap", .number(0...0.9), default: 0.5, "Share by which windows overlap."),
                TaskParameter(
                    "flips", .list, default: [],
                    "Axes (width, height, depth) along which mirrored predictions are averaged in."),
                TaskParameter(
                    "whole_volume", .boolean, default: false,
                    "Take the volume as one window; fails, saying what it needs, where that exceeds the step's memory."),
                TaskParameter(
                    "smallest_mm3", .number(0...1_000_000), default: 0,
                    "Pieces of a class that are smaller become background."),
            ],
            measurements: [
                MeasurementDeclaration("volume", unit: "mm3", "Volume of the class."),
                MeasurementDeclaration("voxels", unit: "1", "Voxels of the class."),
            ],
            resources: TaskResources(cores: 1, memoryMiB: 4096), timeoutSeconds: 3600),
        TaskKind(
            name: "network.classify", version: 2,
            summary: "Applies a classification model to a person's image, or to each lesion in it.",
            scopes: [.session],
            inputs: imagePorts + [
                TaskPort("lesions", .labelMap, .optional, "Lesions by number, on the grid of the image."),
                TaskPort("model", .model, .one, "Model of network.train, or imported."),
                TaskPort("check", .json, .optional, "Report of image.check."),
            ],
            outputs: [TaskPort("table", .table, .one, "One row per image or lesion: class and probabilities.")],
            parameters: [units],
            measurements: [
                MeasurementDeclaration(
                    "probability", unit: "1", "Probability of a class (term names it; region names the lesion)."),
                MeasurementDeclaration("decision", unit: "1", "Index of the most probable class."),
            ],
            resources: TaskResources(cores: 1, memoryMiB: 4096), timeoutSeconds: 3600),
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

    private static let units = TaskParameter(
        "units", .choice(["sidecar", "ppm", "ppb"]), default: "sidecar",
        "Unit of susceptibility maps: as their sidecars say, or stated here for data without.")

    private static let trainingParameters = [
        units,
        TaskParameter(
            "channels", .list, default: [],
            "What the channels are, in order: {modality: Chimap, units: ppm, normalise: clip, range: [-0.25, 0.25]}; normalise is none, "
                + "clip, zscore, zscore_mask or percentiles."),
        TaskParameter(
            "classes", .list, default: [],
            "Classes beside background: {name: caudate, labels: [1, 2]}; empty: one class of all that is labelled."),
        TaskParameter("target", .text, default: "", "Column of participants.tsv to tell people apart by."),
        TaskParameter(
            "network", .choice(["unet", "resunet", "resnet18"]), default: "unet",
            "U-Net or residual U-Net for segmentation, ResNet-18 for classification."),
        TaskParameter("rank", .integer(2...3), default: 3, "2 for networks of slices, 3 of volumes."),
        TaskParameter("widths", .list, default: [16, 32, 64, 128, 256], "Channels per level, finest first."),
        TaskParameter(
            "normalisation", .choice(["none", "batch", "instance"]), default: "instance", "Of the network's layers."),
        TaskParameter("dropout", .number(0...0.9), default: 0, "Probability of dropping a value, at every level."),
        TaskParameter(
            "spacing_mm", .list, default: [],
            "Voxel size along left–right, back–front and down–up that images are brought to; empty: as the first image."
        ),
        TaskParameter("patch", .list, default: [64, 64, 64], "Voxels along left–right, back–front and down–up."),
        TaskParameter("batch", .integer(1...1024), default: 2, "Patches per step."),
        TaskParameter("epochs", .integer(1...100_000), default: 100, "Passes over the samples."),
        TaskParameter(
            "samples_per_epoch", .integer(0...10_000_000), default: 0, "Patches per epoch; 0: eight per training image."
        ),
        TaskParameter(
            "foreground_fraction", .number(0...1), default: 0.33, "Share of the patches centred on foreground."),
        TaskParameter(
            "loss", .list, default: ["dice", "cross_entropy"], "Sum of these: dice, cross_entropy, focal."),
        TaskParameter("optimiser", .choice(["adam", "adamw", "sgd"]), default: "adam", "How weights are changed."),
        TaskParameter("learning_rate", .number(1e-8...10), default: 0.001, "Of the first epochs."),
        TaskParameter("weight_decay", .number(0...1), default: 0, "Shrinks weights at every step."),
        TaskParameter(
            "schedule", .choice(["constant", "polynomial", "cosine"]), default: "polynomial",
            "How the learning rate falls: not, as (1 − done)^0.9, or along half a cosine."),
        TaskParameter(
            "gradient_norm", .number(0...10_000), default: 0, "Gradients longer than this are shortened; 0: never."),
        TaskParameter(
            "averaging_from", .integer(0...100_000), default: 0,
            "Weights are averaged after this epoch and all later ones (stochastic weight averaging), counted from 1; 0: not at "
                + "all."),
        TaskParameter(
            "averaging_rate", .number(0...10), default: 0,
            "Learning rate from averaging_from on; 0: that of the schedule, which by then may be too small to move."),
        TaskParameter(
            "patience", .integer(0...100_000), default: 0,
            "Stop after this many epochs without a better validation metric; 0: never."),
        TaskParameter(
            "augmentation", .choice(["none", "flips", "standard"]), default: "standard",
            "Random changes of patches: none, mirroring, or also turns, scaling, noise, blur, bias."),
        TaskParameter(
            "lateral_pairs", .list, default: [],
            "Pairs of class names that swap when an image is mirrored left to right: [[L_caudate, R_caudate]]."),
        TaskParameter(
            "validation", .number(0...0.9), default: 0.2, "Share of the people that are only judged by, not trained on."
        ),
        TaskParameter("seed", .integer(0...Int(Int32.max)), default: 1, "Of everything random."),
    ]
}
