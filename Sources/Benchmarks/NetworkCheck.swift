import Foundation
import Kernels
import Networks

/// Our half of the comparison with PyTorch (Benchmarks/peers/network_check.py), which makes weights and batches, runs
/// this, and compares what comes out.
///
/// `--network-check FOLDER --network NAME --describe` writes FOLDER/network.json. Without `--describe` it reads
/// weights.safetensors and batches.safetensors there (input0.0 is the first input of the first batch, target0.0 the
/// targets of the first output) and writes result.safetensors: the outputs for the first batch as at inference
/// ("output0"), the gradients of the loss on every batch, all with these weights ("gradient.0.NAME"), the losses of
/// training steps ("losses") and the running statistics after the first of them ("statistics.NAME").
///
/// With `--edges INDEX` it writes edges.safetensors instead: of batch INDEX what every ReLU made and every max pooling
/// was given, by the name of the layer that made it.
enum NetworkCheck {
    struct Case {
        let network: Network
        let loss: Loss
        /// Of one batch, as PyTorch would have them.
        let inputs: [[Int]]
        /// Of Adam, whose own default is what most take.
        var learningRate = 1e-3
    }

    static let names = [
        "unet3d", "unet3d-swish", "unet3d-tutorial", "deepmir", "deepmir-swish", "resunet3d", "unet3d-instance",
        "resnet18", "slices", "rim", "double",
    ]

    static func makeCase(_ name: String) throws -> Case {
        switch name {
        case "unet3d", "unet3d-swish":
            var net = UNet(rank: 3, inputChannels: 1, outputChannels: 3, widths: [16, 32, 64])
            net.activation = name == "unet3d" ? .relu : .swish
            return Case(
                network: try net.network(), loss: .crossEntropy() + .dice(), inputs: [[2, 1, 16, 24, 20]])
        case "unet3d-tutorial":
            var net = UNet.tutorial(inputChannels: 1, classes: 2)
            net.dropout = []
            return Case(
                network: try net.network(), loss: .crossEntropy(), inputs: [[1, 1, 32, 32, 32]], learningRate: 1e-4)
        case "deepmir", "deepmir-swish":
            var net = UNet.deepMIR(inputChannels: 2)
            net.activation = name == "deepmir" ? .relu : .swish
            return Case(
                network: try net.network(), loss: .crossEntropy(), inputs: [[2, 2, 96, 128]])
        case "resunet3d":
            var net = UNet.residual(inputChannels: 2, classes: 4)
            net.widths = [10, 20, 40]
            net.upsampling = .linear
            return Case(network: try net.network(), loss: .focal(), inputs: [[2, 2, 12, 16, 8]])
        case "unet3d-instance":
            var net = UNet(rank: 3, inputChannels: 2, outputChannels: 4, widths: [16, 32, 48])
            net.normalisation = .instance
            net.activation = .leakyRelu(slope: 0.01)
            net.upsampling = .nearest
            return Case(network: try net.network(), loss: .crossEntropy() + .dice(), inputs: [[2, 2, 8, 16, 12]])
        case "resnet18":
            var builder = NetworkBuilder()
            let image = try builder.input("image", channels: 2, rank: 3)
            var x = try ResidualNetwork.resNet18(inputChannels: 2).addFeatures(image, to: &builder)
            x = try builder.linear("fc", x, outputs: 3)
            return Case(
                network: try builder.network(outputs: [x]), loss: .crossEntropy(), inputs: [[4, 2, 32, 32, 32]])
        case "slices":
            return Case(
                network: try SliceSequenceNetwork(inputChannels: 2).network(),
                loss: .binaryCrossEntropy() + .binaryCrossEntropy().on(output: 1), inputs: [[2, 2, 5, 32, 32]])
        case "rim":
            return Case(
                network: try QSMRimNet().network(), loss: .binaryCrossEntropy(),
                inputs: [[4, 2, 32, 32, 32], [4, 527]])
        case "double":
            let net = DoubleBranchUNet(inputChannels: 1, outputChannels: 3)
            return Case(
                network: try net.network(), loss: .crossEntropy(), inputs: [[1, 1, 32, 32, 32], [1, 1, 32, 32, 32]])
        default: throw NetworkError.input("no network \(name) to check; there are \(names.joined(separator: ", "))")
        }
    }

    /// A case whose network is the one of that name without what is random in training, which two implementations
    /// cannot have in common.
    private static func makeComparable(_ name: String) throws -> Case {
        let entry = try makeCase(name)
        var builder = NetworkBuilder()
        var values: [String: NetworkBuilder.Value] = [:]
        for input in entry.network.inputs {
            values[input.name] = try builder.input(input.name, channels: input.channels, rank: input.rank)
        }
        for node in entry.network.nodes {
            switch node.layer {
            case .dropout, .deepSMOTE: values[node.name] = values[node.inputs[0]]
            default: values[node.name] = try builder.add(node.name, node.layer, node.inputs.map { values[$0]! })
            }
        }
        let network = try builder.network(outputs: entry.network.outputs.map { values[$0]! })
        return Case(network: network, loss: entry.loss, inputs: entry.inputs, learningRate: entry.learningRate)
    }

    static let batches = 4
    static let steps = 20

    /// The network, its loss and the sizes of its batches, for the other side.
    static func describe(_ name: String, folder: String) throws {
        let entry = try makeComparable(name)
        struct Description: Encodable {
            let network: Network
            let loss: Loss
            let inputs: [[Int]]
            let batches, steps: Int
            let learningRate: Double
        }
        let description = Description(
            network: entry.network, loss: entry.loss, inputs: entry.inputs, batches: batches, steps: steps,
            learningRate: entry.learningRate)
        try JSONEncoder().encode(description).write(to: URL(fileURLWithPath: "\(folder)/network.json"))
    }

    private static func readBatches(_ entry: Case, folder: String) throws -> [Batch] {
        let file = try SafetensorsFile(path: "\(folder)/batches.safetensors")
        return try (0..<batches).map { index in
            Batch(
                inputs: try entry.network.inputs.indices.map { try file.tensor("input\($0).\(index)") },
                targets: try entry.network.outputs.indices.map { output in
                    let values = try file.tensor("target\(output).\(index)")
                    let compares = entry.loss.terms.contains { $0.output == output && $0.kind == .binary }
                    return compares ? .values(values) : .classes(values.values.map { UInt8($0) })
                })
        }
    }

    /// On which side of its edge every ReLU saw its values in one batch, as its results tell by their signs, and what every
    /// max pooling chose from. As results of the network these are kept, and computed as they are without being asked for.
    static func writeEdges(_ name: String, batch index: Int, folder: String, threads: Int) throws {
        let entry = try makeComparable(name)
        var builder = NetworkBuilder()
        var values: [String: NetworkBuilder.Value] = [:]
        for input in entry.network.inputs {
            values[input.name] = try builder.input(input.name, channels: input.channels, rank: input.rank)
        }
        var edges: [String] = []
        for node in entry.network.nodes {
            values[node.name] = try builder.add(node.name, node.layer, node.inputs.map { values[$0]! })
            switch node.layer {
            case .activation(.relu), .activation(.leakyRelu): edges.append(node.name)
            case .pooling(let settings) where settings.kind == .max: edges.append(node.inputs[0])
            default: continue
            }
        }
        edges = Set(edges).sorted()
        let first = entry.network.outputs.count
        let network = try builder.network(outputs: (entry.network.outputs + edges).map { values[$0]! })
        let batch = try readBatches(entry, folder: folder)[index]
        let plan = try TrainingPlan(
            network, loss: entry.loss, inputs: network.inputShapes(of: batch.inputs),
            parameters: ParameterStorage(Weights(network, from: "\(folder)/weights.safetensors")), threads: threads)
        try plan.updateStatistics(batch, momentum: 0.1, random: Philox(seed: 1), epoch: 0, index: index)
        let results = edges.indices.map { n in
            let tensor = plan.output(first + n).tensor()
            return (name: edges[n], shape: tensor.shape, values: { tensor.values })
        }
        try SafetensorsWriter.write(results, metadata: ["network": name], to: "\(folder)/edges.safetensors")
    }

    static func run(_ name: String, folder: String, threads: Int) throws {
        let entry = try makeComparable(name)
        let network = entry.network
        let weights = try Weights(network, from: "\(folder)/weights.safetensors")
        let all = try readBatches(entry, folder: folder)
        let shapes = try network.inputShapes(of: all[0].inputs)
        var results: [(name: String, shape: [Int], values: () -> [Float])] = []
        func add(_ name: String, _ tensor: Tensor) { results.append((name, tensor.shape, { tensor.values })) }

        let inference = try InferencePlan(
            network, weights: weights, inputs: shapes, threads: threads, planarInputs: true)
        for (n, output) in try inference.run(all[0].inputs).enumerated() { add("output\(n)", output) }

        let storage = ParameterStorage(weights)
        let plan = try TrainingPlan(
            network, loss: entry.loss, inputs: shapes, parameters: storage, threads: threads)
        for (index, batch) in all.enumerated() {
            try plan.gradient(batch, random: Philox(seed: 1), epoch: 0, index: index)
            for (parameter, gradient) in zip(network.parameters, storage.gradients) {
                if let gradient { add("gradient.\(index).\(parameter.name)", gradient) }
            }
        }
        storage.set(weights.tensors)
        let optimiser = OptimiserState(.adam(), storage)
        var losses: [Float] = []
        for step in 0..<steps {
            let loss = try plan.gradient(all[step % batches], random: Philox(seed: 1), epoch: 0, index: step)
            losses.append(Float(loss.total))
            if step == 0 {
                let after = storage.weights
                for (parameter, tensor) in zip(after.parameters, after.tensors) where !parameter.isTrainable {
                    add("statistics.\(parameter.name)", tensor)
                }
            }
            optimiser.update(learningRate: entry.learningRate, threads: threads)
        }
        add("losses", Tensor(shape: [steps], values: losses))
        try SafetensorsWriter.write(results, metadata: ["network": name], to: "\(folder)/result.safetensors")
    }
}

extension Loss.Kind {
    fileprivate static var binary: Loss.Kind { .binaryCrossEntropy(settings: BinaryCrossEntropy()) }
}
