import Foundation
import Kernels
import Networks
import SwiftProtobuf
import TestSupport
import Testing

@testable import ONNX

/// Files may say anything: an import refuses it in a sentence and never crashes.
@Suite("Malformed models")
struct MalformedModelTests {
    private func refusal(_ input: [Int] = [1, 2, 6, 6], _ make: (inout ModelMaking) -> Void) -> String {
        var making = ModelMaking(input: input)
        make(&making)
        return making.refusal
    }

    @Test("numbers that no layer can have are refused with the node")
    func settings() {
        let huge = 1 << 62
        for (name, values) in [
            ("pads", [huge, huge, huge, huge]), ("strides", [huge, huge]), ("dilations", [huge, huge]),
            ("kernel_shape", [huge, huge]),
        ] {
            for operation in ["Conv", "ConvTranspose"] {
                let said = refusal {
                    $0.weight("w", [2, 2, 3, 3])
                    $0.node(operation, ["image", "w"], to: "result", integers: [name: values])
                }
                #expect(
                    said.hasPrefix("model.onnx: node /result/\(operation) (\(operation)) has the impossible \(name)"),
                    "\(said)")
            }
        }
        for operation in ["Conv", "ConvTranspose"] {
            let said = refusal {
                $0.weight("w", [2, 2, 3, 3])
                $0.node(operation, ["image", "w"], to: "result", integer: ["group": huge])
            }
            #expect(said.contains("has the impossible group"), "\(said)")
        }
        #expect(
            refusal {
                $0.node("MaxPool", ["image"], to: "result", integers: ["kernel_shape": [2, 2], "strides": [huge, 1]])
            }.contains("has the impossible strides"))
        #expect(
            refusal {
                $0.integers("p", [0, 0, huge, 1, 0, 0, huge, 1])
                $0.node("Pad", ["image", "p"], to: "a")
                $0.weight("w", [2, 2, 3, 3])
                $0.node("Conv", ["a", "w"], to: "result")
            }.contains("needs whole numbers up to"))
        #expect(
            refusal([1, 2, 1 << 40, 6]) { $0.node("Relu", ["image"], to: "result") }
                == "model.onnx: input image has the impossible shape [1, 2, 1099511627776, 6]")
        #expect(refusal([1, 1 << 40, 6, 6]) { $0.node("Relu", ["image"], to: "result") }.contains("impossible shape"))
        // Each size is possible, what is made of them is not.
        #expect(
            refusal([1, 1, 1 << 15, 1 << 15]) {
                $0.weight("w", [1, 1, 1, 1])
                $0.node("ConvTranspose", ["image", "w"], to: "result", integers: ["strides": [1 << 10, 1 << 10]])
            }.contains("makes a map of the impossible size"))
        #expect(
            refusal {
                $0.weight("w", [2, 2, 9, 9])
                $0.node("Conv", ["image", "w"], to: "result")
            }.contains("does not fit a map of 1×6×6"))
    }

    @Test("a kernel that its weight contradicts is refused with file and node")
    func kernel() {
        let said = refusal {
            $0.weight("w", [2, 2, 3, 3])
            $0.node("Conv", ["image", "w"], to: "result", integers: ["kernel_shape": [5, 5], "pads": [2, 2, 2, 2]])
        }
        #expect(
            said
                == "model.onnx: node /result/Conv (Conv) has the kernel_shape [5, 5] and a weight of shape [2, 2, 3, 3]"
        )
    }

    @Test("nodes without inputs or outputs, and weights without values, are refused")
    func empty() {
        #expect(refusal { $0.node("Reshape", ["image"], to: "result") }.contains("has no shape to go to"))
        let said = refusal {
            $0.constant("w", [1 << 38, 0], [])
            $0.node("GlobalAveragePool", ["image"], to: "p")
            $0.node("Flatten", ["p"], to: "v")
            $0.node("Gemm", ["v", "w"], to: "result")
        }
        #expect(said.contains("the weight is a matrix"), "\(said)")
        let silent = refusal {
            $0.weight("m", [2, 3])
            $0.weight("b", [3])
            $0.node("GlobalAveragePool", ["image"], to: "p")
            $0.node("Flatten", ["p"], to: "v")
            $0.node("MatMul", ["v", "m"], to: "result")
            $0.node("Sigmoid", ["result"], to: "gone")
            $0.model.graph.node[3].output = []
        }
        #expect(silent == "taken")
    }

    /// Small models that together use most of the importer.
    private static var models: [ONNXModel] {
        var decoder = ModelMaking(input: [1, 2, 8, 8])
        decoder.weight("a.weight", [4, 2, 1, 1])
        decoder.node("Conv", ["image", "a.weight"], to: "a", integers: ["pads": [0, 0, 0, 0], "strides": [1, 1]])
        decoder.node("MaxPool", ["a"], to: "b", integers: ["kernel_shape": [2, 2], "strides": [2, 2]])
        decoder.weight("u", [4, 2, 2, 2])
        decoder.node("ConvTranspose", ["b", "u"], to: "c", integers: ["strides": [2, 2]], integer: ["group": 2])
        decoder.node("Concat", ["a", "c"], to: "d", integer: ["axis": 1])
        decoder.integers("grouped", [0, 4, -1])
        decoder.constant("one4", [4], [1, 1, 1, 1])
        decoder.constant("zero4", [4], [0, 0, 0, 0])
        decoder.node("Reshape", ["d", "grouped"], to: "g")
        decoder.node("InstanceNormalization", ["g", "one4", "zero4"], to: "h")
        decoder.node("Shape", ["d"], to: "shape", integer: ["start": 0])
        decoder.node("Reshape", ["h", "shape"], to: "i")
        decoder.node("Shape", ["i"], to: "all")
        decoder.integers("two", [2])
        decoder.integers("four", [4])
        decoder.integers("zero", [0])
        decoder.node("Slice", ["all", "two", "four", "zero"], to: "spatial")
        decoder.node("Cast", ["spatial"], to: "cast", integer: ["to": 7])
        decoder.node("Mul", ["cast", "two"], to: "double")
        decoder.node("Slice", ["all", "zero", "two"], to: "front")
        decoder.node("Concat", ["front", "double"], to: "sizes", integer: ["axis": 0])
        decoder.node("Resize", ["i", "", "", "sizes"], to: "j", texts: ["mode": "linear"])
        decoder.node("Softmax", ["j"], to: "result", integer: ["axis": 1])

        var classifier = ModelMaking(input: [1, 2, 6, 6])
        classifier.integers("pads", [1, 1, 1, 1])
        classifier.integers("padded", [2, 3])
        classifier.node("Pad", ["image", "pads", "", "padded"], to: "a")
        classifier.weight("w", [2, 1, 3, 3])
        classifier.node("Conv", ["a", "w"], to: "b", integers: ["dilations": [1, 1]], integer: ["group": 2])
        for name in ["s", "t", "m", "v"] { classifier.weight(name, [2], mean: 1) }
        classifier.node("BatchNormalization", ["b", "s", "t", "m", "v"], to: "c", numbers: ["epsilon": 0.01])
        classifier.node(
            "AveragePool", ["c"], to: "d", integers: ["kernel_shape": [2, 2], "strides": [2, 2]],
            integer: ["ceil_mode": 1])
        classifier.node("GlobalAveragePool", ["d"], to: "p")
        classifier.weight("g", [2, 2, 1, 1])
        classifier.node("Conv", ["p", "g"], to: "q")
        classifier.node("Sigmoid", ["q"], to: "r")
        classifier.node("Mul", ["d", "r"], to: "e")
        classifier.integers("flat", [-1, 18])
        classifier.node("Reshape", ["e", "flat"], to: "f")
        classifier.weight("fc.weight", [3, 18])
        classifier.node("Gemm", ["f", "fc.weight"], to: "x", integer: ["transB": 1])
        classifier.integers("size", [3])
        classifier.node("ConstantOfShape", ["size"], to: "ones")
        classifier.node("Unsqueeze", ["ones", "zero"], to: "row")
        classifier.integers("zero", [0])
        classifier.node("Add", ["x", "row"], to: "y")
        classifier.node("Squeeze", ["y"], to: "result")
        return [decoder.model, classifier.model]
    }

    /// Imports, and asks of the network what is asked before it runs.
    private func isTaken(_ model: ONNXModel) throws -> Bool {
        do {
            let file = try ONNXFile(model, path: "model.onnx", folder: FileManager.default.temporaryDirectory)
            let imported = try ONNXImport(file)
            _ = (imported.network.sizeDivisor, imported.network.trainableCount)
            let sizes = imported.inputSizes.compactMap { $0 }
            guard sizes.count == imported.inputSizes.count else { return true }
            do {
                _ = try imported.network.shapes(
                    for: zip(imported.network.inputs, sizes).map {
                        FeatureShape(batch: 1, channels: $0.channels, size: $0.rank == 0 ? .one : $1)
                    })
            } catch is NetworkError {}  // said in a sentence
            return true
        } catch let error as ONNXError {
            #expect(!"\(error)".contains("\n"))
            return false
        }
    }

    @Test("no file whose bytes are damaged crashes the import")
    func damagedBytes() throws {
        for (n, model) in Self.models.enumerated() {
            #expect(try isTaken(model), "model \(n)")
            let whole: [UInt8] = try model.serializedBytes()
            var random = SeededGenerator(seed: UInt64(n) + 40)
            func below(_ count: Int) -> Int { Int(random.uniform() * Double(count)) }
            var (taken, refused) = (0, 0)
            for _ in 0..<600 {
                var bytes = whole
                for _ in 0...below(4) { bytes[below(bytes.count)] ^= 1 << UInt8(below(8)) }
                if below(5) == 0 { bytes.removeLast(below(bytes.count)) }
                // What is no message any more is refused before anything here sees it.
                guard let damaged = try? ONNXModel(serializedBytes: bytes) else { continue }
                if try isTaken(damaged) { taken += 1 } else { refused += 1 }
            }
            #expect(taken > 10 && refused > 50, "model \(n): \(taken) taken, \(refused) refused")
        }
    }

    @Test("no number in a file crashes the import")
    func damagedNumbers() throws {
        let numbers: [Int64] = [
            .min, .max, .min + 1, 1 << 62, -(1 << 62), 1 << 40, 1 << 31, 1 << 20, 1 << 16, -10, -5, -1, 0, 1, 2, 3, 7,
        ]
        for (n, model) in Self.models.enumerated() {
            var random = SeededGenerator(seed: UInt64(n) + 50)
            func below(_ count: Int) -> Int { Int(random.uniform() * Double(count)) }
            func change(_ values: inout [Int64]) {
                if values.isEmpty { return values.append(numbers[below(numbers.count)]) }
                switch below(6) {
                case 0: values.removeLast()
                case 1: values.append(numbers[below(numbers.count)])
                case 2: values = values.map { _ in numbers[below(numbers.count)] }
                default: values[below(values.count)] = numbers[below(numbers.count)]
                }
            }
            var (taken, refused) = (0, 0)
            for _ in 0..<1500 {
                var damaged = model
                for _ in 0...below(3) {
                    let node = below(damaged.graph.node.count)
                    let tensor = below(damaged.graph.initializer.count)
                    switch below(6) {
                    case 0: change(&damaged.graph.initializer[tensor].int64Data)
                    case 1:
                        // The values go along, so that the shape alone is what is wrong.
                        change(&damaged.graph.initializer[tensor].dims)
                        let count = Bounds.count(damaged.graph.initializer[tensor].dims.map { Int($0) })
                        if damaged.graph.initializer[tensor].dataType == 1, let count, count <= 4096 {
                            damaged.graph.initializer[tensor].rawData = Data(count: 4 * count)
                        }
                    case 2:
                        let axes = damaged.graph.input[0].type.tensorType.shape.dim.count
                        damaged.graph.input[0].type.tensorType.shape.dim[below(axes)].dimValue =
                            numbers[below(numbers.count)]
                    case 3:
                        guard !damaged.graph.node[node].input.isEmpty else { break }
                        damaged.graph.node[node].input.removeLast()
                    default:
                        let count = damaged.graph.node[node].attribute.count
                        guard count > 0 else { break }
                        let attribute = below(count)
                        if damaged.graph.node[node].attribute[attribute].ints.isEmpty {
                            damaged.graph.node[node].attribute[attribute].i = numbers[below(numbers.count)]
                        } else {
                            change(&damaged.graph.node[node].attribute[attribute].ints)
                        }
                    }
                }
                if try isTaken(damaged) { taken += 1 } else { refused += 1 }
            }
            #expect(taken > 20 && refused > 200, "model \(n): \(taken) taken, \(refused) refused")
        }
    }
}
