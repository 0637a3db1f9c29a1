import Kernels

/// A network prepared for batches of windows of one shape: all that the sliding window needs of it.
package protocol WindowPredictor: AnyObject {
    /// batch × channels × window: where the windows are written before `predict`. Images beyond those of interest are
    /// zero.
    var windows: FeatureMap { get }

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
    /// Whether it takes slices: windows of depth 1.
    var takesSlices: Bool { get }

    /// Bytes a predictor for this shape holds: maps, windows among them, packed weights, scratch.
    func bytes(input: FeatureShape, threads: Int) throws -> Int
    func predictor(input: FeatureShape, threads: Int) throws -> any WindowPredictor
}

extension WindowNetwork {
    package var takesSlices: Bool { false }
}
