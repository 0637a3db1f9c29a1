import Kernels

/// The samples of a batch, written next to each other on several threads.
struct BatchAssembly {
    let channels: Int
    /// depth × height × width of every sample.
    let size: Extent3
    let hasLabels: Bool
    /// Whether every sample has a second patch of the same size, of larger voxels.
    var hasGlobal = false
    let threads: Int

    /// Where one sample is written.
    struct Place {
        /// channels × size, width fastest.
        let values: UnsafeMutablePointer<Float>
        /// The same for the second patch; nil where there is none.
        var global: UnsafeMutablePointer<Float>?
        /// A class per voxel; nil where there are none.
        let labels: UnsafeMutablePointer<UInt8>?
        /// Threads the sample may use itself.
        let threads: Int
    }

    /// - Parameter body: called once for every sample, on any thread.
    /// - Returns: one tensor of images, a second where samples have global patches, and the classes.
    func assemble(_ samples: Int, _ body: (Int, Place) -> Void) -> (images: [Tensor], labels: [UInt8]) {
        let positions = size.product
        var labels = [UInt8](repeating: 0, count: hasLabels ? samples * positions : 0)
        // Few samples: the threads share the channels of one instead.
        let inner = samples >= threads ? 1 : threads
        let stride = channels * positions
        var global = [Float](repeating: 0, count: hasGlobal ? samples * stride : 0)
        let values = [Float](unsafeUninitializedCapacity: samples * stride) { buffer, count in
            labels.withUnsafeMutableBufferPointer { labels in
                global.withUnsafeMutableBufferPointer { global in
                    // Samples write disjoint parts.
                    nonisolated(unsafe) let (values, labels, global) = (
                        buffer.baseAddress, labels.baseAddress, global.baseAddress
                    )
                    Parallel.forEach(samples, threads: inner == 1 ? threads : 1) { sample in
                        body(
                            sample,
                            Place(
                                values: values! + sample * stride, global: hasGlobal ? global! + sample * stride : nil,
                                labels: hasLabels ? labels! + sample * positions : nil, threads: inner))
                    }
                }
            }
            count = samples * stride
        }
        let shape = [samples, channels, size.depth, size.height, size.width]
        return (
            [Tensor(shape: shape, values: values)] + (hasGlobal ? [Tensor(shape: shape, values: global)] : []), labels
        )
    }
}

/// What targets are to the loss.
package enum TargetForm: String, Sendable, Hashable, Codable {
    /// Numbers of classes: cross-entropy, focal, Dice.
    case classes
    /// Values: binary cross-entropy, squared error. Labels become one channel of 0 and 1 for every class but the
    /// background; labels that are no class (beyond the volume, say) are 0 in all of them.
    case values

    /// - Parameters:
    ///   - images: batch × channels × size.
    ///   - classes: labels run from 0 to below.
    func target(_ labels: [UInt8], like images: Tensor, classes: Int) -> Target {
        guard self == .values else { return .classes(labels) }
        let (channels, positions) = (max(1, classes - 1), images.shape.dropFirst(2).reduce(1, *))
        var values = [Float](repeating: 0, count: channels * labels.count)
        for (n, label) in labels.enumerated() where label > 0 && Int(label) <= channels {
            values[(n / positions * channels + Int(label) - 1) * positions + n % positions] = 1
        }
        return .values(Tensor(shape: [images.shape[0], channels] + images.shape.dropFirst(2), values: values))
    }
}
