import Kernels

extension Volume {
    /// Puts 0 where no number is, which would spread over all that is interpolated from it.
    ///
    /// - Parameter name: of the image, as people know it.
    /// - Returns: the sentence that says so; nil where every voxel has a number.
    mutating func replaceUnknown(in name: String) -> String? {
        var unknown = 0
        for n in values.indices where !values[n].isFinite {
            values[n] = 0
            unknown += 1
        }
        guard unknown > 0 else { return nil }
        return
            "\(name) has \(unknown) \(unknown == 1 ? "voxel that is" : "voxels that are") no finite number; 0 was taken instead."
    }
}
