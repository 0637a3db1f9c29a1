import Kernels

/// Where the windows of a batch are written.
package enum WindowInput {
    case blocked(FeatureMap)
    /// In planar order: batch, channel, depth, height, width. Most images have one channel, which a feature map would
    /// fill up to sixteen.
    case planar(UnsafeMutablePointer<Float>, FeatureShape)

    package var shape: FeatureShape {
        switch self {
        case .blocked(let map): map.shape
        case .planar(_, let shape): shape
        }
    }
}

/// A network prepared for batches of windows of one shape: all that the sliding window needs of it.
package protocol WindowPredictor: AnyObject {
    /// batch × channels × window: where the windows are written before `predict`. Images beyond those of interest are
    /// zero.
    var windows: WindowInput { get }
    /// Where the global windows are written, for networks that look at more than the window; of the same shape.
    var globalWindows: FeatureMap? { get }

    /// Class probabilities of what has been written: batch × classes × window, each in 0 ... 1.
    ///
    /// - Returns: a view of the predictor's own memory, valid until the next call. The result does not depend on the
    ///   number of threads the predictor was made for.
    func predict() throws -> FeatureMap
}

/// Something predictors can be made of for any shape: a network with its weights.
package protocol WindowNetwork: Sendable {
    var inputChannels: Int { get }
    /// Channels of the output.
    var classes: Int { get }
    /// What sizes of windows must be multiples of: the product of the strides on the way down, per axis.
    var sizeMultiple: Extent3 { get }
    /// Voxel size of a second, global window about the same centre, in voxels of the first; nil where there is none.
    var globalScale: Int? { get }
    /// Whether it takes slices: windows of depth 1.
    var takesSlices: Bool { get }

    /// Bytes that a predictor for this shape holds and that its network brings: maps, windows among them, weights as they
    /// came and packed, scratch.
    func bytes(input: FeatureShape, threads: Int) throws -> Int
    func predictor(input: FeatureShape, threads: Int) throws -> any WindowPredictor
}

extension WindowPredictor {
    package var globalWindows: FeatureMap? { nil }
}

extension WindowNetwork {
    package var globalScale: Int? { nil }
    package var takesSlices: Bool { false }
}
