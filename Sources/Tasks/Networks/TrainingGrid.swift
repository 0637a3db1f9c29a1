import Kernels
import NIfTI
import Networks
import Workflow

/// The voxel size a network is trained on where the workflow states none: that of the first image.
enum TrainingGrid {
    /// Along left–right, back–front and down–up, mm, to a hundredth.
    static func spacing(of item: TaskRequest.StagedInput) throws -> SIMD3<Double> {
        let grid = try NIfTIFile.readHeader(item.path).grid
            .regridded(orientation: Orientation("RAS"), spacingMillimetres: nil)
        return (grid.spacingMillimetres * 100).rounded(.toNearestOrEven) / 100
    }
}
