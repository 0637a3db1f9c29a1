import Foundation
import Kernels
import Networks
import Testing

@testable import ONNX

@Suite("Imported layers")
struct ImportTests {
    @Test("convolutions with stride, dilation, groups and padding", arguments: [4, 5])
    func convolutions(_ axes: Int) throws {
        let spatial = [Int](repeating: 9, count: axes - 2)
        let ones = [Int](repeating: 1, count: axes - 2)
        var making = ModelMaking(input: [2, 4] + spatial)
        let kernel = ones.map { _ in 3 }
        let w1 = making.weight("a.weight", [6, 4] + kernel)
        let b1 = making.weight("a.bias", [6])
        let w2 = making.weight("w2", [4, 3] + kernel)
        making.node(
            "Conv", ["image", "a.weight", "a.bias"], to: "a",
            integers: ["pads": ones + ones, "strides": ones.map { _ in 2 }])
        making.node("LeakyRelu", ["a"], to: "b", numbers: ["alpha": 0.2])
        making.node(
            "Conv", ["b", "w2"], to: "result", integers: ["dilations": ones.map { _ in 2 }], integer: ["group": 2])
        let (image, result) = try making.run([2, 4] + spatial)
        let expected = image.convolved(w1, bias: b1, outputs: 6, kernel: 3, stride: 2, padding: 1)
            .mapped { $0 > 0 ? $0 : 0.2 * $0 }
            .convolved(w2, bias: nil, outputs: 4, kernel: 3, dilation: 2, groups: 2)
        #expect(result.difference(expected) < 1e-4)
        let imported = try making.imported()
        #expect(imported.network.nodes.map(\.name) == ["a", "b.LeakyRelu", "result.Conv"])
    }

    @Test("zeros of a Pad go into the convolution, SAME padding too")
    func padding() throws {
        var making = ModelMaking(input: [1, 1, 6, 7])
        let w = making.weight("w", [2, 1, 3, 3])
        making.integers("pads", [0, 0, 2, 2, 0, 0, 2, 2])
        making.integers("none", [0, 0, 0, 0, 0, 0, 0, 0])
        making.node("Pad", ["image", "none"], to: "same", texts: ["mode": "edge"])
        making.node("Pad", ["same", "pads"], to: "p")
        making.node("Conv", ["p", "w"], to: "c")
        let v = making.weight("v", [1, 2, 3, 3])
        making.node("Conv", ["c", "v"], to: "result", texts: ["auto_pad": "SAME_UPPER"])
        let (image, result) = try making.run([1, 1, 6, 7])
        let expected = image.convolved(w, bias: nil, outputs: 2, kernel: 3, padding: 2)
            .convolved(v, bias: nil, outputs: 1, kernel: 3, padding: 1)
        #expect(result.difference(expected) < 1e-4)
    }

    @Test("normalisations, and group normalisation as older exports spell it")
    func normalisation() throws {
        var making = ModelMaking(input: [2, 6, 4, 5, 3])
        let (scale, shift) = (making.weight("n.weight", [6], mean: 1), making.weight("n.bias", [6]))
        let (mean, variance) = (making.weight("m", [6]), making.weight("v", [6], mean: 1))
        making.node(
            "BatchNormalization", ["image", "n.weight", "n.bias", "m", "v"], to: "a", numbers: ["epsilon": 0.01])
        making.constant("ones", [6], [Float](repeating: 1, count: 6))
        making.constant("zeros", [6], [Float](repeating: 0, count: 6))
        making.node("InstanceNormalization", ["a", "ones", "zeros"], to: "b")
        // (2, 3 groups, the rest), normalised, back, per channel scaled and shifted.
        making.integers("grouped", [0, 3, -1])
        making.constant("one3", [3], [1, 1, 1])
        making.constant("zero3", [3], [0, 0, 0])
        making.node("Tanh", ["b"], to: "t")
        making.node("Reshape", ["t", "grouped"], to: "g")
        making.node("InstanceNormalization", ["g", "one3", "zero3"], to: "h")
        making.node("Shape", ["t"], to: "shape")
        making.node("Reshape", ["h", "shape"], to: "i")
        let (factor, summand) = (making.weight("f", [6, 1, 1, 1]), making.weight("s", [6, 1, 1, 1]))
        making.node("Mul", ["i", "f"], to: "j")
        making.node("Add", ["j", "s"], to: "k")
        let (later, last) = (making.weight("g2", [6]), making.weight("b2", [6]))
        making.node("GroupNormalization", ["k", "g2", "b2"], to: "result", integer: ["num_groups": 2])
        making.model.opsetImport[0].version = 21
        let (image, result) = try making.run([2, 6, 4, 5, 3])
        let expected =
            image.mappedByChannel { (v, c) in (v - mean[c]) / (variance[c] + 0.01).squareRoot() * scale[c] + shift[c] }
            .normalised(groups: 6).mapped { Float(tanh(Double($0))) }.normalised(groups: 3)
            .mappedByChannel { $0 * factor[$1] + summand[$1] }.normalised(groups: 2)
            .mappedByChannel { $0 * later[$1] + last[$1] }
        #expect(result.difference(expected) < 1e-4)
        // Seven steps of the file are one layer.
        #expect(try making.imported().network.nodes.count == 5)
    }

    @Test("activations, Swish in two nodes, constants per channel")
    func activations() throws {
        var making = ModelMaking(input: [1, 3, 5, 5])
        let slopes = making.weight("p", [3, 1, 1])
        making.node("PRelu", ["image", "p"], to: "a")
        making.node("Sigmoid", ["a"], to: "b")
        making.node("Mul", ["a", "b"], to: "c")
        let factor = making.weight("f", [1, 3, 1, 1], mean: 2)
        making.constant("half", [], [0.5])
        making.node("Div", ["c", "f"], to: "d")
        making.node("Sub", ["half", "d"], to: "e")
        making.constant("zero", [], [0])
        making.node("Clip", ["e", "zero"], to: "g")
        making.node("Sigmoid", ["g"], to: "h")
        making.node("Mul", ["e", "h"], to: "result")
        let (image, result) = try making.run([1, 3, 5, 5])
        func sigmoid(_ x: Float) -> Float { 1 / (1 + exp(-x)) }
        let expected = image.mappedByChannel { $0 > 0 ? $0 : slopes[$1] * $0 }.mapped { $0 * sigmoid($0) }
            .mappedByChannel { 0.5 - $0 / factor[$1] }.mapped { $0 * sigmoid(max($0, 0)) }
        #expect(result.difference(expected) < 1e-5)
        let layers = try making.imported().network.nodes.map(\.layer)
        #expect(layers.contains(.activation(function: .swish)) && layers.contains(.multiplication))
    }

    @Test("pooling, upsampling by scales and by sizes, concatenation, addition")
    func joins() throws {
        for operatorSet in [9, 10, 13] {
            var making = ModelMaking(input: [1, 2, 4, 4], operatorSet: operatorSet)
            making.node("MaxPool", ["image"], to: "small", integers: ["kernel_shape": [2, 2], "strides": [2, 2]])
            making.constant("scales", [4], [1, 1, 2, 2])
            switch operatorSet {
            case 9: making.node("Upsample", ["small", "scales"], to: "large", texts: ["mode": "nearest"])
            case 10: making.node("Resize", ["small", "scales"], to: "large", texts: ["mode": "nearest"])
            default:
                making.integers("sizes", [1, 2, 4, 4])
                making.node(
                    "Resize", ["small", "", "", "sizes"], to: "large",
                    texts: [
                        "mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor",
                    ])
            }
            making.node("Concat", ["large", "image"], to: "wide", integer: ["axis": -3])
            making.node("Concat", ["image", "image"], to: "twice", integer: ["axis": 1])
            making.node("Add", ["wide", "twice"], to: "result")
            let (image, result) = try making.run([1, 2, 4, 4])
            var expected = Plain(shape: [1, 4, 4, 4], image.values + image.values)
            for c in 0..<4 {
                for n in 0..<16 {
                    let (y, x) = (n / 4 / 2 * 2, n % 4 / 2 * 2)
                    let at = c % 2 * 16 + y * 4 + x
                    let largest = [at, at + 1, at + 4, at + 5].map { image.values[$0] }.max()!
                    expected.values[c * 16 + n] += c < 2 ? largest : image.values[(c - 2) * 16 + n]
                }
            }
            #expect(result.difference(expected) < 1e-6, "operator set \(operatorSet)")
        }
    }

    @Test("a classifier's head in the ways exporters write it")
    func heads() throws {
        for form in 0..<5 {
            var making = ModelMaking(input: [3, 4, 5, 5])
            let (w, b) = (making.weight("head.weight", [2, 4]), making.weight("head.bias", [2]))
            var transposed = [Float](repeating: 0, count: 8)
            for o in 0..<2 { for i in 0..<4 { transposed[i * 2 + o] = w[o * 4 + i] } }
            making.constant("matrix", [4, 2], transposed)
            making.integers("axes", [2, 3])
            making.integers("flat", [-1, 4])
            switch form {
            case 0:
                making.node("GlobalAveragePool", ["image"], to: "p")
                making.node("Flatten", ["p"], to: "v")
                making.node("Gemm", ["v", "head.weight", "head.bias"], to: "y", integer: ["transB": 1])
            case 1:
                making.node("ReduceMean", ["image", "axes"], to: "p", integer: ["keepdims": 1])
                making.node("Reshape", ["p", "flat"], to: "v")
                making.node("Gemm", ["v", "matrix", "head.bias"], to: "y")
            case 2:
                making.node("ReduceMean", ["image", "axes"], to: "v", integer: ["keepdims": 0])
                making.node("MatMul", ["v", "matrix"], to: "m")
                making.node("Add", ["head.bias", "m"], to: "y")
            case 3:
                making.node("GlobalAveragePool", ["image"], to: "p")
                making.node("Squeeze", ["p", "axes"], to: "v")
                making.node("MatMul", ["v", "matrix"], to: "m")
                making.node("Dropout", ["m"], to: "d")
                making.node("Add", ["d", "head.bias"], to: "y")
            default:
                // A convolution of kernel 1 on what is left of the positions.
                making.constant("kernel", [2, 4, 1, 1], w)
                making.node("GlobalAveragePool", ["image"], to: "p")
                making.node("Conv", ["p", "kernel", "head.bias"], to: "c")
                making.node("Flatten", ["c"], to: "y")
            }
            making.node("Softmax", ["y"], to: "result", integer: ["axis": 1])
            let (image, result) = try making.run([3, 4, 5, 5])
            let logits = image.means.linear(w, bias: b, outputs: 2)
            var expected = logits
            for n in 0..<3 {
                let e = (0..<2).map { exp(logits.values[n * 2 + $0]) }
                for o in 0..<2 { expected.values[n * 2 + o] = e[o] / (e[0] + e[1]) }
            }
            #expect(result.difference(expected) < 1e-5, "form \(form)")
        }
    }

    @Test("a flattened map goes through a convolution as large as itself")
    func flattened() throws {
        var making = ModelMaking(input: [2, 3, 4, 5])
        let (w, b) = (making.weight("fc.weight", [7, 60]), making.weight("fc.bias", [7]))
        making.node("Flatten", ["image"], to: "v")
        making.node(
            "Gemm", ["v", "fc.weight", "fc.bias"], to: "result", integer: ["transB": 1], numbers: ["beta": 0.5])
        let (image, result) = try making.run([2, 3, 4, 5])
        #expect(result.difference(image.linear(w, bias: b.map { $0 / 2 }, outputs: 7)) < 1e-4)
        #expect(try making.imported().notes.count == 1)
    }

    @Test("shapes worked out in the graph")
    func shapeArithmetic() throws {
        var making = ModelMaking(input: [1, 2, 6, 6])
        // Twice the spatial part of the shape: Shape, Slice, Mul, Concat.
        making.node("Shape", ["image"], to: "shape")
        making.integers("two", [2])
        making.integers("four", [4])
        making.integers("zero", [0])
        making.node("Slice", ["shape", "two", "four", "zero"], to: "spatial")
        making.node("Mul", ["spatial", "two"], to: "double")
        making.node("Slice", ["shape", "zero", "two"], to: "front")
        making.node("Concat", ["front", "double"], to: "sizes", integer: ["axis": 0])
        making.node(
            "Resize", ["image", "", "", "sizes"], to: "large",
            texts: ["mode": "linear", "coordinate_transformation_mode": "half_pixel"])
        making.node("AveragePool", ["large"], to: "result", integers: ["kernel_shape": [2, 2], "strides": [2, 2]])
        let (image, result) = try making.run([1, 2, 6, 6])
        // Inside, the mean of the four places around a voxel's centre is 10/16 of it and 1/16 … of its neighbours'.
        let at = 2 * 6 + 3
        let v = image.values
        let expected =
            (v[at] * 36 + (v[at - 1] + v[at + 1] + v[at - 6] + v[at + 6]) * 6
                + v[at - 7] + v[at - 5] + v[at + 5] + v[at + 7]) / 64
        #expect(abs(result.values[at] - expected) < 1e-5)
    }

    @Test("what has no layer here is named with the node and a way out")
    func unsupported() throws {
        func refusal(_ input: [Int] = [1, 2, 6, 6], _ make: (inout ModelMaking) -> Void) -> String {
            var making = ModelMaking(input: input)
            make(&making)
            do {
                _ = try making.imported()
                return "taken"
            } catch { return "\(error)" }
        }
        let hard = refusal { $0.node("HardSwish", ["image"], to: "result") }
        #expect(
            hard.hasPrefix("model.onnx: node /result/HardSwish (HardSwish) is not supported; taken are Add, Average"))
        #expect(
            refusal {
                $0.constant("zero", [], [0])
                $0.constant("six", [], [6])
                $0.node("Clip", ["image", "zero", "six"], to: "result")
            }.contains("ReLU6"))
        #expect(
            refusal {
                $0.weight("w", [1, 2, 3, 3])
                $0.node("Conv", ["image", "w"], to: "result", integers: ["pads": [0, 0, 1, 1]])
            }.contains("the same on both sides"))
        #expect(
            refusal {
                $0.weight("w", [1, 5, 3, 3])
                $0.node("Conv", ["image", "w"], to: "result")
            } == "model.onnx: node /result/Conv (Conv) has a weight of shape [1, 5, 3, 3] for 2 channels in 1 groups")
        #expect(
            refusal {
                $0.constant("s", [4], [1, 1, 1.5, 2])
                $0.node("Resize", ["image", "", "s"], to: "result")
            }.contains("whole factors"))
        #expect(
            refusal([1, 2, 0, 0]) {
                $0.node("Flatten", ["image"], to: "v")
                $0.weight("w", [3, 72])
                $0.node("Gemm", ["v", "w"], to: "result", integer: ["transB": 1])
            }.contains("fixed input size"))
        #expect(
            refusal {
                $0.integers("p", [0, 0, 1, 1, 0, 0, 1, 1])
                $0.node("Pad", ["image", "p"], to: "a")
                $0.node("Relu", ["a"], to: "result")
            }.contains("by a convolution only"))
        #expect(
            refusal {
                $0.node("Relu", ["image"], to: "a")
                $0.node("Concat", ["a", "image"], to: "result", integer: ["axis": 2])
            }.contains("along the channels"))
        #expect(
            refusal { $0.node("Relu", ["missing"], to: "result") }.contains(
                "reads missing, which nothing before it makes"))
        #expect(refusal([1, 0, 4, 4]) { $0.node("Relu", ["image"], to: "result") }.contains("channels open"))
        #expect(refusal([1, 2, 4]) { $0.node("Relu", ["image"], to: "result") }.contains("has 3 axes"))
        #expect(
            refusal {
                $0.node("Relu", ["image"], to: "result")
                $0.model.graph.node[0].domain = "com.other"
            }.contains("operators of com.other"))
    }

    @Test("nodes that no output needs are left alone")
    func unused() throws {
        var making = ModelMaking(input: [1, 2, 4, 4])
        making.node("HardSwish", ["image"], to: "unused")
        making.node("Relu", ["image"], to: "result")
        #expect(try making.imported().network.nodes.count == 1)
    }
}
