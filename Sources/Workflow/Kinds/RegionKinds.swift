import BIDS

extension TaskKindCatalog {
    /// Kinds that measure inside regions.
    static let regionKinds = [
        TaskKind(
            name: "labels.refine", version: 2,
            summary: "Moves the borders of regions to where the susceptibility map shows them.",
            scopes: [.session],
            inputs: [
                TaskPort("image", .volume, .one, "Image that shows the regions: the susceptibility map."),
                TaskPort("labels", .labelMap, .one, "Regions on the grid of the image."),
                TaskPort("table", .table, .one, "Region numbers and names."),
                TaskPort("mask", .mask, .optional, "Brain mask on the grid of the image: nothing moves outside it."),
            ],
            outputs: [TaskPort("labels", .labelMap, .one, "The regions with their new borders.")],
            parameters: [
                TaskParameter(
                    "separability", .number(0...100), default: 1.2,
                    "Regions stay as they are where the median inside and around them differ by less than this many "
                        + "standard deviations; 100 leaves all alone."),
                TaskParameter("reach_mm", .number(0...10), default: 2, "How far a border may move."),
                TaskParameter(
                    "sigma_mm", .number(0.1...5), default: 1,
                    "How far borders are likely to be off: the standard deviation of the smoothing of the prior."),
            ],
            measurements: [
                MeasurementDeclaration(
                    "separability", unit: "1", "How far a region stands out from its surroundings, in deviations."),
                MeasurementDeclaration("volume_change", unit: "1", "Volume gained by the new border, as a fraction."),
            ],
            resources: TaskResources(cores: 1, memoryMiB: 1024), timeoutSeconds: 600),
        TaskKind(
            name: "roi.statistics", version: 2,
            summary: "Susceptibility per region, against several references side by side.",
            scopes: [.session],
            inputs: [
                TaskPort("chimap", .volume, .one, "Susceptibility map."),
                TaskPort("labels", .labelMap, .one, "Regions on the grid of the map."),
                TaskPort("table", .table, .one, "Region numbers and names."),
                TaskPort("mask", .mask, .optional, "Brain mask on the grid of the map."),
                TaskPort("brain", .mask, .optional, "Brain mask of the T1w image, used where there is no other."),
                TaskPort("transform", .transform, .optional, "Rigid map, map world mm to T1w world mm, for brain."),
            ],
            outputs: [TaskPort("table", .table, .one, "One row per region and reference.")],
            parameters: [
                TaskParameter(
                    "regions", .list, default: [],
                    "Regions to measure, by name or by words of their names: caudate is L_caudate and right_caudate; none named "
                        + "means all."),
                TaskParameter(
                    "references", .list, default: ["none", "whole_brain", "csf"],
                    "What χ is referenced to: none, whole_brain, csf, or names of regions."),
                TaskParameter(
                    "csf_regions", .list,
                    default: ["csf", "ventricles", "lateral_ventricle", "L_lateral_ventricle", "R_lateral_ventricle"],
                    "Names of the regions that hold cerebrospinal fluid."),
                TaskParameter(
                    "units", .choice(["sidecar", "ppm", "ppb"]), default: "sidecar",
                    "Unit of the susceptibility map: as its sidecar says, or stated here."),
                TaskParameter(
                    "high_deviations", .number(0...5), default: 1,
                    "The high-χ sub-region of a region are its voxels above mean + this many standard deviations."),
            ],
            measurements: [
                MeasurementDeclaration("voxels", unit: "1", "Voxels of the region."),
                MeasurementDeclaration("volume", unit: "mm3", "Volume of the region."),
                MeasurementDeclaration("missing_fraction", unit: "1", "Voxels of the region without a χ value."),
                MeasurementDeclaration("mean", unit: "ppm", "Mean χ against the reference."),
                MeasurementDeclaration("sd", unit: "ppm", "Standard deviation of χ."),
                MeasurementDeclaration("median", unit: "ppm", "Median χ against the reference."),
                MeasurementDeclaration("p5", unit: "ppm", "5th percentile."),
                MeasurementDeclaration("p25", unit: "ppm", "25th percentile."),
                MeasurementDeclaration("p75", unit: "ppm", "75th percentile."),
                MeasurementDeclaration("p95", unit: "ppm", "95th percentile."),
                MeasurementDeclaration("high_mean", unit: "ppm", "Mean χ of the high-χ sub-region."),
                MeasurementDeclaration("high_volume", unit: "mm3", "Volume of the high-χ sub-region."),
                MeasurementDeclaration("reference_value", unit: "ppm", "Value subtracted."),
            ],
            resources: TaskResources(cores: 1, memoryMiB: 1024), timeoutSeconds: 600),
        TaskKind(
            name: "subject.aggregate", version: 1,
            summary: "One table per person over sessions: mean over sessions and change between them.",
            scopes: [.subject],
            inputs: [TaskPort("tables", .table, .many, "Region tables of the sessions.")],
            outputs: [TaskPort("table", .table, .one, "One row per region and reference.")],
            measurements: [
                MeasurementDeclaration("mean", unit: "ppm", "Mean χ over the sessions."),
                MeasurementDeclaration("volume", unit: "mm3", "Mean volume over the sessions."),
                MeasurementDeclaration("sessions", unit: "1", "Sessions that contributed."),
                MeasurementDeclaration("change", unit: "ppm", "Last minus first session, with two or more."),
            ],
            resources: TaskResources(cores: 1, memoryMiB: 256), timeoutSeconds: 300),
    ]
}
