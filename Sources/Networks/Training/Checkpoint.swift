import Foundation
import Kernels

/// One safetensors file with all a training needs to go on as if it had not been interrupted: weights under "model.",
/// moments of the optimiser under "moment0.", "moment1.", weights of the best epoch under "best.", the average under
/// "average."; network, settings and state as JSON in the metadata.
extension Trainer {
    private static let metadataKeys = (network: "network", settings: "settings", state: "state", data: "data")

    package func saveCheckpoint(to path: String) throws {
        var tensors: [(name: String, shape: [Int], values: () -> [Float])] = []
        func add(_ prefix: String, _ base: UnsafePointer<Float>, trainableOnly: Bool = false) {
            for (n, parameter) in parameters.parameters.enumerated() where parameter.isTrainable || !trainableOnly {
                let parameters = parameters
                tensors.append(
                    (prefix + parameter.name, parameter.shape, { parameters.tensor(n, in: base).values }))
            }
        }
        add("model.", parameters.values)
        for (n, moment) in optimiser.moments.enumerated() { add("moment\(n).", moment.base, trainableOnly: true) }
        if let best { add("best.", best.base) }
        if let average { add("average.", average.base) }
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        func text(_ value: some Encodable) throws -> String {
            String(decoding: try encoder.encode(value), as: UTF8.self)
        }
        var metadata = [
            Self.metadataKeys.network: try text(network), Self.metadataKeys.settings: try text(settings),
            Self.metadataKeys.state: try text(state),
        ]
        metadata[Self.metadataKeys.data] = dataDigest
        try SafetensorsWriter.write(tensors, metadata: metadata, to: path)
    }

    /// A training as it was when the checkpoint was saved.
    ///
    /// - Throws: `NetworkError.file` where the file is damaged or no checkpoint, or belongs to another training than
    ///   `network` and `settings` say.
    package convenience init(
        resuming path: String, _ network: Network, settings: TrainingSettings, dataDigest: String? = nil, threads: Int
    ) throws {
        let file = try SafetensorsFile(path: path)
        func problem(_ text: String) -> NetworkError { .file(path: path, problem: text) }
        func decode<Value: Decodable>(_ type: Value.Type, _ key: String) throws -> Value {
            guard let text = file.metadata[key] else {
                throw problem("is no checkpoint of a training: it lacks the \(key)")
            }
            do {
                return try JSONDecoder().decode(type, from: Data(text.utf8))
            } catch {
                throw problem("is a damaged checkpoint: its \(key) cannot be read (\(error))")
            }
        }
        guard try decode(Network.self, Self.metadataKeys.network) == network else {
            throw problem("is the checkpoint of another network")
        }
        guard try decode(TrainingSettings.self, Self.metadataKeys.settings) == settings else {
            throw problem("is the checkpoint of a training with other settings; begin anew or give the same settings")
        }
        guard file.metadata[Self.metadataKeys.data] == dataDigest else {
            throw problem("is the checkpoint of a training on other data; begin anew or give the same data")
        }
        let state = try decode(TrainingState.self, Self.metadataKeys.state)
        try self.init(
            network, settings: settings, weights: Weights(network, reading: "model.", of: file), dataDigest: dataDigest,
            threads: threads)
        self.state = state
        optimiser.step = state.step
        for (n, moment) in optimiser.moments.enumerated() {
            for (index, parameter) in parameters.parameters.enumerated() where parameter.isTrainable {
                try parameters.read(index, "moment\(n).", of: file, to: moment.base)
            }
        }
        func read(_ prefix: String) throws -> FeatureStorage {
            let storage = FeatureStorage(count: ParameterStorage.counts(parameters.parameters).all)
            for index in parameters.parameters.indices {
                try parameters.read(index, prefix, of: file, to: storage.base)
            }
            return storage
        }
        if state.best != nil { best = try read("best.") }
        if state.averaged > 0 { average = try read("average.") }
    }
}

extension Weights {
    /// Those of the file's tensors that begin with `prefix`; others are not looked at.
    fileprivate init(_ network: Network, reading prefix: String, of file: SafetensorsFile) throws {
        try self.init(WeightFile(network, file, prefix: prefix))
    }
}

extension ParameterStorage {
    /// Reads one tensor into memory laid out as `values` is.
    fileprivate func read(
        _ index: Int, _ prefix: String, of file: SafetensorsFile, to base: UnsafeMutablePointer<Float>
    ) throws {
        let parameter = parameters[index]
        let tensor = try file.tensor(prefix + parameter.name)
        guard tensor.shape == parameter.shape else {
            throw NetworkError.file(
                path: file.path,
                problem: "is a damaged checkpoint: \(prefix)\(parameter.name) has the shape \(tensor.shape)")
        }
        tensor.values.withUnsafeBufferPointer { source in
            guard let start = source.baseAddress else { return }
            (base + offset(index)).update(from: start, count: source.count)
        }
    }
}
