import Foundation
import Kernels
import Networks

/// Our half of the comparison of single layers and losses with PyTorch (Benchmarks/peers/layer_check.py), which makes up
/// the cases, runs this once for all of them, and compares what comes out.
///
/// `--layer-check FOLDER` reads cases.json and cases.safetensors there, in which the tensors of case 7 are 7.input0, …,
/// 7.target0 and 7.weight.NAME for every parameter, and writes result.safetensors:
/// 7.folded0 and 7.plain0, the first output at inference with and without batch normalisation folded (and its inputs read
/// as given); 7.output0, the output in training; 7.loss; 7.input_gradient0, …; 7.gradient.NAME and 7.statistics.NAME.
enum LayerCheck {
    struct Case: Decodable {
        let network: Network
        let loss: Loss
        /// Whether targets are classes, as each position's number; else values in the shape of the output.
        let classes: Bool
    }

    static func run(folder: String, threads: Int) throws {
        let cases = try JSONDecoder().decode(
            [Case].self, from: Data(contentsOf: URL(fileURLWithPath: "\(folder)/cases.json")))
        let file = try SafetensorsFile(path: "\(folder)/cases.safetensors")
        var results: [(name: String, shape: [Int], values: () -> [Float])] = []
        for (number, entry) in cases.enumerated() {
            for (name, tensor) in try run(entry, number, file, threads: threads) {
                results.append(("\(number).\(name)", tensor.shape, { tensor.values }))
            }
        }
        try SafetensorsWriter.write(results, metadata: [:], to: "\(folder)/result.safetensors")
    }

    private static func run(
        _ entry: Case, _ number: Int, _ file: SafetensorsFile, threads: Int
    ) throws -> [(String, Tensor)] {
        let network = entry.network
        let weights = try Weights(
            parameters: network.parameters,
            tensors: try network.parameters.map { try file.tensor("\(number).weight.\($0.name)") })
        let inputs = try network.inputs.indices.map { try file.tensor("\(number).input\($0)") }
        let target = try file.tensor("\(number).target0")
        let batch = Batch(
            inputs: inputs,
            targets: [entry.classes ? .classes(target.values.map { UInt8($0) }) : .values(target)])
        let shapes = try network.inputShapes(of: inputs)
        var results: [(String, Tensor)] = []

        for (name, folds) in [("folded0", true), ("plain0", false)] {
            let plan = try InferencePlan(
                network, weights: weights, inputs: shapes, threads: threads, folding: folds, planarInputs: folds)
            results.append((name, try plan.run(inputs)[0]))
        }
        let storage = ParameterStorage(weights)
        let plan = try TrainingPlan(
            network, loss: entry.loss, inputs: shapes, parameters: storage, inputGradients: true, threads: threads)
        let loss = try plan.gradient(batch, random: Philox(seed: 1), epoch: 0, index: number)
        results.append(("loss", Tensor(shape: [1], values: [Float(loss.total)])))
        for index in inputs.indices {
            guard let gradient = plan.inputGradient(index) else { continue }
            results.append(("input_gradient\(index)", gradient.tensor()))
        }
        let after = storage.weights
        for (n, gradient) in storage.gradients.enumerated() {
            let name = after.parameters[n].name
            if let gradient {
                results.append(("gradient.\(name)", gradient))
            } else {
                results.append(("statistics.\(name)", after.tensors[n]))
            }
        }
        // Outputs are only kept until the backward pass begins, so they are computed once more.
        storage.set(weights.tensors)
        try plan.updateStatistics(batch, momentum: 0.1, random: Philox(seed: 1), epoch: 0, index: number)
        results.append(("output0", plan.output().tensor()))
        return results
    }
}
