import Kernels
import NIfTI
import Networks
import Workflow

/// The voxel size a network is trained on where the workflow states none: that of the first image.
enum TrainingGrid {
    /// Along left–right, back–front and down–up, mm, to a hundredth.
    static func spacing(of item: TaskRequest.StagedInput) throws -> SIMD3<Double> {
        (try exactSpacing(of: item) * 100).rounded(.toNearestOrEven) / 100
    }

    private static func exactSpacing(of item: TaskRequest.StagedInput) throws -> SIMD3<Double> {
        // Headers hold single precision: what it leaves open must not decide on a rounding.
        let spacing = try NIfTIFile.readHeader(item.path).grid
            .regridded(orientation: Orientation("RAS"), spacingMillimetres: nil).spacingMillimetres
        return (spacing * 1e4).rounded(.toNearestOrEven) / 1e4
    }

    /// Refuses people whose images differ in voxel size. A fold goes by the first of its own people, who is another in other
    /// folds: their models would be of different grids, and be found out only when they are to be applied together.
    ///
    /// - Throws: a permanent failure naming two images that differ, or what is wrong with a file.
    static func checkIsCommon(_ people: TrainingPeople, _ environment: TaskEnvironment) throws {
        let items = (people.training + people.validation).sorted { $0.context < $1.context }.map { $0.images[0] }
        let first = try spacing(of: items[0])
        for item in items.dropFirst() {
            let other = try spacing(of: item)
            guard other != first else { continue }
            func text(_ size: SIMD3<Double>) -> String { "\(size.x)×\(size.y)×\(size.z) mm" }
            throw environment.refuse(
                "voxels of \(items[0].input.name) have \(text(first)), those of \(item.input.name) \(text(other)), and every fold "
                    + "would take the size of its own first image; state spacing_mm, so that the models of all folds are of "
                    + "one grid")
        }
    }
}
