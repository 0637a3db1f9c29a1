import BIDS

/// Parameters of `network.train`, by topic. What suits one network only says so; stated for another it is refused.
extension TaskKindCatalog {
    static let trainingParameters =
        about("data", dataParameters) + about("network", architectureParameters) + about("samples", samplingParameters)
        + about("augmentation", augmentationParameters) + about("loss and metric", lossParameters)
        + about("optimisation", optimisationParameters)

    private static func about(_ topic: String, _ parameters: [TaskParameter]) -> [TaskParameter] {
        parameters.map { parameter in
            var parameter = parameter
            parameter.topic = topic
            return parameter
        }
    }

    private static let dataParameters = [
        units,
        TaskParameter(
            "channels", .list, default: [],
            "What the channels are, in order: {modality: Chimap, units: ppm, normalise: clip, range: [-0.25, 0.25]}; normalise is none, "
                + "clip, zscore, zscore_padded (zeros around the image to size: [256, 256] count), zscore_mask or percentiles."
        ),
        TaskParameter(
            "classes", .list, default: [],
            "Of a segmentation, beside background: {name: caudate, labels: [1, 2]}, or by the names that tables give, of which each "
                + "table has one or more: {name: caudate, regions: [left_caudate, right_caudate]}; empty: one class of all that is "
                + "labelled. Of people or lesions their names, [no_rim, rim], of which folds then never disagree (of two the last "
                + "counts as positive); empty: those met."),
        TaskParameter(
            "target", .text, default: "", "Column of participants.tsv to tell people apart by.", namesColumns: true),
        TaskParameter(
            "positive", .text, default: "",
            "Of two classes to be told apart, the one whose probability is given and that counts as positive; empty: the last of "
                + "classes, or the rarer of the training samples.", valueOf: "target"),
        TaskParameter(
            "spacing_mm", .list, default: [],
            "Voxel size along left–right, back–front and down–up that images are brought to; empty: as the first image, and in a cross-validation as all of them."
        ),
        TaskParameter(
            "validation", .number(0...0.9), default: 0.2, "Share of the people that are only judged by, not trained on."
        ),
        TaskParameter("seed", .integer(0...Int(Int32.max)), default: 1, "Of everything random."),
        TaskParameter(
            "notes", .list, default: [],
            "Sentences for the model's card, such as where its recipe is from and what of it is not published."),
    ]

    private static let architectureParameters = [
        TaskParameter(
            "network", .choice(NetworkChoice.allCases.map(\.rawValue)),
            default: "unet",
            "To segment: unet, resunet (residual blocks), dbresunet (a second branch sees a larger field of view; Chai et al. "
                + "2020), deepmir (slices, six levels; Rashid et al. 2021). To classify: resnet18 people or lesions, qsmrim "
                + "lesions with features (Zhang et al. 2022), slices people by every slice of a slab (after Zabihi et al. 2021)."
        ),
        TaskParameter(
            "rank", .integer(2...3), default: 3,
            "2 for networks of slices, 3 of volumes; unet, resunet and resnet18 can be either."),
        TaskParameter(
            "widths", .list, default: [],
            "Channels per level, finest first; empty: 16 to 256 in five levels, of deepmir 32 to 1024 in six, of slices 16 to "
                + "128 in four stages, of resnet18 and qsmrim, which always have four, 64 to 512."),
        TaskParameter(
            "normalisation", .choice(["default", "none", "batch", "instance", "group"]), default: "default",
            "Of the layers of networks that segment; default: instance, of deepmir and dbresunet batch."),
        TaskParameter("groups", .integer(1...1024), default: 8, "Groups of channels of normalisation group."),
        TaskParameter(
            "upsampling", .choice(["transposed", "nearest", "linear"]), default: "transposed",
            "Of networks that segment: transposed convolution, or enlarged and then convolved."),
        TaskParameter(
            "dropout", .number(0...0.9), default: 0,
            "Probability of dropping a value, at every level of networks that segment."),
        TaskParameter(
            "level_dropout", .list, default: [],
            "In place of dropout one probability per level: [0.1, 0.1, 0.2, 0.2, 0.3]."),
        TaskParameter(
            "head_activation", .choice(["none", "relu"]), default: "none",
            "After the last convolution of unet, resunet and deepmir: relu takes negative logits away, as DEEPMIR's released code does."
        ),
        TaskParameter(
            "global_scale", .integer(2...8), default: 2,
            "Of dbresunet: voxel size of the global patch in voxels of the local one; the patch's edges are multiples of it."
        ),
        TaskParameter(
            "fusion", .choice(["sum", "concatenation"]), default: "sum",
            "Of qsmrim: how what image and features say is joined, as in the released code or in the paper's figure."),
        TaskParameter(
            "smote_includes_self", .boolean, default: false,
            "Of qsmrim: synthetic samples between a lesion and itself, mere copies, as the released code makes them."),
    ]

    private static let samplingParameters = [
        TaskParameter(
            "sampling", .choice(["default", "patches", "slices"]), default: "default",
            "Of segmentations: patches at random places, or (rank 2) whole slices, centred in the first two numbers of patch; "
                + "default: slices of deepmir, else patches."),
        TaskParameter(
            "skip_empty", .text, default: "",
            "Of sampling slices: modality of the channel (SWI, say) that leaves out slices in which it sums to 0 or less; the model "
                + "makes them background. Empty: none."
        ),
        TaskParameter(
            "patch", .list, default: [64, 64, 64],
            "Voxels along left–right, back–front and down–up; of rank 2 the last does not count, for network slices it is the "
                + "number of slices about the middle of the image."),
        TaskParameter("batch", .integer(1...1024), default: 2, "Patches per step."),
        TaskParameter("epochs", .integer(1...100_000), default: 100, "Passes over the samples."),
        TaskParameter(
            "samples_per_epoch", .integer(0...10_000_000), default: 0,
            "Patches per epoch of a segmentation; 0: eight per training image, or every slice once."),
        TaskParameter(
            "foreground_fraction", .number(0...1), default: 0.33,
            "Share of the patches centred on foreground, or of the slices with any."),
        TaskParameter(
            "foreground_weights", .map, default: [:],
            "How often each class is chosen for patches on foreground, by name: {caudate: 2}; others 1."),
        TaskParameter(
            "minimum_positives", .integer(0...1024), default: 0,
            "Of classifications: every batch has at least so many positive samples; qsmrim makes synthetic ones from 3 on."
        ),
    ]

    private static let augmentationParameters = [
        TaskParameter(
            "augmentation", .choice(["none", "flips", "standard", "lesions", "deepmir"]), default: "standard",
            "Random changes of patches: none, mirroring, standard (also turns, scaling, noise, blur, bias), lesions (mirrored, "
                + "turned by quarters and up to 5° about each axis, shifted up to 3 mm), or for sampling slices deepmir "
                + "(mirrored, turned and shifted as Rashid et al. 2021)."),
        TaskParameter(
            "rotation_degrees", .list, default: [],
            "Of augmentation standard: largest turns about the left–right, back–front and down–up axes; empty: 30 about each, of "
                + "slices 180 in their plane."),
        TaskParameter(
            "scaling", .list, default: [0.7, 1.4], "Of augmentation standard: smallest and largest factor of sizes."),
        TaskParameter(
            "elastic_mm", .number(0...50), default: 0,
            "Of augmentation standard: standard deviation of a smooth random displacement, for a fifth of the patches; 0: none."
        ),
        TaskParameter(
            "elastic_lattice_mm", .number(1...200), default: 20, "Distance of the points between which that is smooth."),
        TaskParameter(
            "lateral_pairs", .list, default: [],
            "Pairs of class names that swap when an image is mirrored left to right: [[L_caudate, R_caudate]]."),
    ]

    private static let lossParameters = [
        TaskParameter(
            "loss", .list, default: [],
            "Sum of these: dice, cross_entropy, focal, bce (binary cross-entropy); empty: dice and cross_entropy to segment, "
                + "cross_entropy of deepmir and resnet18, bce of qsmrim and slices."),
        TaskParameter(
            "class_weights", .map, default: [:],
            "Weights of classes in the loss, by name: {background: 0.1, rim: 5}; others 1. In bce the positive's weight over the "
                + "other's multiplies its samples."),
        TaskParameter(
            "metric", .choice(["default", "dice", "iou", "accuracy", "balanced_accuracy", "loss"]), default: "default",
            "Decides on the best epoch and early stopping; default: dice to segment, accuracy of resnet18 and slices, "
                + "balanced_accuracy (mean over classes of the share found) of qsmrim."),
    ]

    private static let optimisationParameters = [
        TaskParameter("optimiser", .choice(["adam", "adamw", "sgd"]), default: "adam", "How weights are changed."),
        TaskParameter("momentum", .number(0...0.999), default: 0.99, "Of sgd, after Nesterov."),
        TaskParameter("learning_rate", .number(1e-8...10), default: 0.001, "Of the first epochs."),
        TaskParameter("weight_decay", .number(0...1), default: 0, "Shrinks weights at every step."),
        TaskParameter(
            "schedule", .choice(["constant", "step", "polynomial", "cosine"]), default: "polynomial",
            "How the learning rate falls: not, in steps, as (1 − done)^0.9, or along half a cosine."),
        TaskParameter("step_epochs", .integer(1...100_000), default: 30, "Of schedule step: epochs from step to step."),
        TaskParameter(
            "step_factor", .number(1e-6...1), default: 0.1, "Of schedule step: multiplies the learning rate each time."),
        TaskParameter(
            "warm_up_batches", .integer(0...10_000_000), default: 0,
            "Steps over which the learning rate rises evenly to that of the schedule."),
        TaskParameter(
            "gradient_norm", .number(0...10_000), default: 0, "Gradients longer than this are shortened; 0: never."),
        TaskParameter(
            "averaging_from", .integer(0...100_000), default: 0,
            "Weights are averaged from this epoch, counted from 1, to the last (stochastic weight averaging); 0: not at all."
        ),
        TaskParameter(
            "averaging_rate", .number(0...10), default: 0,
            "Learning rate from averaging_from on; 0: that of the schedule, which by then may be too small to move."),
        TaskParameter(
            "patience", .integer(0...100_000), default: 0,
            "Stop after this many epochs without a better validation metric; 0: never."),
    ]
}
