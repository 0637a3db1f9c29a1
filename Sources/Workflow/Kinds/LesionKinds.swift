import BIDS

extension TaskKindCatalog {
    /// Kinds that look at lesions one by one.
    static let lesionKinds = [
        TaskKind(
            name: "lesions.components", version: 2,
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
            resources: TaskResources(cores: 1, memoryMiB: 2048), timeoutSeconds: 900)
    ]

    /// What the numbers of a label map without a table are.
    static func numbers(_ name: String, _ port: String) -> TaskParameter {
        TaskParameter(
            name, .choice(["classes", "lesions"]), default: "classes",
            "What the numbers of \(port) are where no table says it: classes, or one number per lesion.")
    }

    static let lesionMaking = [
        TaskParameter(
            "connectivity", .integer(6...26), default: 26,
            "Voxels touch by faces (6), also edges (18), or also corners (26)."),
        TaskParameter("smallest_mm3", .number(0...1_000_000), default: 0, "Lesions smaller than this are left out."),
        TaskParameter("classes", .list, default: [], "Names of the classes that are lesions; none named means all."),
    ]
}
