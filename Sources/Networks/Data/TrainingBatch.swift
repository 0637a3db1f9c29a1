import Kernels

/// What one step of training sees. Made once and filled again for every step.
package final class TrainingBatch {
    /// batch × channels × patch.
    package let images: FeatureMap
    /// batch × features, as a map of size 1×1×1; nil where the network takes images only.
    package let vectors: FeatureMap?
    /// A class for every voxel, batch × patch, width fastest; empty where samples have targets instead.
    package fileprivate(set) var labels: [UInt8]
    /// One number for every sample; empty where voxels have labels instead.
    package fileprivate(set) var targets: [Float]
    private let imageStorage: FeatureStorage
    private let vectorStorage: FeatureStorage?

    /// - Parameters:
    ///   - features: numbers per sample beside the image; 0 for none.
    ///   - hasLabels: a label for every voxel; otherwise a target for every sample.
    package init(_ shape: FeatureShape, features: Int = 0, hasLabels: Bool) {
        imageStorage = FeatureStorage(shape)
        images = imageStorage.map(shape)
        let vectorShape = FeatureShape(batch: shape.batch, channels: features, size: .one)
        vectorStorage = features > 0 ? FeatureStorage(vectorShape) : nil
        vectors = vectorStorage?.map(vectorShape)
        labels = hasLabels ? [UInt8](repeating: 0, count: shape.batch * shape.positions) : []
        targets = hasLabels ? [] : [Float](repeating: 0, count: shape.batch)
    }

    func withLabels<Result>(_ body: (UnsafeMutablePointer<UInt8>?) throws -> Result) rethrows -> Result {
        if labels.isEmpty { return try body(nil) }
        return try labels.withUnsafeMutableBufferPointer { try body($0.baseAddress) }
    }

    func setTarget(_ value: Float, sample: Int) { targets[sample] = value }
}

/// Batches of an epoch by number. Whatever is drawn depends on the seed, the epoch and the number alone: any batch can
/// be made again, on any number of threads, and has the same bits.
package protocol BatchSource: Sendable {
    var imageShape: FeatureShape { get }
    /// Numbers per sample beside the image.
    var features: Int { get }
    /// A class per voxel; otherwise a target per sample.
    var hasLabels: Bool { get }
    var batchesPerEpoch: Int { get }

    func fill(_ batch: TrainingBatch, epoch: Int, number: Int, threads: Int) throws
}

extension BatchSource {
    package func makeBatch() -> TrainingBatch { TrainingBatch(imageShape, features: features, hasLabels: hasLabels) }
}

extension TrainingBatch {
    /// Fills the images from samples on several threads; the volumes have been read before.
    func fill(
        from volumes: [TrainingVolume], threads: Int,
        _ body: (_ sample: Int, _ labels: UnsafeMutablePointer<UInt8>?, _ threads: Int) -> Void
    ) {
        let (batch, positions) = (images.shape.batch, images.shape.positions)
        // Few samples: the threads share the channels of one instead.
        let inner = batch >= threads ? 1 : threads
        withLabels { labels in
            nonisolated(unsafe) let labels = labels  // samples write disjoint parts
            Parallel.forEach(batch, threads: inner == 1 ? threads : 1) { sample in
                body(sample, labels.map { $0 + sample * positions }, inner)
            }
        }
    }
}
