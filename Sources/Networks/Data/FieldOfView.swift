import Kernels

/// A patch together with what lies around it, for networks that look twice: at the patch itself, and at a global patch of
/// as many voxels about the same centre, whose voxels are `scale` times larger along each axis.
///
/// Both come from one piece of the volume, cut and changed once, so that whatever was drawn for it keeps them aligned. A
/// global voxel is the mean of the voxels that it covers.
struct FieldOfView: Sendable {
    let patch: Extent3
    let scale: Int

    /// Voxels of the piece both are made from.
    var size: Extent3 { patch * Extent3(repeating: scale) }

    /// - Throws: `TrainingDataError.settings` where the patch cannot lie in the middle of its field of view.
    func check() throws {
        guard scale > 1, patch.isMultiple(of: Extent3(repeating: scale)) else {
            throw TrainingDataError.settings(
                "a patch of \(patch) voxels with a global patch of \(scale) times larger voxels; the factor is 2 or more, and "
                    + "every edge a multiple of it")
        }
    }

    /// The patch in the middle of the piece.
    func copyPatch<Value>(from piece: UnsafePointer<Value>, to target: UnsafeMutablePointer<Value>) {
        let (whole, n) = (size, scale - 1)
        let (d, h, w) = (n * patch.depth / 2, n * patch.height / 2, n * patch.width / 2)
        for z in 0..<patch.depth {
            for y in 0..<patch.height {
                (target + (z * patch.height + y) * patch.width).update(
                    from: piece + ((z + d) * whole.height + y + h) * whole.width + w, count: patch.width)
            }
        }
    }

    /// The whole piece in larger voxels, as many as the patch has.
    func writeMeans(of piece: UnsafePointer<Float>, to target: UnsafeMutablePointer<Float>) {
        let whole = size
        let share = 1 / Float(scale * scale * scale)
        for z in 0..<patch.depth {
            for y in 0..<patch.height {
                let to = target + (z * patch.height + y) * patch.width
                for x in 0..<patch.width { to[x] = 0 }
                for dz in 0..<scale {
                    for dy in 0..<scale {
                        let row = piece + ((z * scale + dz) * whole.height + y * scale + dy) * whole.width
                        for x in 0..<patch.width {
                            for dx in 0..<scale { to[x] += row[x * scale + dx] }
                        }
                    }
                }
                for x in 0..<patch.width { to[x] *= share }
            }
        }
    }
}
