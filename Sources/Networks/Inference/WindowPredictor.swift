import Kernels

/// A network prepared for batches of windows of one shape: all that the sliding window needs of it.
package protocol WindowPredictor: AnyObject {
    /// batch × channels × window, as `predict` takes it.
    var input: FeatureShape { get }

    /// Class probabilities of a batch of windows: batch × classes × window, each in 0 ... 1.
    ///
    /// - Parameters:
    ///   - windows: of the shape `input`; images beyond those of interest are zero.
    ///   - threads: how many threads to use; the result must not depend on it.
    /// - Returns: a view of the predictor's own memory, valid until the next call.
    func predict(_ windows: FeatureMap, threads: Int) throws -> FeatureMap
}

/// Something predictors can be made of for any shape: a network with its weights.
package protocol WindowNetwork: Sendable {
    var inputChannels: Int { get }
    /// Channels of the output.
    var classes: Int { get }
    /// What sizes of windows must be multiples of: the product of the strides on the way down, per axis.
    var sizeMultiple: Extent3 { get }

    /// Bytes a predictor for this shape holds: maps, packed weights, scratch.
    func bytes(input: FeatureShape, threads: Int) throws -> Int
    func predictor(input: FeatureShape, threads: Int) throws -> any WindowPredictor
}
