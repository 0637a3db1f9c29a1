import Kernels

/// The weights of a network in a safetensors file: names and shapes are checked at once, values are read when they are
/// asked for.
package final class WeightFile: WeightSource {
    package let parameters: [Parameter]
    package var heldBytes: Int { 0 }

    private let file: SafetensorsFile
    private let prefix: String

    /// - Parameter prefix: before every name in the file, such as "module.".
    /// - Throws: `NetworkError.file` where tensors are missing, unexpected or of another shape, listing them.
    package init(_ network: Network, _ file: SafetensorsFile, prefix: String = "") throws {
        (parameters, self.file, self.prefix) = (network.parameters, file, prefix)
        let known = Set(parameters.map { prefix + $0.name })
        let missing = parameters.filter { file.shape(of: prefix + $0.name) == nil }.map(\.name)
        // PyTorch counts the batches a normalisation has seen; nothing here depends on it.
        let unexpected = file.names.filter {
            $0.hasPrefix(prefix) && !known.contains($0) && !$0.hasSuffix(".num_batches_tracked")
        }
        let misshapen = parameters.compactMap { parameter -> String? in
            guard let shape = file.shape(of: prefix + parameter.name), shape != parameter.shape else { return nil }
            return "\(parameter.name) (\(shape) instead of \(parameter.shape))"
        }
        var problems: [String] = []
        for (names, what) in [(missing, "lacks"), (unexpected, "has besides"), (misshapen, "has in another shape")]
        where !names.isEmpty {
            let listed = names.prefix(5).joined(separator: ", ")
            problems.append("\(what) \(listed)" + (names.count > 5 ? " and \(names.count - 5) more" : ""))
        }
        guard problems.isEmpty else {
            throw NetworkError.file(
                path: file.path,
                problem: "does not hold the weights of this network: it " + problems.joined(separator: ", "))
        }
    }

    package func tensor(_ name: String) throws -> Tensor {
        let tensor = try file.tensor(prefix + name)
        let wrong = tensor.values.count { !$0.isFinite }
        guard wrong == 0 else {
            throw NetworkError.file(
                path: file.path,
                problem: "has \(wrong) values in \(prefix)\(name) that are no finite numbers; train or export the "
                    + "model anew")
        }
        return tensor
    }
}

extension Weights {
    /// Reads the weights of a network.
    ///
    /// - Parameter prefix: before every name in the file, such as "module.".
    /// - Throws: `NetworkError.file` where tensors are missing, unexpected or of another shape, listing them, or where
    ///   the file is damaged.
    package init(_ network: Network, from path: String, prefix: String = "") throws {
        try self.init(WeightFile(network, SafetensorsFile(path: path), prefix: prefix))
    }

    /// All of what `source` gives, in memory.
    package init(_ source: some WeightSource) throws {
        try self.init(parameters: source.parameters, tensors: source.parameters.map { try source.tensor($0.name) })
    }
}
