/// Dense row-major single-precision values, last axis fastest: parameters, and what crosses the border of a network.
/// Shapes and the order of axes are those of PyTorch, so that files of weights can be exchanged.
package struct Tensor: Sendable, Equatable {
    package var shape: [Int]
    package var values: [Float]

    package init(shape: [Int], values: [Float]) {
        precondition(values.count == shape.reduce(1, *), "\(values.count) values for the shape \(shape)")
        (self.shape, self.values) = (shape, values)
    }

    package init(shape: [Int], filledWith value: Float = 0) {
        self.init(shape: shape, values: [Float](repeating: value, count: shape.reduce(1, *)))
    }
}
