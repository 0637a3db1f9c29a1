import Foundation
import Kernels

/// How round a lesion is.
package struct LesionShape: Sendable, Equatable {
    /// Surface of a sphere of the same volume over its surface, both of the triangle mesh (IBSI, QCFX): 1 for a sphere.
    package let sphericity: Double
    /// √(second / largest) and √(smallest / largest) variance along its principal axes (IBSI, Q3CK and N17B): 1 for a
    /// sphere, 0 for a line and a sheet; nil for a single voxel, which has no axes.
    package let elongation: Double?
    package let flatness: Double?
    /// Of a sphere with the volume of its voxels.
    package let equivalentDiameterMillimetres: Double

    package init(_ region: RegionImage) {
        let mesh = SurfaceMesh(region)
        let volume = mesh.volumeCubicMillimetres
        sphericity = cbrt(36 * .pi * volume * volume) / mesh.areaSquareMillimetres
        let axes = PrincipalAxes(region, unbiased: true)
        let hasAxes = axes.variances.x > 0
        elongation = hasAxes ? axes.elongation : nil
        flatness = hasAxes ? axes.flatness : nil
        let voxels = Double(region.morphologicalVoxels.count) * region.voxelVolumeCubicMillimetres
        equivalentDiameterMillimetres = cbrt(6 * voxels / .pi)
    }
}
