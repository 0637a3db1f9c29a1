import Foundation
import Kernels
import Networks

/// Whole networks: one application to a batch, or one step of training (forward, backward, Adam). Sizes do not follow
/// `--edge`: they are those that Benchmarks/peers/whole_networks.py runs in PyTorch.
struct NetworkBenchmark: Benchmark {
    enum Work: String {
        case inference
        case training
    }

    let network: String
    let work: Work

    var name: String { "network_\(network)_\(work.rawValue)" }

    static let all =
        ["unet3d", "deepmir", "resnet18"].flatMap { network in
            [Work.inference, .training].map { NetworkBenchmark(network: network, work: $0) }
        }
        // One slice is what deepmir's inference takes already.
        + [NetworkBenchmark(network: "deepmir1", work: .training)]

    func prepare(edge: Int, threads: Int) throws -> () throws -> Double {
        let (network, shape, loss) = try problem()
        var random = Philox(seed: 1).stream(1)
        let values = (0..<shape.count).map { _ in random.uniform() - 0.5 }
        let size = shape.size
        let input = Tensor(
            shape: [shape.batch, shape.channels, size.depth, size.height, size.width], values: values)
        switch work {
        case .inference:
            // From a file, as models are applied and as the peers have theirs.
            let path = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).safetensors").path
            // What is left behind is in the folder of temporary files.
            defer { try? FileManager.default.removeItem(atPath: path) }
            try network.initialWeights(.heNormal, seed: 1).write(to: path)
            let plan = try InferencePlan(
                network, weights: WeightFile(network, SafetensorsFile(path: path)), inputs: [shape], threads: threads,
                planarInputs: true)
            note(plan.memory)
            return {
                let output = try plan.run([input])[0].values
                return output.reduce(0) { $0 + Double(abs($1)) }
            }
        case .training:
            let parameters = ParameterStorage(network.initialWeights(.heNormal, seed: 1))
            let plan = try TrainingPlan(
                network, loss: loss, inputs: [shape], parameters: parameters, threads: threads)
            let optimiser = OptimiserState(.adam(), parameters)
            let positions = plan.outputShapes[0].batch * plan.outputShapes[0].positions
            let classes = UInt32(plan.outputShapes[0].channels)
            let targets = Target.classes((0..<positions).map { _ in UInt8(random.next32() % classes) })
            note(plan.memory)
            var step = 0
            return {
                let batch = Batch(inputs: [input], targets: [targets])
                let value = try plan.gradient(batch, random: Philox(seed: 1), epoch: 0, index: step)
                optimiser.update(learningRate: 1e-4, threads: threads)
                step += 1
                return value.total
            }
        }
    }

    private func note(_ memory: MemoryStatement) {
        FileHandle.standardError.write(Data("\(name) takes \(memory)\n".utf8))
    }

    func problem() throws -> (network: Network, shape: FeatureShape, loss: Loss) {
        switch network {
        case "unet3d":
            var net = UNet(rank: 3, inputChannels: 1, outputChannels: 2, widths: [16, 32, 64, 128, 256])
            net.normalisation = .batch
            let shape = FeatureShape(batch: 1, channels: 1, size: Extent3(repeating: 128))
            return (try net.network(), shape, .crossEntropy())
        case "deepmir", "deepmir1":
            // The batch of the released code's training; slices come one by one to be segmented. At batch 1 a step of
            // training is as much work on the parameters as on the slice.
            let batch = work == .training && network == "deepmir" ? 8 : 1
            let shape = FeatureShape(batch: batch, channels: 3, size: Extent3(1, 256, 256))
            return (try UNet.deepMIR(inputChannels: 3).network(), shape, .crossEntropy())
        default:
            var builder = NetworkBuilder()
            let image = try builder.input("image", channels: 2, rank: 3)
            var x = try ResidualNetwork.resNet18(inputChannels: 2).addFeatures(image, to: &builder)
            x = try builder.linear("fc", x, outputs: 2)
            let shape = FeatureShape(batch: 32, channels: 2, size: Extent3(repeating: 32))
            return (try builder.network(outputs: [x]), shape, .crossEntropy())
        }
    }
}
