import Foundation
import Kernels
import Networks
import SwiftProtobuf
import TestSupport

@testable import ONNX

/// Small models, built node by node as an exporter would write them.
struct ModelMaking {
    var model = ONNXModel()
    private var random: SeededGenerator

    /// - Parameter input: batch and channels, then spatial axes; 0 leaves an axis open.
    init(input: [Int], operatorSet: Int = 18, seed: UInt64 = 1) {
        random = SeededGenerator(seed: seed)
        model.irVersion = 9
        model.producerName = "test"
        var version = ONNXOperatorSet()
        version.version = Int64(operatorSet)
        model.opsetImport = [version]
        model.graph.input = [Self.info("image", input)]
        model.graph.output = [Self.info("result", [])]
    }

    private static func info(_ name: String, _ axes: [Int]) -> ONNXValueInfo {
        var info = ONNXValueInfo()
        info.name = name
        info.type.tensorType.elemType = 1
        info.type.tensorType.shape.dim = axes.map { axis in
            var dimension = ONNXDimension()
            if axis > 0 { dimension.dimValue = Int64(axis) } else { dimension.dimParam = "open" }
            return dimension
        }
        return info
    }

    /// Adds a node; its output is called as it is.
    mutating func node(
        _ operation: String, _ inputs: [String], to output: String, integers: [String: [Int]] = [:],
        integer: [String: Int] = [:], numbers: [String: Float] = [:], texts: [String: String] = [:]
    ) {
        var node = ONNXNode()
        node.opType = operation
        node.name = "/\(output)/\(operation)"
        node.input = inputs
        node.output = [output]
        func attribute(_ name: String, _ fill: (inout ONNXAttribute) -> Void) {
            var attribute = ONNXAttribute()
            attribute.name = name
            fill(&attribute)
            node.attribute.append(attribute)
        }
        for (name, value) in integers { attribute(name) { $0.ints = value.map { Int64($0) } } }
        for (name, value) in integer { attribute(name) { $0.i = Int64(value) } }
        for (name, value) in numbers { attribute(name) { $0.f = value } }
        for (name, value) in texts { attribute(name) { $0.s = Data(value.utf8) } }
        model.graph.node.append(node)
    }

    /// Adds a constant of random values, at most 1 around `mean`, and returns them.
    @discardableResult
    mutating func weight(_ name: String, _ shape: [Int], mean: Float = 0) -> [Float] {
        let values = (0..<shape.reduce(1, *)).map { _ in mean + Float(random.uniform() * 2 - 1) * 0.5 }
        constant(name, shape, values)
        return values
    }

    mutating func constant(_ name: String, _ shape: [Int], _ values: [Float]) {
        var tensor = ONNXTensorValue()
        tensor.name = name
        tensor.dims = shape.map { Int64($0) }
        tensor.dataType = 1
        tensor.rawData = values.withUnsafeBytes { Data($0) }
        model.graph.initializer.append(tensor)
    }

    mutating func integers(_ name: String, _ values: [Int], shape: [Int]? = nil) {
        var tensor = ONNXTensorValue()
        tensor.name = name
        tensor.dims = (shape ?? [values.count]).map { Int64($0) }
        tensor.dataType = 7
        tensor.int64Data = values.map { Int64($0) }
        model.graph.initializer.append(tensor)
    }

    func imported() throws -> ONNXImport {
        // Through bytes, as from a file.
        let bytes: [UInt8] = try model.serializedBytes()
        return try ONNXImport(
            ONNXFile(
                ONNXModel(serializedBytes: bytes), path: "model.onnx", folder: FileManager.default.temporaryDirectory))
    }

    /// What the import says against the model; "taken" where it says nothing.
    var refusal: String {
        do {
            _ = try imported()
            return "taken"
        } catch { return "\(error)" }
    }

    /// Imports and applies to random values; returns these and the results.
    mutating func run(_ shape: [Int]) throws -> (image: Plain, result: Plain) {
        let image = Plain(shape: shape, (0..<shape.reduce(1, *)).map { _ in Float(random.gaussian()) })
        return (image, try run(image))
    }

    /// Imports and applies to values.
    func run(_ image: Plain) throws -> Plain {
        let imported = try imported()
        let shape = image.shape
        let axes = [Int](repeating: 1, count: 5 - shape.count) + shape.dropFirst(2)
        let plan = try InferencePlan(
            imported.network, weights: imported.weights,
            inputs: [
                FeatureShape(
                    batch: shape[0], channels: shape[1],
                    size: Extent3(axes[axes.count - 3], axes[axes.count - 2], axes[axes.count - 1]))
            ], threads: 1)
        let result = try plan.run([Tensor(shape: shape, values: image.values)])[0]
        return Plain(shape: result.shape, result.values)
    }
}

/// Values with a shape, and the plain definitions of operators on them: what imported networks are held against.
struct Plain {
    let shape: [Int]
    var values: [Float]

    init(shape: [Int], _ values: [Float]) {
        precondition(values.count == shape.reduce(1, *))
        (self.shape, self.values) = (shape, values)
    }

    var batch: Int { shape[0] }
    var channels: Int { shape[1] }
    var positions: Int { shape.dropFirst(2).reduce(1, *) }
    /// Depth, height and width; images have depth 1.
    var size: [Int] { [Int](repeating: 1, count: 5 - shape.count) + shape.dropFirst(2) }

    func mapped(_ body: (Float) -> Float) -> Plain { Plain(shape: shape, values.map(body)) }

    func mappedByChannel(_ body: (Float, Int) -> Float) -> Plain {
        Plain(shape: shape, values.enumerated().map { n, value in body(value, n / positions % channels) })
    }

    /// Cross-correlation with a kernel of the same edge along every axis present.
    func convolved(
        _ weight: [Float], bias: [Float]?, outputs: Int, kernel: Int, stride: Int = 1, padding: Int = 0,
        dilation: Int = 1, groups: Int = 1
    ) -> Plain {
        let flat = shape.count == 4
        let size = size
        let kernels = [flat ? 1 : kernel, kernel, kernel]
        let out = (0..<3).map { axis in
            flat && axis == 0 ? 1 : (size[axis] + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1
        }
        let perGroup = channels / groups
        var result: [Float] = []
        for n in 0..<batch {
            for o in 0..<outputs {
                let first = o / (outputs / groups) * perGroup
                for z in 0..<out[0] {
                    for y in 0..<out[1] {
                        for x in 0..<out[2] {
                            var sum = Double(bias?[o] ?? 0)
                            for c in 0..<perGroup {
                                for k in 0..<kernels.reduce(1, *) {
                                    let (kz, ky, kx) = (
                                        k / kernels[1] / kernels[2], k / kernels[2] % kernels[1], k % kernels[2]
                                    )
                                    let i = x * stride + kx * dilation - padding
                                    let j = y * stride + ky * dilation - padding
                                    let l = flat ? 0 : z * stride + kz * dilation - padding
                                    guard 0..<size[0] ~= l, 0..<size[1] ~= j, 0..<size[2] ~= i else { continue }
                                    let at = (((n * channels + first + c) * size[0] + l) * size[1] + j) * size[2] + i
                                    let w = weight[(o * perGroup + c) * kernels.reduce(1, *) + k]
                                    sum += Double(values[at]) * Double(w)
                                }
                            }
                            result.append(Float(sum))
                        }
                    }
                }
            }
        }
        return Plain(shape: [batch, outputs] + (flat ? Array(out.dropFirst()) : out), result)
    }

    /// Transposed convolution of slices: every value is spread over the output through the kernel (weight: inputs ×
    /// outputs of a group × height × width).
    func spread(
        _ weight: [Float], kernel: [Int], stride: [Int], padding: [Int], outputPadding: [Int], dilation: [Int],
        groups: Int, outputsPerGroup: Int
    ) -> Plain {
        let outputs = groups * outputsPerGroup
        let perGroup = channels / groups
        func length(_ axis: Int) -> Int {
            let reach = dilation[axis] * (kernel[axis] - 1) + outputPadding[axis] + 1
            return (shape[2 + axis] - 1) * stride[axis] - 2 * padding[axis] + reach
        }
        let out = [length(0), length(1)]
        let zeros = [Float](repeating: 0, count: batch * outputs * out[0] * out[1])
        var result = Plain(shape: [batch, outputs] + out, zeros)
        let window = kernel[0] * kernel[1]
        for (at, value) in values.enumerated() {
            let x = at % shape[3]
            let y = at / shape[3] % shape[2]
            let c = at / positions % channels
            let n = at / positions / channels
            for o in 0..<outputsPerGroup {
                let plane = n * outputs + c / perGroup * outputsPerGroup + o
                for k in 0..<window {
                    let j: Int = y * stride[0] + k / kernel[1] * dilation[0] - padding[0]
                    let i: Int = x * stride[1] + k % kernel[1] * dilation[1] - padding[1]
                    guard 0..<out[0] ~= j, 0..<out[1] ~= i else { continue }
                    let factor: Float = weight[(c * outputsPerGroup + o) * window + k]
                    result.values[(plane * out[0] + j) * out[1] + i] += value * factor
                }
            }
        }
        return result
    }

    /// Less the mean, over the standard deviation, of the values of each of `groups` groups of channels of an image.
    func normalised(groups: Int, epsilon: Double = 1e-5) -> Plain {
        var result = values
        let count = channels / groups * positions
        for first in stride(from: 0, to: values.count, by: count) {
            let part = values[first..<(first + count)].map { Double($0) }
            let mean = part.reduce(0, +) / Double(count)
            let variance = part.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(count)
            for n in 0..<count { result[first + n] = Float((part[n] - mean) / (variance + epsilon).squareRoot()) }
        }
        return Plain(shape: shape, result)
    }

    /// Mean of every channel.
    var means: Plain {
        var result: [Float] = []
        for first in stride(from: 0, to: values.count, by: positions) {
            result.append(
                Float(values[first..<(first + positions)].reduce(0.0) { $0 + Double($1) } / Double(positions)))
        }
        return Plain(shape: [batch, channels], result)
    }

    /// Matrix (outputs × inputs) times every row.
    func linear(_ weight: [Float], bias: [Float]?, outputs: Int) -> Plain {
        let inputs = values.count / batch
        var result: [Float] = []
        for n in 0..<batch {
            for o in 0..<outputs {
                var sum = Double(bias?[o] ?? 0)
                for i in 0..<inputs { sum += Double(values[n * inputs + i]) * Double(weight[o * inputs + i]) }
                result.append(Float(sum))
            }
        }
        return Plain(shape: [batch, outputs], result)
    }

    /// Largest difference to other values.
    func difference(_ other: Plain) -> Float {
        guard values.count == other.values.count else { return .infinity }
        return zip(values, other.values).reduce(0) { $1.0.isFinite ? max($0, abs($1.0 - $1.1)) : .infinity }
    }
}
