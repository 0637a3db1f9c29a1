import BIDS

extension TaskKindCatalog {
    /// Kinds that describe regions by many features.
    static let radiomicsKinds = [
        TaskKind(
            name: "radiomics.extract", version: 2,
            summary: "Radiomic features of every region or lesion of an image: one row each, one column per feature.",
            scopes: [.session],
            inputs: [
                TaskPort("image", .volume, .one, "Image to measure."),
                TaskPort("labels", .labelMap, .one, "Regions, or lesions by number, on the grid of the image."),
                TaskPort(
                    "table", .table, .optional,
                    "Region numbers and names; without it the regions are lesions and the first column is lesion."),
            ],
            outputs: [
                TaskPort(
                    "table", .table, .one,
                    "One row per region: its number, name, one column per feature, and in the column missing why some are n/a."
                )
            ],
            parameters: [
                TaskParameter(
                    "preset", .choice(["ibsi", "pyradiomics", "qsmrim"]), default: "pyradiomics",
                    "Whose definitions and names: those of the IBSI, those of PyRadiomics, or the 527 of QSMRim-Net."),
                TaskParameter(
                    "families", .list, default: [],
                    "Families (ibsi) or classes (pyradiomics) of features; none named means all."),
                TaskParameter(
                    "discretisation", .choice(["bin_width", "bin_number"]), default: "bin_width",
                    "Grey levels by bins of one width, or by one number of bins per region; not for qsmrim."),
                TaskParameter(
                    "bin_width", .number(1e-9...1e9), default: 25,
                    "Width of a bin, in the unit of the image after scale."),
                TaskParameter("bin_number", .integer(2...4096), default: 32, "Bins between the extremes of a region."),
                TaskParameter(
                    "scale", .number(1e-9...1e9), default: 1,
                    "Factor on the values of the image: 1000 turns ppm to ppb; not for qsmrim."),
                TaskParameter(
                    "units", .choice(["sidecar", "ppm", "ppb"]), default: "sidecar",
                    "For qsmrim the unit of the susceptibility map: as its sidecar says, or stated here."),
                TaskParameter(
                    "aggregation", .list, default: ["3D_comb"],
                    "For ibsi how slices and directions are merged: 2D_avg, 2D_comb, 2_5D_avg, 2_5D_comb, 3D_avg, 3D_comb."
                ),
                TaskParameter(
                    "spacing_mm", .number(0...20), default: 0,
                    "For ibsi the voxel size to interpolate to, along all axes; 0 keeps the voxels."),
                TaskParameter(
                    "interpolation", .choice(["trilinear", "tricubic"]), default: "trilinear",
                    "How the image is interpolated; regions always are by shares of voxels."),
                TaskParameter(
                    "range", .list, default: [],
                    "For ibsi the lowest and the highest value that count, after scale; none named means all."),
                TaskParameter(
                    "outlier_deviations", .number(0...100), default: 0,
                    "For ibsi values further from the mean of their region than this many standard deviations do not "
                        + "count; 0 keeps all."),
                TaskParameter(
                    "filters", .records(key: "filter", ImageFilterShapes.all), default: [],
                    "Filters whose responses are measured too, but for shape and local intensity; columns such as "
                        + "log-sigma-3-mm-3D_firstorder_Mean; not for qsmrim."),
                TaskParameter(
                    "measurements", .list, default: [],
                    "Names of features that are written to the database too, besides the table."),
            ],
            measurements: [
                MeasurementDeclaration("voxels", unit: "1", "Voxels of the region."),
                MeasurementDeclaration("volume", unit: "mm3", "Volume of the voxels of the region."),
                MeasurementDeclaration("missing_features", unit: "1", "Features that the region does not have."),
                MeasurementDeclaration(
                    "feature", unit: "1",
                    "A feature named in measurements (term names it), as the table has it: lengths, areas and volumes in mm, mm² and mm³, "
                        + "intensities as the preset scales them, whatever the column unit says."),
            ],
            resources: TaskResources(cores: 2, memoryMiB: 2048), timeoutSeconds: 3600,
            rules: .radiomics)
    ]
}
