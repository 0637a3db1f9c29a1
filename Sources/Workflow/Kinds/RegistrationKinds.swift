import BIDS

extension TaskKindCatalog {
    /// Kinds that find where one image lies in another.
    static let registrationKinds = [
        TaskKind(
            name: "registration.within-subject", version: 1,
            summary: "Rigid registration of a person's T1-weighted image to the space of the susceptibility map.",
            scopes: [.session],
            inputs: [
                TaskPort("t1w", .volume, .one, "T1-weighted image."),
                TaskPort("target", .volume, .one, "Gradient-echo magnitude or susceptibility map."),
                TaskPort("brain", .mask, .optional, "Brain mask on the grid of the T1-weighted image."),
                TaskPort("target_mask", .mask, .optional, "Brain mask on the grid of the target."),
                TaskPort("check", .json, .optional, "Report of image.check."),
            ],
            outputs: [TaskPort("transform", .transform, .one, "Rigid map, target world mm to T1w world mm.")],
            measurements: [
                MeasurementDeclaration("translation", unit: "mm", "Length of the movement at the brain's centre."),
                MeasurementDeclaration("rotation", unit: "degree", "Angle of the movement."),
                MeasurementDeclaration("mutual_information", unit: "1", "Mutual information after registration."),
            ],
            resources: TaskResources(cores: 1, memoryMiB: 1536), timeoutSeconds: 900),
        TaskKind(
            name: "image.resample", version: 2,
            summary: "Brings an image of a person to the grid of another one of theirs, by trilinear interpolation.",
            scopes: [.session],
            inputs: [
                TaskPort("image", .volume, .one, "What is brought over, such as the T1-weighted image."),
                TaskPort("target", .volume, .one, "Image whose grid is wanted, such as the susceptibility map."),
                TaskPort(
                    "transform", .transform, .optional,
                    "Map from world mm of the target to world mm of the image, as registration.within-subject makes it; "
                        + "without it the two are one world."),
                TaskPort("check", .json, .optional, "Report of image.check."),
            ],
            outputs: [
                TaskPort("image", .volume, .one, "The image on the grid of the target; 0 where it does not reach.")
            ],
            measurements: [
                MeasurementDeclaration("covered_fraction", unit: "1", "Share of the target's voxels that it reaches.")
            ],
            resources: TaskResources(cores: 1, memoryMiB: 1536), timeoutSeconds: 600),
        TaskKind(
            name: "registration.atlas", version: 2,
            summary: "Registration of a person to an atlas: rigid and affine by mutual information, then a "
                + "diffeomorphism by local cross-correlation, with its inverse.",
            scopes: [.session],
            inputs: [
                TaskPort("t1w", .volume, .one, "T1-weighted image."),
                TaskPort("atlas_t1w", .volume, .one, "T1-weighted image of the atlas."),
                TaskPort("brain", .mask, .optional, "Brain mask on the grid of the T1-weighted image."),
                TaskPort("chimap", .volume, .optional, "Susceptibility map, for the hybrid contrast."),
                TaskPort(
                    "atlas_chimap", .volume, .optional, "Susceptibility map of the atlas, for the hybrid contrast."),
                TaskPort("transform", .transform, .optional, "Rigid map, χ world mm to T1w world mm."),
                TaskPort("check", .json, .optional, "Report of image.check."),
            ],
            outputs: [
                TaskPort("affine", .transform, .one, "Affine map, T1w world mm to atlas world mm."),
                TaskPort("warp", .displacement, .one, "Displacement, T1w world mm, applied before the affine map."),
                TaskPort(
                    "inverse_warp", .displacement, .one,
                    "Its inverse, T1w world mm, applied after the inverse affine map."),
                TaskPort("report", .json, .one, "Quality of the registration."),
            ],
            parameters: [
                TaskParameter(
                    "contrast", .choice(["t1w", "hybrid"]), default: "t1w",
                    "What is aligned: T1w, or the hybrid T1w − 400·χ where both sides have a susceptibility map."),
                TaskParameter(
                    "finest_mm", .number(0.5...8), default: 1, "Voxel size of the finest deformable level, mm."),
                TaskParameter(
                    "correlation_radius", .integer(1...8), default: 2,
                    "Radius of the local correlation window, voxels of the level."),
            ],
            measurements: [
                MeasurementDeclaration(
                    "similarity", unit: "1", "Mean local correlation in the brain after registration."),
                MeasurementDeclaration("similarity_affine", unit: "1", "The same after the affine stage."),
                MeasurementDeclaration("jacobian_minimum", unit: "1", "Smallest Jacobian determinant."),
                MeasurementDeclaration("folded_fraction", unit: "1", "Voxels with a Jacobian determinant not above 0."),
                MeasurementDeclaration("inverse_error", unit: "mm", "Mean distance after going there and back."),
            ],
            resources: TaskResources(cores: 1, memoryMiB: 2048), timeoutSeconds: 3600),
        TaskKind(
            name: "labels.native", version: 2,
            summary: "Brings atlas labels to the person's own susceptibility map; several atlases are fused.",
            scopes: [.session],
            inputs: [
                TaskPort("t1w", .volume, .one, "T1-weighted image."),
                TaskPort(
                    "target", .volume, .one,
                    "Image whose grid the labels are wanted on: the susceptibility map, or the T1w image itself."),
                TaskPort(
                    "transform", .transform, .optional,
                    "Rigid map, target world mm to T1w world mm; without it the two are one world."),
                TaskPort("affine", .transform, .many, "Affine map of registration.atlas, one per atlas."),
                TaskPort("warp", .displacement, .many, "Displacement of registration.atlas, one per atlas."),
                TaskPort("atlas_t1w", .volume, .many, "T1-weighted image of each atlas."),
                TaskPort("atlas_labels", .labelMap, .many, "Regions of each atlas."),
                TaskPort("table", .table, .many, "dseg.tsv of each atlas."),
            ],
            outputs: [
                TaskPort("labels", .labelMap, .one, "Regions on the grid of the target."),
                TaskPort("labels_t1w", .labelMap, .one, "Regions on the grid of the T1-weighted image."),
                TaskPort("table", .table, .one, "Region numbers and names."),
            ],
            parameters: [
                TaskParameter(
                    "fusion", .choice(["majority", "local"]), default: "local",
                    "How several atlases vote: one voice each, or weighted by local similarity of the images.")
            ],
            measurements: [
                MeasurementDeclaration(
                    "agreement", unit: "1", "Mean pairwise Dice overlap between atlases, per region."),
                MeasurementDeclaration("volume", unit: "mm3", "Region volume on the target's grid."),
            ],
            resources: TaskResources(cores: 1, memoryMiB: 2048), timeoutSeconds: 900),
    ]
}
