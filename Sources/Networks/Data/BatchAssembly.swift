import Kernels

/// The samples of a batch, written next to each other on several threads.
package struct BatchAssembly {
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

    /// Volumes that are held at a time while a batch is made, beside those that the source keeps.
    package static func volumesHeld(threads: Int) -> Int { max(2, threads) }

    /// Only a few volumes are held at a time, however many a batch is drawn from.
    ///
    /// - Parameters:
    ///   - volumes: by sample the number of its volume.
    ///   - read: gives a volume; called on this thread.
    ///   - body: called once for every sample, on any thread.
    /// - Returns: one tensor of images, a second where samples have global patches, and the classes.
    func assemble(
        _ volumes: [Int], read: (Int) throws -> TrainingVolume, _ body: (Int, TrainingVolume, Place) -> Void
    ) throws -> (images: [Tensor], labels: [UInt8]) {
        let samples = volumes.count
        let positions = size.product
        var labels = [UInt8](repeating: 0, count: hasLabels ? samples * positions : 0)
        let perSample = channels * positions
        var global = [Float](repeating: 0, count: hasGlobal ? samples * perSample : 0)
        let byVolume = Dictionary(grouping: volumes.indices) { volumes[$0] }
        let numbers = byVolume.keys.sorted()
        let held = Self.volumesHeld(threads: threads)
        let values = try [Float](unsafeUninitializedCapacity: samples * perSample) { buffer, count in
            try labels.withUnsafeMutableBufferPointer { labels in
                try global.withUnsafeMutableBufferPointer { global in
                    // Samples write disjoint parts.
                    nonisolated(unsafe) let (values, labels, global) = (
                        buffer.baseAddress, labels.baseAddress, global.baseAddress
                    )
                    for start in stride(from: 0, to: numbers.count, by: held) {
                        let chunk = numbers[start..<min(start + held, numbers.count)]
                        let work = try chunk.flatMap { number in
                            let volume = try read(number)
                            return byVolume[number]!.map { (sample: $0, volume: volume) }
                        }
                        // Few samples: the threads share the channels of one instead.
                        let inner = work.count >= threads ? 1 : threads
                        Parallel.forEach(work.count, threads: inner == 1 ? threads : 1) { n in
                            let (sample, volume) = work[n]
                            body(
                                sample, volume,
                                Place(
                                    values: values! + sample * perSample,
                                    global: hasGlobal ? global! + sample * perSample : nil,
                                    labels: hasLabels ? labels! + sample * positions : nil, threads: inner))
                        }
                    }
                }
            }
            count = samples * perSample
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
