/// Weights of a convolution along one axis: the response at n is Σ weights[t] · value[n + first − t · spacing].
package struct AxisKernel: Sendable, Hashable {
    package let weights: [Double]
    /// Offset of the value that the first weight belongs to.
    package let first: Int
    /// Offset between the values of neighbouring weights.
    package let spacing: Int

    package init(_ weights: [Double], first: Int, spacing: Int = 1) {
        precondition(!weights.isEmpty && spacing > 0, "a kernel without weights")
        (self.weights, self.first, self.spacing) = (weights, first, spacing)
    }

    /// Of odd length, around the middle.
    package init(centred weights: [Double]) {
        precondition(weights.count % 2 == 1, "a centred kernel of \(weights.count) weights")
        self.init(weights, first: weights.count / 2)
    }

    /// The offset of the last weight.
    private var last: Int { first - (weights.count - 1) * spacing }

    /// Values needed before and after a place.
    package var reach: (before: Int, after: Int) { (max(0, -last), max(0, first)) }

    /// For the mirrored axis.
    package var mirrored: AxisKernel { AxisKernel(weights.reversed(), first: -last, spacing: spacing) }

    package var negated: AxisKernel { AxisKernel(weights.map { -$0 }, first: first, spacing: spacing) }
}
