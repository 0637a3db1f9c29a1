import Foundation
import Kernels
import Networks
import ONNX

/// Runs an ONNX model on raw values, for comparison with another runtime:
/// `qsmflow-benchmarks onnx MODEL THREADS REPEATS INPUT SHAPE... OUTPUT`, shapes as 1x1x32x32x32, values as
/// little-endian single precision. Prints one line of JSON.
enum ONNXRun {
    static func main(_ arguments: [String]) throws {
        guard arguments.count >= 6, let threads = Int(arguments[1]), let repeats = Int(arguments[2]) else {
            throw Usage()
        }
        let model = try ONNXImport(path: arguments[0])
        var inputs: [Tensor] = []
        for n in stride(from: 3, to: arguments.count - 1, by: 2) {
            let shape = arguments[n + 1].split(separator: "x").compactMap { Int($0) }
            let data = try Data(contentsOf: URL(fileURLWithPath: arguments[n]))
            guard data.count == shape.reduce(4, *) else { throw Usage() }
            inputs.append(Tensor(shape: shape, values: data.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }))
        }
        let shapes = inputs.map { tensor -> FeatureShape in
            let axes = [Int](repeating: 1, count: max(0, 5 - tensor.shape.count)) + tensor.shape.dropFirst(2)
            return FeatureShape(
                batch: tensor.shape[0], channels: tensor.shape[1],
                size: Extent3(axes[axes.count - 3], axes[axes.count - 2], axes[axes.count - 1]))
        }
        let plan = try InferencePlan(model.network, weights: model.weights, inputs: shapes, threads: threads)
        var outputs = try plan.run(inputs)
        var seconds = Double.infinity
        for _ in 0..<repeats {
            let start = ContinuousClock.now
            outputs = try plan.run(inputs)
            let taken = ContinuousClock.now - start
            seconds = min(seconds, Double(taken.components.seconds) + Double(taken.components.attoseconds) * 1e-18)
        }
        var data = Data()
        for output in outputs { output.values.withUnsafeBytes { data.append(contentsOf: $0) } }
        try data.write(to: URL(fileURLWithPath: arguments[arguments.count - 1]))
        let line: [String: Any] = [
            "name": "onnx", "tool": "qsmflow", "model": arguments[0], "threads": threads, "minimum_s": seconds,
            "layers": model.network.nodes.count, "parameters": model.network.trainableCount,
            "memory_bytes": plan.memory.total, "outputs": outputs.map(\.shape), "notes": model.notes,
        ]
        print(String(decoding: try JSONSerialization.data(withJSONObject: line, options: [.sortedKeys]), as: UTF8.self))
    }

    struct Usage: Error, CustomStringConvertible {
        let description = "usage: qsmflow-benchmarks onnx MODEL THREADS REPEATS INPUT SHAPE... OUTPUT"
    }
}
