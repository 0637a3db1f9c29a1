import Kernels

/// The values of all parameters of a network, running statistics included, in the order of `Network.parameters`.
package struct Weights: Sendable, Equatable {
    package let parameters: [Parameter]
    package private(set) var tensors: [Tensor]

    /// - Throws: `NetworkError.weights` where number or shapes differ.
    package init(parameters: [Parameter], tensors: [Tensor]) throws {
        guard parameters.count == tensors.count else {
            throw NetworkError.weights("the network has \(parameters.count) parameters and is given \(tensors.count)")
        }
        for (parameter, tensor) in zip(parameters, tensors) where parameter.shape != tensor.shape {
            throw NetworkError.weights("\(parameter.name) is \(parameter.shape) and is given \(tensor.shape)")
        }
        (self.parameters, self.tensors) = (parameters, tensors)
    }

    package subscript(name: String) -> Tensor? {
        parameters.firstIndex { $0.name == name }.map { tensors[$0] }
    }

    /// Replaces one tensor by one of the same shape.
    package mutating func set(_ name: String, to tensor: Tensor) throws {
        guard let index = parameters.firstIndex(where: { $0.name == name }) else {
            throw NetworkError.weights("the network has no parameter \(name)")
        }
        guard parameters[index].shape == tensor.shape else {
            throw NetworkError.weights("\(name) is \(parameters[index].shape) and is given \(tensor.shape)")
        }
        tensors[index] = tensor
    }
}
