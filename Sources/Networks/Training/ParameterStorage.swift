import Kernels

/// The parameters of a network in training and their gradients, each in one piece of memory: what is learned first, then
/// the running statistics.
package final class ParameterStorage {
    package let parameters: [Parameter]
    /// Values of the learned parameters, with the padding between them; also the size of the gradient and the moments.
    package let trainableCount: Int
    package let values: UnsafeMutablePointer<Float>
    package let gradient: UnsafeMutablePointer<Float>
    /// Counts up with every change, so that plans know when to read the weights again.
    package private(set) var version = 0

    /// Values of all parameters, with the padding between them.
    private let valueCount: Int
    private let valueStorage, gradientStorage: FeatureStorage
    private let offsets: [Int]

    package init(_ weights: Weights) {
        parameters = weights.parameters
        let (offsets, trainable, count) = Self.layout(parameters)
        (self.offsets, trainableCount, valueCount) = (offsets, trainable, count)
        valueStorage = FeatureStorage(count: count)
        gradientStorage = FeatureStorage(count: trainable)
        (values, gradient) = (valueStorage.base, gradientStorage.base)
        set(weights.tensors)
    }

    /// Values of one set of parameters, respectively of one gradient.
    static func counts(_ parameters: [Parameter]) -> (all: Int, trainable: Int) {
        let (_, trainable, count) = layout(parameters)
        return (count, trainable)
    }

    private static func layout(_ parameters: [Parameter]) -> (offsets: [Int], trainable: Int, count: Int) {
        var offsets = [Int](repeating: 0, count: parameters.count)
        var next = 0
        var trainable = 0
        for trains in [true, false] {
            for (n, parameter) in parameters.enumerated() where parameter.isTrainable == trains {
                offsets[n] = next
                next += (parameter.count + 15) / 16 * 16
            }
            if trains { trainable = next }
        }
        return (offsets, trainable, next)
    }

    /// Where each parameter begins; the same in the gradient and the moments for those that are learned.
    package func offset(_ index: Int) -> Int { offsets[index] }

    var pointers: [UnsafeMutablePointer<Float>?] { offsets.map { values + $0 } }

    var gradientPointers: [UnsafeMutablePointer<Float>?] {
        zip(parameters, offsets).map { $0.isTrainable ? gradient + $1 : nil }
    }

    /// To be called by whoever has written to `values`.
    package func didChange() { version += 1 }

    /// Whether all values, running statistics among them, are finite numbers.
    func isFinite(threads: Int) -> Bool {
        let (values, count, piece) = (UnsafePointer(values), valueCount, 1 << 16)
        let sums = Parallel.map((count + piece - 1) / piece, threads: threads) { index in
            var lanes = SIMD16<Float>()
            for n in stride(from: index * piece, to: min(count, (index + 1) * piece), by: 16) {
                // 0 for finite numbers, NaN for all else.
                lanes += UnsafeRawPointer(values + n).loadUnaligned(as: SIMD16<Float>.self) * 0
            }
            return lanes.sum()
        }
        return sums.allSatisfy { $0 == 0 }
    }

    package var weights: Weights {
        // Number and shapes are the parameters' own.
        try! Weights(parameters: parameters, tensors: tensors(in: values))
    }

    /// Sets all values; tensors in the order and the shapes of the parameters.
    package func set(_ tensors: [Tensor]) {
        for (n, tensor) in tensors.enumerated() {
            tensor.values.withUnsafeBufferPointer { source in
                guard let base = source.baseAddress else { return }
                (values + offsets[n]).update(from: base, count: source.count)
            }
        }
        didChange()
    }

    /// The gradient of every parameter, nil for running statistics.
    package var gradients: [Tensor?] {
        parameters.indices.map { n in
            guard parameters[n].isTrainable else { return nil }
            return tensor(n, in: gradient)
        }
    }

    /// All parameters from memory that is laid out as `values` is.
    func tensors(in base: UnsafePointer<Float>) -> [Tensor] { parameters.indices.map { tensor($0, in: base) } }

    func tensor(_ index: Int, in base: UnsafePointer<Float>) -> Tensor {
        let parameter = parameters[index]
        let values = Array(UnsafeBufferPointer(start: base + offsets[index], count: parameter.count))
        return Tensor(shape: parameter.shape, values: values)
    }
}
