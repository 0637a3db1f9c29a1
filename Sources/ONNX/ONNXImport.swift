import Foundation
import Kernels
import Networks

/// A network taken over from a model in the Open Neural Network Exchange format, with its weights.
///
/// Layers are named as in the file where it says how: parameters called `encoder.0.conv.weight` make a layer
/// `encoder.0.conv`, as in PyTorch's `state_dict`.
package struct ONNXImport: Sendable {
    package let network: Network
    package let weights: Weights
    /// Program and version that wrote the file, as it says.
    package let producer: String
    package let operatorSet: Int
    /// Size of every input for which the model was exported; nil where it was left open.
    package let inputSizes: [Extent3?]
    /// What differs from the file, in sentences.
    package let notes: [String]

    /// - Parameter path: the model; files of external data lie beside it.
    /// - Throws: `ONNXError`, naming the file and the node.
    package init(path: String) throws {
        try self.init(ONNXFile(path: path))
    }

    init(_ file: ONNXFile) throws {
        var importer = ONNXImporter(file)
        let network = try importer.run()
        self.network = network
        let parameters = network.parameters
        do {
            // Every layer with parameters was added together with their values.
            weights = try Weights(
                parameters: parameters, tensors: parameters.compactMap { importer.weights[$0.name] })
        } catch {
            throw ONNXError.file(path: file.path, problem: "its weights do not fit its layers: \(error)")
        }
        (producer, operatorSet) = (file.producer, file.operatorSet)
        (inputSizes, notes) = (importer.inputSizes, importer.notes)
    }
}
