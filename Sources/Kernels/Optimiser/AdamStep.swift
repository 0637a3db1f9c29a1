/// Adam's update of parameters.
package enum AdamStep {
    /// Moves `count` parameters, a multiple of 16, and their moments; all in one pass, which memory alone limits.
    ///
    /// - Parameters:
    ///   - scale: of the gradient, before `decay` times the parameter is added to it.
    ///   - shrink: of the parameters, first of all.
    ///   - rate: learning rate over the bias correction of the first moment, 1 − β₁ᵗ.
    ///   - root: (1 − β₂ᵗ)^−½.
    /// - Source: Kingma and Ba 2015, with PyTorch's place of ε.
    package static func apply(
        _ count: Int, to values: UnsafeMutablePointer<Float>, gradient: UnsafePointer<Float>,
        firstMoment: UnsafeMutablePointer<Float>, secondMoment: UnsafeMutablePointer<Float>, scale: Float,
        decay: Float, shrink: Float, beta1: Float, beta2: Float, rate: Float, root: Float, epsilon: Float
    ) {
        precondition(count % FeatureShape.lanes == 0, "\(count) parameters are not a multiple of 16")
        adamStep(
            count / FeatureShape.lanes, values, gradient, firstMoment, secondMoment, scale, decay, shrink, beta1, beta2,
            rate, root, epsilon)
    }
}
