import Foundation
import Kernels
import Networks
import Testing

@testable import ONNX

/// Settings of layers that exporters seldom write, against plain definitions and, where the definition is a matter of
/// convention, against what ONNX Runtime 1.32 gives for the same input.
@Suite("Layers against references")
struct LayerReferenceTests {
    /// Eighths between -11/8 and 11/8, made alike for the other runtime.
    private func pattern(_ shape: [Int]) -> Plain {
        Plain(shape: shape, (0..<shape.reduce(1, *)).map { Float($0 * 37 % 23 - 11) / 8 })
    }

    @Test("transposed convolutions with groups, output padding and dilation")
    func transposedConvolution() throws {
        var making = ModelMaking(input: [2, 4, 4, 3])
        let w = making.weight("u.weight", [4, 3, 3, 2])
        let b = making.weight("u.bias", [6])
        making.node(
            "ConvTranspose", ["image", "u.weight", "u.bias"], to: "result",
            integers: [
                "kernel_shape": [3, 2], "strides": [2, 3], "pads": [1, 1, 1, 1], "output_padding": [1, 2],
                "dilations": [2, 1],
            ], integer: ["group": 2])
        let (image, result) = try making.run([2, 4, 4, 3])
        let expected = image.spread(
            w, kernel: [3, 2], stride: [2, 3], padding: [1, 1], outputPadding: [1, 2], dilation: [2, 1], groups: 2,
            outputsPerGroup: 3
        ).mappedByChannel { $0 + b[$1] }
        #expect(result.difference(expected) < 1e-5)
    }

    @Test("linear interpolation with aligned corners, axes named out of order")
    func resizing() throws {
        var making = ModelMaking(input: [1, 1, 2, 3])
        making.constant("s", [4], [1, 1, 2, 3])
        making.node(
            "Resize", ["image", "", "s"], to: "result",
            texts: ["mode": "linear", "coordinate_transformation_mode": "align_corners"])
        let aligned: [Float] = [
            -1.375, -0.9375, -0.5, -0.0625, 0.375, 0.09375, -0.1875, -0.46875, -0.75, -0.583333, -0.385417, -0.1875,
            0.010417, 0.208333, -0.072917, -0.354167, -0.635417, -0.916667, 0.208333, 0.166667, 0.125, 0.083333,
            0.041667, -0.239583, -0.520833, -0.802083, -1.083333, 1.0, 0.71875, 0.4375, 0.15625, -0.125, -0.40625,
            -0.6875, -0.96875, -1.25,
        ]
        let result = try making.run(pattern([1, 1, 2, 3]))
        #expect(result.difference(Plain(shape: [1, 1, 4, 9], aligned)) < 2e-6)

        for given in ["scales", "sizes"] {
            var making = ModelMaking(input: [1, 1, 2, 2])
            making.constant("scales", [2], [3, 2])
            making.integers("sizes", [6, 4])
            making.node(
                "Resize", ["image", "", given == "scales" ? "scales" : "", given == "sizes" ? "sizes" : ""],
                to: "result", integers: ["axes": [3, -2]],
                texts: ["mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"])
            let (image, result) = try making.run([1, 1, 2, 2])
            let rows = [0, 0, 1, 1].map { y in [0, 0, 0, 1, 1, 1].map { image.values[y * 2 + $0] } }
            #expect(result.difference(Plain(shape: [1, 1, 4, 6], rows.flatMap { $0 })) == 0, "\(given)")
        }
        var wrong = ModelMaking(input: [1, 1, 2, 2])
        wrong.constant("scales", [4], [1, 1, 2, 2])
        wrong.node("Resize", ["image", "", "scales"], to: "result", integers: ["axes": [2, 3]])
        #expect(wrong.refusal.contains("has 4 scales or sizes for 2 axes"), "\(wrong.refusal)")
    }

    @Test("pooling whose last windows reach beyond the map, with and without the padding in the mean")
    func ceiling() throws {
        var making = ModelMaking(input: [1, 1, 5, 5])
        making.node(
            "MaxPool", ["image"], to: "result", integers: ["kernel_shape": [2, 2], "strides": [2, 2]],
            integer: ["ceil_mode": 1])
        let largest: [Float] = [0.5, 1.125, 0, 0.75, 1.375, 0.25, 0.875, -0.25, 0.375]
        #expect(try making.run(pattern([1, 1, 5, 5])).difference(Plain(shape: [1, 1, 3, 3], largest)) == 0)

        let without: [Float] = [
            -0.4375, 0.270833, 0.5, -0.25, 0.458333, 0.6875, 0.0, 0.069444, -0.020833, 0.125, -0.125, -0.375,
        ]
        let with: [Float] = [
            -0.194444, 0.180556, 0.222222, -0.166667, 0.458333, 0.458333, 0.0, 0.069444, -0.013889, 0.041667, -0.0625,
            -0.125,
        ]
        for (counts, ceil) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            var making = ModelMaking(input: [1, 1, 6, 5])
            making.node(
                "AveragePool", ["image"], to: "result",
                integers: ["kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]],
                integer: ["ceil_mode": ceil, "count_include_pad": counts])
            let rows = ceil == 1 ? 4 : 3
            let expected = Plain(shape: [1, 1, rows, 3], Array((counts == 1 ? with : without).prefix(3 * rows)))
            let result = try making.run(pattern([1, 1, 6, 5]))
            #expect(result.difference(expected) < 2e-6, "count_include_pad \(counts), ceil_mode \(ceil)")
        }
    }

    @Test("ceil_mode behind a Pad is taken where no window begins in the zeros")
    func ceilingBehindPad() throws {
        func making(_ edge: Int, kernel: Int) -> ModelMaking {
            var making = ModelMaking(input: [1, 1, edge, edge])
            making.integers("p", [0, 0, 1, 1, 0, 0, 1, 1])
            making.node("Pad", ["image", "p"], to: "a")
            making.node(
                "AveragePool", ["a"], to: "result", integers: ["kernel_shape": [kernel, kernel], "strides": [2, 2]],
                integer: ["ceil_mode": 1])
            return making
        }
        let four: [Float] = [
            -0.263889, -0.083333, 0.0625, 0.055556, -0.166667, -0.166667, 0.125, 0.0625, -0.25,
        ]
        let result = try making(4, kernel: 3).run(pattern([1, 1, 4, 4]))
        #expect(result.difference(Plain(shape: [1, 1, 3, 3], four)) < 2e-6)
        // The other runtime makes 4×4 of it, the last row and column of zeros alone.
        #expect(making(5, kernel: 2).refusal.contains("begin in the zeros of a Pad"))
        #expect(making(0, kernel: 2).refusal.contains("export for a fixed input size"))
    }

    @Test("largest values over all positions, in both spellings")
    func largest() throws {
        for form in 0..<2 {
            var making = ModelMaking(input: [2, 3, 4, 5])
            making.integers("axes", [-1, 2])
            if form == 0 {
                making.node("GlobalMaxPool", ["image"], to: "result")
            } else {
                making.node("ReduceMax", ["image", "axes"], to: "result", integer: ["keepdims": 0])
            }
            let (image, result) = try making.run([2, 3, 4, 5])
            let expected = (0..<6).map { image.values[$0 * 20..<($0 + 1) * 20].max()! }
            #expect(result.values == expected)
        }
    }

    @Test("logarithms of probabilities at the end become probabilities, and that is noted")
    func logarithms() throws {
        var making = ModelMaking(input: [1, 3, 2, 2])
        making.node("LogSoftmax", ["image"], to: "result", integer: ["axis": 1])
        let (image, result) = try making.run([1, 3, 2, 2])
        var expected = image.mapped { exp($0) }
        for n in 0..<4 {
            let sum = (0..<3).reduce(Float(0)) { $0 + expected.values[$1 * 4 + n] }
            for c in 0..<3 { expected.values[c * 4 + n] /= sum }
        }
        #expect(result.difference(expected) < 1e-6)
        #expect(
            try making.imported().notes == ["Output result gives probabilities, where the file gives their logarithms."]
        )
        making.node("Relu", ["result"], to: "later")
        making.model.graph.output[0].name = "later"
        #expect(making.refusal.contains("as the last layer only"))
    }

    @Test("zeros along the axes that a Pad names")
    func padding() throws {
        var making = ModelMaking(input: [1, 2, 4, 5])
        let w = making.weight("w", [3, 2, 3, 3])
        making.integers("p", [1, 1, 1, 1])
        making.integers("axes", [-1, 2])
        making.node("Pad", ["image", "p", "", "axes"], to: "a")
        making.node("Conv", ["a", "w"], to: "result")
        let (image, result) = try making.run([1, 2, 4, 5])
        #expect(result.difference(image.convolved(w, bias: nil, outputs: 3, kernel: 3, padding: 1)) < 1e-5)
    }

    @Test("group normalisation with a factor for each group, as before version 21")
    func groupNormalisation() throws {
        var making = ModelMaking(input: [2, 6, 3, 4])
        let (scale, shift) = (making.weight("n.weight", [3], mean: 1), making.weight("n.bias", [3]))
        making.node("GroupNormalization", ["image", "n.weight", "n.bias"], to: "result", integer: ["num_groups": 3])
        let (image, result) = try making.run([2, 6, 3, 4])
        let expected = image.normalised(groups: 3).mappedByChannel { $0 * scale[$1 / 2] + shift[$1 / 2] }
        #expect(result.difference(expected) < 1e-4)
    }

    @Test("attention over channels: a map times a gate of one position")
    func squeezeAndExcitation() throws {
        for isSwapped in [false, true] {
            var making = ModelMaking(input: [2, 4, 3, 3])
            let (w, b) = (making.weight("fc.weight", [4, 4, 1, 1]), making.weight("fc.bias", [4]))
            making.node("GlobalAveragePool", ["image"], to: "p")
            making.node("Conv", ["p", "fc.weight", "fc.bias"], to: "q")
            making.node("Sigmoid", ["q"], to: "gate")
            making.node("Mul", isSwapped ? ["gate", "image"] : ["image", "gate"], to: "result")
            let (image, result) = try making.run([2, 4, 3, 3])
            let gate = image.means.linear(w, bias: b, outputs: 4).mapped { 1 / (1 + exp(-$0)) }
            var expected = image
            for n in expected.values.indices { expected.values[n] *= gate.values[n / 9] }
            #expect(result.difference(expected) < 1e-5)
        }
    }

    @Test("padding by name: none, and the same size with an odd kernel")
    func namedPadding() throws {
        for (name, padding) in [("VALID", 0), ("SAME_LOWER", 2), ("SAME_UPPER", 2)] {
            var making = ModelMaking(input: [1, 1, 6, 7])
            let w = making.weight("w", [2, 1, 3, 3])
            making.node(
                "Conv", ["image", "w"], to: "result", integers: ["dilations": [2, 2]], texts: ["auto_pad": name])
            let (image, result) = try making.run([1, 1, 6, 7])
            let expected = image.convolved(w, bias: nil, outputs: 2, kernel: 3, padding: padding, dilation: 2)
            #expect(result.difference(expected) < 1e-5, "\(name)")
        }
        var making = ModelMaking(input: [1, 1, 6, 7])
        making.weight("w", [2, 1, 2, 2])
        making.node("Conv", ["image", "w"], to: "result", texts: ["auto_pad": "SAME_LOWER"])
        #expect(making.refusal.contains("padding is given in numbers"))
    }

    @Test("two layers share a weight")
    func sharedWeight() throws {
        var making = ModelMaking(input: [1, 2, 5, 5])
        let w = making.weight("shared.weight", [2, 2, 3, 3])
        making.node("Conv", ["image", "shared.weight"], to: "a", integers: ["pads": [1, 1, 1, 1]])
        making.node("Relu", ["a"], to: "b")
        making.node("Conv", ["b", "shared.weight"], to: "result", integers: ["pads": [1, 1, 1, 1]])
        let (image, result) = try making.run([1, 2, 5, 5])
        let expected = image.convolved(w, bias: nil, outputs: 2, kernel: 3, padding: 1).mapped { max($0, 0) }
            .convolved(w, bias: nil, outputs: 2, kernel: 3, padding: 1)
        #expect(result.difference(expected) < 1e-5)
        #expect(
            try making.imported().weights.parameters.map(\.name) == ["shared.weight", "result.Conv.weight"])
    }
}
