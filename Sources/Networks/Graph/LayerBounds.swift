import Kernels

/// Bounds on what a layer may be, so that no product of what a model file says overflows.
enum LayerBounds {
    /// Channels, units of an LSTM, neighbours.
    static let channels = 1 << 24
    /// Kernels, strides, dilations, paddings and scales along an axis.
    static let axis = 1 << 16
    /// Values of one weight.
    static let weight = 1 << 36
    /// Voxels along an axis of a map.
    static let edge = 1 << 20
    /// Values of a map.
    static let map = 1 << 40

    /// The product where it is no more than `limit`; nil otherwise.
    static func product(_ factors: [Int], atMost limit: Int) -> Int? {
        var result = 1
        for factor in factors {
            let (product, overflows) = result.multipliedReportingOverflow(by: factor)
            guard !overflows, product <= limit else { return nil }
            result = product
        }
        return result
    }

    static func checkCounts(_ counts: [(name: String, count: Int)]) throws(LayerProblem) {
        for (name, count) in counts where count < 0 || count > channels {
            throw LayerProblem("has \(count) \(name); at most \(channels) are possible")
        }
    }

    static func checkWeight(_ shape: [Int]) throws(LayerProblem) {
        guard product(shape, atMost: weight) != nil else {
            throw LayerProblem("has weights of \(shape), more values than the \(weight) that are possible")
        }
    }

    static func isPossible(_ shape: FeatureShape) -> Bool {
        let axes = [shape.size.depth, shape.size.height, shape.size.width]
        guard shape.channels <= channels, axes.allSatisfy({ $0 <= edge }) else { return false }
        let padded = (shape.channels + FeatureShape.lanes - 1) / FeatureShape.lanes * FeatureShape.lanes
        return product([shape.batch, padded] + axes, atMost: map) != nil
    }

    static func checkMap(_ shape: FeatureShape) throws(LayerProblem) {
        guard isPossible(shape) else {
            throw LayerProblem(
                "makes maps of \(shape.batch) × \(shape.channels) × \(shape.size), more than the \(map) values that are possible"
            )
        }
    }
}
