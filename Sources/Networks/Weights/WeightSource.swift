import Kernels

/// Where the values of a network's parameters come from, one tensor at a time: memory, or a file that is read when a plan
/// packs them, so that applying a network never holds its weights twice.
package protocol WeightSource: Sendable {
    /// Those of the network, running statistics included, in its order.
    var parameters: [Parameter] { get }
    /// Bytes of values that it keeps in memory.
    var heldBytes: Int { get }

    /// The values of one of `parameters`.
    ///
    /// - Throws: `NetworkError` where they cannot be read, or are no finite numbers.
    func tensor(_ name: String) throws -> Tensor
}

extension Weights: WeightSource {
    package var heldBytes: Int { parameters.reduce(0) { $0 + $1.count } * MemoryLayout<Float>.stride }

    package func tensor(_ name: String) throws -> Tensor {
        guard let tensor = self[name] else { throw NetworkError.weights("the network has no parameter \(name)") }
        return tensor
    }
}
