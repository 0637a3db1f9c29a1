import Kernels

/// The part of an image around one region, from which all its features are measured.
///
/// A box of voxels, i fastest, with a margin of one voxel outside the region on all sides, so that every neighbour of a
/// voxel of the region lies in the box. The region is there twice, as the IBSI has it: the morphological mask, for its
/// shape, and the intensity mask, from which resegmentation removes voxels.
package struct RegionImage: Sendable {
    /// Voxels of the box along i, j, k, with the margin.
    package let size: SIMD3<Int>
    /// Index in the source image of the first voxel of the box; negative where the margin reaches beyond the image.
    package let lower: SIMD3<Int>
    package let spacingMillimetres: SIMD3<Double>
    /// In the unit of the image; anything outside the region.
    package var values: [Double]
    /// 1 inside, 0 outside.
    package var morphologicalMask: [UInt8]
    package var intensityMask: [UInt8]

    package var count: Int { size.x * size.y * size.z }
    package var lineStride: Int { size.x }
    package var sliceStride: Int { size.x * size.y }
    package var voxelVolumeCubicMillimetres: Double {
        spacingMillimetres.x * spacingMillimetres.y * spacingMillimetres.z
    }

    /// Flat indices of the voxels of the intensity mask, ascending.
    package var voxels: [Int] { intensityMask.indices.filter { intensityMask[$0] != 0 } }
    package var morphologicalVoxels: [Int] { morphologicalMask.indices.filter { morphologicalMask[$0] != 0 } }

    /// Values of the intensity mask, in the order of `voxels`.
    package var intensities: [Double] { voxels.map { values[$0] } }

    /// The box around a region of an image. Voxels without a finite value are left out of the intensity mask.
    ///
    /// - Parameters:
    ///   - image: values.
    ///   - box: the smallest box holding the region, in indices of the image.
    ///   - scale: factor on the values, for example 1000 from ppm to ppb.
    ///   - isInside: whether the voxel with this flat index of the image is in the region.
    package init(_ image: Volume, box: RegionBox, scale: Double = 1, isInside: (Int) -> Bool) {
        let grid = image.grid
        lower = box.lower &- 1
        size = box.upper &- box.lower &+ 2
        spacingMillimetres = grid.spacingMillimetres
        values = [Double](repeating: 0, count: size.x * size.y * size.z)
        morphologicalMask = [UInt8](repeating: 0, count: values.count)
        intensityMask = morphologicalMask
        for k in 1..<size.z - 1 {
            for j in 1..<size.y - 1 {
                let row = size.x * (j + size.y * k)
                let source = grid.index(lower.x, lower.y + j, lower.z + k)
                for i in 1..<size.x - 1 {
                    let value = Double(image.values[source + i])
                    values[row + i] = value * scale
                    guard isInside(source + i) else { continue }
                    morphologicalMask[row + i] = 1
                    intensityMask[row + i] = value.isFinite ? 1 : 0
                }
            }
        }
    }

    /// The region where `mask` is inside; nil for an empty mask.
    ///
    /// - Throws: `GridError.mismatch` when the mask lies on another grid.
    package init?(_ image: Volume, mask: Mask, scale: Double = 1) throws {
        guard mask.grid.matches(image.grid) else {
            throw GridError.mismatch(
                first: "the image", firstGrid: image.grid, second: "the mask", secondGrid: mask.grid)
        }
        guard let box = mask.boundingBox() else { return nil }
        self.init(image, box: RegionBox(lower: box.lower, upper: box.upper), scale: scale) { mask.values[$0] != 0 }
    }

    /// The same region with other values, for a filtered image; voxels that these leave without one are left out.
    package func replacingValues(_ values: [Double]) -> RegionImage {
        precondition(values.count == count, "\(values.count) values for a box of \(count) voxels")
        var result = self
        result.values = values
        for index in values.indices where !values[index].isFinite { result.intensityMask[index] = 0 }
        return result
    }
}

/// The smallest box that holds a region: its first voxel and the one after its last, in indices of the image.
package struct RegionBox: Sendable, Equatable {
    package var lower: SIMD3<Int>
    package var upper: SIMD3<Int>

    package init(lower: SIMD3<Int>, upper: SIMD3<Int>) { (self.lower, self.upper) = (lower, upper) }

    /// The boxes of all labels that occur, in one pass; background (0) left out.
    package static func all(of labels: LabelMap) -> [UInt16: RegionBox] {
        let grid = labels.grid
        var lower = [SIMD3<Int>](repeating: SIMD3(repeating: Int.max), count: 1 << 16)
        var upper = [SIMD3<Int>](repeating: SIMD3(repeating: Int.min), count: 1 << 16)
        for k in 0..<grid.nz {
            for j in 0..<grid.ny {
                let row = grid.index(0, j, k)
                for i in 0..<grid.nx where labels.values[row + i] != 0 {
                    let label = Int(labels.values[row + i])
                    let here = SIMD3(i, j, k)
                    lower[label] = pointwiseMin(lower[label], here)
                    upper[label] = pointwiseMax(upper[label], here &+ 1)
                }
            }
        }
        var result: [UInt16: RegionBox] = [:]
        for label in 1..<lower.count where upper[label].x != Int.min {
            result[UInt16(label)] = RegionBox(lower: lower[label], upper: upper[label])
        }
        return result
    }
}
