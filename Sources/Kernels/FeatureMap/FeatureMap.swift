/// What a layer reads and writes: values in blocks of sixteen channels.
///
/// Memory order is batch, channel block, depth, height, width, channel within the block; 64-byte aligned. Channels that
/// only fill up the last block are zero, always: every layer that writes a map keeps them so, and every layer may rely on
/// it. With a size of 1×1×1 a map is a row-major matrix of batch rows and 16 · blocks columns.
///
/// A view: it does not own its memory. Whoever made the `FeatureStorage` keeps it alive.
package struct FeatureMap: @unchecked Sendable {
    // Unchecked because of the pointer: kernels write disjoint parts of one map from several threads.
    package let shape: FeatureShape
    package let base: UnsafeMutablePointer<Float>
    /// Values from one image of the batch to the next: shape.imageStride, or more where the map is a range of blocks of
    /// a wider one, which is how maps are concatenated without being copied.
    package let imageStride: Int

    package init(shape: FeatureShape, base: UnsafeMutablePointer<Float>, imageStride: Int? = nil) {
        (self.shape, self.base) = (shape, base)
        self.imageStride = imageStride ?? shape.imageStride
    }

    /// First value of a block of channels of one image.
    package func block(_ block: Int, image: Int) -> UnsafeMutablePointer<Float> {
        base + image * imageStride + block * shape.blockStride
    }

    /// Channels first ..< first + channels of this map, as a map over the same memory; `first` is a multiple of 16.
    package func channels(from first: Int, count channels: Int) -> FeatureMap {
        precondition(first % FeatureShape.lanes == 0, "channel \(first) does not begin a block")
        let part = FeatureShape(batch: shape.batch, channels: channels, size: shape.size)
        return FeatureMap(
            shape: part, base: base + first / FeatureShape.lanes * shape.blockStride, imageStride: imageStride)
    }
}

/// Owns the memory of feature maps and of scratch: 64-byte aligned, zero at first.
package final class FeatureStorage: @unchecked Sendable {
    // Unchecked because of the pointer, which never changes.
    package let base: UnsafeMutablePointer<Float>
    package let count: Int

    package init(count: Int) {
        self.count = max(count, 1)
        let padded = (self.count + 15) / 16 * 16
        base = UnsafeMutableRawPointer.allocate(byteCount: padded * MemoryLayout<Float>.stride, alignment: 64)
            .initializeMemory(as: Float.self, repeating: 0, count: padded)
    }

    package convenience init(_ shape: FeatureShape) { self.init(count: shape.storedCount) }

    deinit { base.deallocate() }

    /// The memory from `offset` values on, seen as a feature map.
    package func map(_ shape: FeatureShape, offset: Int = 0) -> FeatureMap {
        precondition(offset + shape.storedCount <= count, "\(shape) at \(offset) does not fit \(count) values")
        return FeatureMap(shape: shape, base: base + offset)
    }
}
