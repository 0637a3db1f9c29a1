import BIDS

extension TaskKindCatalog {
    /// Kinds that look at lesions one by one.
    static let lesionKinds = [
        TaskKind(
            name: "lesions.components", version: 3,
            summary:
                "Lesions one by one: numbers the connected pieces of a label map and says where and what they are.",
            scopes: [.session],
            inputs: [
                TaskPort("labels", .labelMap, .one, "Classes of lesions, a mask of them, or lesions by number."),
                TaskPort(
                    "table", .table, .optional,
                    "Names of the classes (columns index, name), or classes of lesions by number (columns lesion, class)."
                ),
                TaskPort(
                    "probabilities", .volume, .optional,
                    "How sure a network was, on the grid of the labels: one volume, or volume n for label n."),
                TaskPort("chimap", .volume, .optional, "Susceptibility map on the grid of the labels."),
                TaskPort("regions", .labelMap, .optional, "Anatomical regions on the grid of the labels."),
                TaskPort("regions_table", .table, .optional, "Their numbers and names."),
                TaskPort(
                    "mask", .mask, .optional, "Brain mask on the grid of the labels: nothing outside it is a lesion."),
                TaskPort("check", .json, .optional, "Report of image.check."),
            ],
            outputs: [
                TaskPort(
                    "labels", .labelMap, .one,
                    "Lesions by number: class by class, the largest of each first; given numbers stay."),
                TaskPort(
                    "table", .table, .one,
                    "One row per lesion: number, class, centre (scanner mm, RAS), size, χ in ppm, shape, region, probability."
                ),
            ],
            parameters: [numbers("numbers", "labels")] + lesionMaking + [units],
            measurements: [
                MeasurementDeclaration("lesions", unit: "1", "Lesions of a class (term names it)."),
                MeasurementDeclaration("total_volume", unit: "mm3", "Their volume together."),
                MeasurementDeclaration("x", unit: "mm", "Centre of a lesion (region is lesion-N), to the right."),
                MeasurementDeclaration("y", unit: "mm", "Centre, to the front."),
                MeasurementDeclaration("z", unit: "mm", "Centre, upwards."),
                MeasurementDeclaration("voxels", unit: "1", "Voxels of a lesion."),
                MeasurementDeclaration("volume", unit: "mm3", "Volume of a lesion."),
                MeasurementDeclaration("diameter", unit: "mm", "Diameter of a sphere of that volume."),
                MeasurementDeclaration("mean", unit: "ppm", "Mean χ of a lesion."),
                MeasurementDeclaration("peak", unit: "ppm", "χ of the largest magnitude in it, with its sign."),
                MeasurementDeclaration("sphericity", unit: "1", "Surface of a sphere of its volume over its surface."),
                MeasurementDeclaration("elongation", unit: "1", "Second over first principal axis."),
                MeasurementDeclaration("flatness", unit: "1", "Third over first principal axis."),
                MeasurementDeclaration("mean_probability", unit: "1", "Mean probability inside a lesion."),
                MeasurementDeclaration("max_probability", unit: "1", "Largest probability inside it."),
                MeasurementDeclaration(
                    "region_share", unit: "1", "Share of a lesion in the region that holds most of it (term names it)."),
                MeasurementDeclaration("centre_region", unit: "1", "1 for the region at its centre (term names it)."),
            ],
            resources: TaskResources(cores: 1, memoryMiB: 2048), timeoutSeconds: 900),
        matching, selecting,
    ]

    private static let matching = TaskKind(
        name: "lesions.match", version: 2,
        summary: "Says what lesions by number, candidates say, are in a reference: classes for a classifier to learn.",
        scopes: [.session],
        inputs: [
            TaskPort("lesions", .labelMap, .one, "Lesions by number, of lesions.candidates or of anybody."),
            TaskPort(
                "reference", .labelMap, .one,
                "The lesions that there are, on the same grid: their classes, a mask of them, or lesions by number."),
            TaskPort(
                "reference_table", .table, .optional,
                "Names of its classes (columns index, name), or classes of its lesions by number (columns lesion, class)."
            ),
        ],
        outputs: [
            TaskPort(
                "targets", .table, .one,
                "One row per lesion: its class, and with which lesion of the reference it was matched; the targets of "
                    + "classifier.train, the truth of evaluate.classification.")
        ],
        parameters: [
            TaskParameter(
                "rule", .choice(["overlap", "iou", "centre", "valdo"]), default: "overlap",
                "When a lesion is one of the reference; several may be the same one by overlap (and valdo where equally near), "
                    + "and one that meets several is the one that it shares most voxels with."),
            TaskParameter("other", .text, default: "other", "Class of lesions that are none of the reference."),
            numbers("reference_numbers", "the reference"), rename("the reference"),
        ] + matchingRules + lesionMaking,
        measurements: [
            MeasurementDeclaration("lesions", unit: "1", "Lesions of a class (term names it)."),
            MeasurementDeclaration("references", unit: "1", "Lesions of the reference of a class."),
            MeasurementDeclaration("missed", unit: "1", "Those of them that no lesion was matched with."),
        ],
        resources: TaskResources(cores: 1, memoryMiB: 2048), timeoutSeconds: 900)

    private static let selecting = TaskKind(
        name: "lesions.select", version: 1,
        summary:
            "Keeps the lesions that a classifier decided for, as a map of their classes like that of network.segment.",
        scopes: [.session],
        inputs: [
            TaskPort("lesions", .labelMap, .one, "Lesions by number, of lesions.candidates or of anybody."),
            TaskPort(
                "decisions", .table, .one,
                "Table of classifier.apply or network.classify: columns lesion, class and p_CLASS."),
        ],
        outputs: [
            TaskPort("labels", .labelMap, .one, "Class of the lesions that are kept, on the grid of the lesions."),
            TaskPort("table", .table, .one, "Class numbers and names."),
            TaskPort(
                "probabilities", .volume, .one,
                "4-D, volume n the probability of label n, from background on, in all lesions, kept or not; 0 of every class "
                    + "elsewhere."),
        ],
        parameters: [
            TaskParameter(
                "classes", .list, default: [],
                "Names of the classes to keep, label 1 first; none named means all of the table but other."),
            TaskParameter("other", .text, default: "other", "Class of what is no lesion."),
            TaskParameter(
                "threshold", .number(0...1), default: 0,
                "0: lesions that were decided to be of a class to keep; else those whose most probable class to keep has this "
                    + "probability."),
        ],
        measurements: [MeasurementDeclaration("lesions", unit: "1", "Lesions kept of a class (term names it).")],
        resources: TaskResources(cores: 1, memoryMiB: 2048), timeoutSeconds: 900)

    /// What the numbers of a label map without a table are.
    static func numbers(_ name: String, _ port: String) -> TaskParameter {
        TaskParameter(
            name, .choice(["classes", "lesions"]), default: "classes",
            "What the numbers of \(port) are where no table says it: classes, or one number per lesion.")
    }

    /// By which rule lesions of two sides are one.
    static let matchingRules = [
        TaskParameter(
            "overlap_voxels", .integer(1...1_000_000), default: 1,
            "For overlap: common voxels; any prediction that touches a reference is right."),
        TaskParameter(
            "iou", .number(0.001...1), default: 0.1,
            "For iou: least intersection over union; one to one, the largest first."),
        TaskParameter(
            "centre_mm", .number(0.01...1000), default: 3,
            "For centre: largest distance between middles; one to one, the nearest first."),
        TaskParameter(
            "valdo_mm", .number(0.01...1000), default: 3,
            "For valdo: each prediction goes to its nearest reference if nearer than this; the nearest of several is right. The "
                + "distance of the challenge is not published; this one is qsmflow's."
        ),
    ]

    static func rename(_ side: String) -> TaskParameter {
        TaskParameter("rename", .map, default: [:], "Other names for classes of \(side), e.g. {cmb: microbleed}.")
    }

    static let lesionMaking = [
        TaskParameter(
            "connectivity", .integer(6...26), default: 26,
            "Voxels touch by faces (6), also edges (18), or also corners (26)."),
        TaskParameter("smallest_mm3", .number(0...1_000_000), default: 0, "Lesions smaller than this are left out."),
        TaskParameter("classes", .list, default: [], "Names of the classes that are lesions; none named means all."),
    ]
}
