/// A way to compute a convolution of one shape. Holds tables but neither weights nor results, so that the same plan
/// serves prepared layers and gradients.
protocol ConvolutionMethod: Sendable {
    /// Values of the packed weights.
    var packedCount: Int { get }
    /// Values of scratch per thread.
    var scratchCount: Int { get }

    /// Rearranges the weights.
    func pack(_ weight: UnsafePointer<Float>, to packed: UnsafeMutablePointer<Float>, threads: Int)

    /// - Parameters:
    ///   - bias: 16 values per block of outputs, zero where there is no channel.
    ///   - slope: factor of negative results.
    func apply(
        _ source: FeatureMap, to target: FeatureMap, packed: UnsafePointer<Float>, bias: UnsafePointer<Float>,
        slope: Float, threads: Int)
}

/// A way to compute the gradient of the weights for one shape.
protocol WeightGradientMethod: Sendable {
    /// Values of scratch for all threads together.
    func scratchCount(threads: Int) -> Int

    /// Overwrites `weight`, in PyTorch's order.
    func compute(
        source: FeatureMap, gradient: FeatureMap, to weight: UnsafeMutablePointer<Float>, threads: Int)
}
