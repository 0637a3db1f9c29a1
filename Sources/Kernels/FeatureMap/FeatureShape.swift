/// The shape of a feature map: batch × channels × depth × height × width.
package struct FeatureShape: Hashable, Sendable, Codable, CustomStringConvertible {
    package var batch: Int
    package var channels: Int
    package var size: Extent3

    package init(batch: Int, channels: Int, size: Extent3) {
        (self.batch, self.channels, self.size) = (batch, channels, size)
    }

    /// Channels per block: one vector of the widest instruction set.
    package static let lanes = 16

    /// Blocks of 16 channels; the last one may be padded.
    package var blocks: Int { (channels + Self.lanes - 1) / Self.lanes }

    /// Positions of one image.
    package var positions: Int { size.product }

    /// Values from one block of channels to the next.
    package var blockStride: Int { positions * Self.lanes }

    /// Values from one image of the batch to the next.
    package var imageStride: Int { blocks * blockStride }

    /// Values in memory, padding channels included.
    package var storedCount: Int { batch * imageStride }

    /// Values without padding: batch · channels · positions.
    package var count: Int { batch * channels * positions }

    package var description: String { "\(batch)×\(channels)×\(size)" }
}
