import BIDS

extension TaskKindCatalog {
    /// Kinds that look at one person's images.
    static let imagingKinds = [
        TaskKind(
            name: "image.check", version: 1,
            summary: "Reads every voxel of a person's images once and refuses what later steps could not use.",
            scopes: [.session],
            inputs: [
                TaskPort("t1w", .volume, .one, "T1-weighted image."),
                TaskPort(
                    "chimap", .volume, .optional,
                    "Susceptibility map, where the workflow has one; its sidecar says ppm or ppb."),
                TaskPort("mask", .mask, .optional, "Brain mask on the grid of the susceptibility map."),
                TaskPort("magnitude", .volume, .optional, "Gradient-echo magnitude on the grid of the map."),
            ],
            outputs: [TaskPort("report", .json, .one, "What was found; later steps take it as their gate.")],
            parameters: [
                TaskParameter(
                    "units", .choice(["sidecar", "ppm", "ppb"]), default: "sidecar",
                    "Unit of the susceptibility map: as its sidecar says, or stated here for data without one."),
                TaskParameter(
                    "nonfinite_limit", .number(0...1), default: 0.01,
                    "Largest fraction of not-a-number or infinite voxels inside the brain."),
                TaskParameter(
                    "plausible_ppm", .number(0.1...100), default: 2,
                    "The 99th percentile of |χ| in the brain must stay below this, ppm; above it the unit is wrong."),
                TaskParameter(
                    "shear_limit", .number(0...1), default: 0.01,
                    "Largest absolute cosine between two voxel axes; beyond it the affine is sheared."),
            ],
            measurements: [
                MeasurementDeclaration("voxel_volume", unit: "mm3", "Voxel volume of the susceptibility map."),
                MeasurementDeclaration(
                    "nonfinite_fraction", unit: "1", "Not-a-number or infinite voxels in the brain."),
                MeasurementDeclaration("chi_p99_abs", unit: "ppm", "99th percentile of |χ| in the brain."),
                MeasurementDeclaration("chi_sd", unit: "ppm", "Standard deviation of χ in the brain."),
            ],
            resources: TaskResources(cores: 1, memoryMiB: 1024), timeoutSeconds: 600),
        TaskKind(
            name: "brain.mask", version: 1,
            summary:
                "Brain mask of a T1-weighted head: a deformable surface, or a supplied mask moved to the T1w image.",
            scopes: [.session],
            inputs: [
                TaskPort("t1w", .volume, .one, "T1-weighted image of the head or of the brain."),
                TaskPort("check", .json, .optional, "Report of image.check."),
                TaskPort("supplied", .mask, .optional, "Brain mask to use instead, on any grid of the same world."),
            ],
            outputs: [TaskPort("mask", .mask, .one, "Brain mask on the grid of the T1-weighted image.")],
            parameters: [
                TaskParameter(
                    "dilation_mm", .number(0...20), default: 0, "Widen the mask by this many millimetres.")
            ],
            measurements: [
                MeasurementDeclaration("brain_volume", unit: "mm3", "Volume of the brain mask."),
                MeasurementDeclaration("stripped", unit: "1", "1 when the image came without skull."),
            ],
            resources: TaskResources(cores: 1, memoryMiB: 1536), timeoutSeconds: 900),
        TaskKind(
            name: "image.slab", version: 1,
            summary: "Brings a person's images to a slab: a box about regions, upright in an atlas or in the scanner.",
            scopes: [.session],
            inputs: [
                TaskPort("chimap", .volume, .one, "Susceptibility map."),
                TaskPort("labels", .labelMap, .one, "Regions on the grid of the map."),
                TaskPort("table", .table, .one, "Their numbers and names."),
                TaskPort("t1w", .volume, .optional, "T1-weighted image."),
                TaskPort("brain", .mask, .optional, "Brain mask on the grid of the T1-weighted image."),
                TaskPort("mask", .mask, .optional, "Brain mask on the grid of the map."),
                TaskPort(
                    "transform", .transform, .optional,
                    "Rigid map, χ world mm to T1w world mm; without it the two are one world."),
                TaskPort(
                    "affine", .transform, .any,
                    "Affine map of registration.atlas: the slab lies in the atlas, of several in the first. Without, the slab is "
                        + "upright in the world of the map, about the person's own regions."),
                TaskPort("atlas_labels", .labelMap, .any, "Regions of the atlas, which the slab is laid about."),
                TaskPort("atlas_table", .table, .any, "Their numbers and names."),
            ],
            outputs: [
                TaskPort("chimap", .volume, .one, "Susceptibility, ppm; 0 outside the brain."),
                TaskPort("labels", .labelMap, .one, "The regions that are named, and no others."),
                TaskPort(
                    "slices", .table, .one, "One row per slice that meets a region: the mean χ of each region in it."),
                TaskPort("t1w", .volume, .optional, "T1-weighted image, where there is one."),
                TaskPort(
                    "mask", .mask, .optional,
                    "Brain mask, where there is one; of the regions where those alone are kept."),
            ],
            parameters: [
                TaskParameter(
                    "units", .choice(["sidecar", "ppm", "ppb"]), default: "sidecar",
                    "Unit of the susceptibility map: as its sidecar says, or stated here."),
                TaskParameter(
                    "regions", .list, default: [],
                    "Regions that the slab is laid about, by name or by words of their names: caudate is L_caudate and "
                        + "right_caudate; none named means all."),
                TaskParameter("spacing_mm", .number(0.2...10), default: 1, "Edge of its voxels, mm."),
                TaskParameter(
                    "size", .list, default: [128, 128, 72],
                    "Its voxels along left–right, back–front and down–up; its middle is that of the regions."),
                TaskParameter(
                    "reference", .choice(["whole_brain", "none"]), default: "whole_brain",
                    "What χ is taken against: the mean of the brain, or nothing."),
                TaskParameter(
                    "keep", .choice(["brain", "regions"]), default: "brain",
                    "What the images show: the brain, or the regions alone and 0 elsewhere, which fewer people can be learned from."
                ),
            ],
            measurements: [
                MeasurementDeclaration("slices", unit: "1", "Slices of the slab that meet a region."),
                MeasurementDeclaration("volume", unit: "mm3", "Volume of the regions in the person's own map."),
                MeasurementDeclaration("slab_volume", unit: "mm3", "Their volume in the slab."),
            ],
            resources: TaskResources(cores: 1, memoryMiB: 1536), timeoutSeconds: 600,
            rules: StepRules([{ step in _ = try step.slabSize() }])),
        TaskKind(
            name: "qc.pictures", version: 1,
            summary: "Mosaics with label outlines, for people to look at, and the numbers that flag outliers.",
            scopes: [.session],
            inputs: [
                TaskPort("t1w", .volume, .one, "T1-weighted image."),
                TaskPort("chimap", .volume, .optional, "Susceptibility map, where the workflow has one."),
                TaskPort("labels", .labelMap, .optional, "Regions on the grid of the susceptibility map."),
                TaskPort("labels_t1w", .labelMap, .optional, "Regions on the grid of the T1-weighted image."),
                TaskPort("brain", .mask, .optional, "Brain mask on the grid of the T1-weighted image."),
                TaskPort("registrations", .json, .many, "Quality reports of registration.atlas."),
            ],
            outputs: [
                TaskPort("chimap_mosaic", .picture, .optional, "Susceptibility map with region outlines."),
                TaskPort("t1w_mosaic", .picture, .one, "T1-weighted image with region and brain outlines."),
                TaskPort("report", .json, .one, "The numbers, for cohort.qc."),
            ],
            parameters: [
                TaskParameter(
                    "units", .choice(["sidecar", "ppm", "ppb"]), default: "sidecar",
                    "Unit of the susceptibility map: as its sidecar says, or stated here."),
                TaskParameter(
                    "window_ppm", .number(0.01...10), default: 0.15, "Grey window of the susceptibility map, ± ppm."),
            ],
            measurements: [
                MeasurementDeclaration(
                    "registration_similarity", unit: "1", "Mean local correlation after registration."),
                MeasurementDeclaration(
                    "jacobian_minimum", unit: "1", "Smallest local volume change of the deformation."),
                MeasurementDeclaration("folded_fraction", unit: "1", "Voxels where the deformation folds."),
                MeasurementDeclaration("inverse_error", unit: "mm", "Mean distance after going there and back."),
            ],
            resources: TaskResources(cores: 1, memoryMiB: 1024), timeoutSeconds: 600),
    ]
}

extension StepSettings {
    /// Voxels of a slab along left–right, back–front and down–up.
    package func slabSize() throws(StepFinding) -> [Int] {
        let what = "three whole numbers from 1 to 1024: left–right, back–front and down–up"
        let size = try numbers("size", what) { $0 == $0.rounded() && (1...1024).contains($0) }
        guard size.count == 3 else { throw StepFinding("size", "size is \(what)") }
        return size.map { Int($0) }
    }
}
