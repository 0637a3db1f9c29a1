import Foundation
import Kernels
import Networks
import Testing

@testable import ONNX

@Suite("Shapes and reshaping")
struct ReshapingTests {
    private func refusal(_ input: [Int] = [1, 2, 6, 6], _ make: (inout ModelMaking) -> Void) -> String {
        var making = ModelMaking(input: input)
        make(&making)
        return making.refusal
    }

    @Test("a vector is reshaped to as many values only")
    func vectors() throws {
        func said(_ shape: [Int], batch: Int = 1) -> String {
            refusal([batch, 12, 4, 4]) {
                $0.integers("shape", shape)
                $0.node("GlobalAveragePool", ["image"], to: "p")
                $0.node("Reshape", ["p", "shape"], to: "result")
            }
        }
        for shape in [[-1, 12], [1, 12], [1, -1], [0, -1], [0, 0], [1, 12, 1, 1], [-1, 12, 1], [0, 12, -1, 1]] {
            #expect(said(shape) == "taken", "\(shape)")
        }
        #expect(said([2, 12], batch: 2) == "taken" && said([-1, 12], batch: 2) == "taken")
        for shape in [[-1, 6], [2, 6], [2, -1], [12, 1], [1, 13], [0, 5, -1], [6, -1, 1]] {
            #expect(said(shape).contains("it takes a map of [1, 12, 1, 1] to \(shape)"), "\(said(shape))")
        }
        #expect(said([1, 12], batch: 2).contains("it takes a map of [2, 12, 1, 1]"))
        #expect(said([-1, -1]).contains("impossible shape") && said([1 << 39, 1 << 39]).contains("impossible shape"))
    }

    @Test("a map is flattened whole, and goes on into a linear layer")
    func maps() throws {
        for shape in [[1, 72], [-1, 72], [0, -1]] {
            var making = ModelMaking(input: [1, 2, 6, 6])
            let w = making.weight("fc.weight", [3, 72])
            making.integers("shape", shape)
            making.node("Reshape", ["image", "shape"], to: "v")
            making.node("Gemm", ["v", "fc.weight"], to: "result", integer: ["transB": 1])
            let (image, result) = try making.run([1, 2, 6, 6])
            #expect(result.difference(image.linear(w, bias: nil, outputs: 3)) < 1e-4)
        }
        #expect(
            refusal {
                $0.integers("shape", [-1, 36])
                $0.node("Reshape", ["image", "shape"], to: "v")
                $0.weight("w", [3, 36])
                $0.node("Gemm", ["v", "w"], to: "result", integer: ["transB": 1])
            }.contains("it takes a map of [1, 2, 6, 6] to [-1, 36]"))
        for operation in ["Flatten", "Reshape"] {
            let said = refusal {
                $0.integers("shape", [1, -1])
                $0.node(operation, operation == "Flatten" ? ["image"] : ["image", "shape"], to: "result")
            }
            #expect(said.hasPrefix("model.onnx: output result ends in a padding or reshaping"), "\(said)")
        }
    }

    @Test("the halves of a group normalisation fit together")
    func groups() {
        func said(to grouped: [Int], back: [Int], open: Bool = false) -> String {
            refusal(open ? [0, 6, 0, 0] : [1, 6, 4, 5]) {
                $0.integers("grouped", grouped)
                $0.integers("back", back)
                $0.constant("one", [3], [1, 1, 1])
                $0.constant("zero", [3], [0, 0, 0])
                $0.node("Reshape", ["image", "grouped"], to: "g")
                $0.node("InstanceNormalization", ["g", "one", "zero"], to: "h")
                $0.node("Reshape", ["h", "back"], to: "result")
            }
        }
        #expect(said(to: [0, 3, -1], back: [1, 6, 4, 5]) == "taken")
        #expect(said(to: [1, 3, 40], back: [-1, 6, 4, 5]) == "taken")
        #expect(said(to: [0, 3, -1], back: [0, 6, -1, 5]) == "taken")
        #expect(said(to: [1, 3, 41], back: [1, 6, 4, 5]).contains("it takes a map of [1, 6, 4, 5]"))
        #expect(said(to: [0, 3, -1], back: [1, 6, 5, 4]).contains("go back to their shape, [1, 6, 4, 5]"))
        #expect(said(to: [0, 3, -1], back: [1, 3, 40]).contains("go back to their shape"))
        #expect(said(to: [0, 3, -1], back: [1, 6, 4, 5], open: true).contains("go back to their shape"))
    }

    /// What `Shape` says of a map is taken as the shape of a vector.
    @Test("Shape gives the map as it then is, from start to end")
    func shapes() throws {
        // Channels alone, as newer exporters ask for them, are known where the size is open.
        for size in [0, 6] {
            var making = ModelMaking(input: [1, 4, size, size])
            making.node("Shape", ["image"], to: "channels", integer: ["start": 1, "end": 2])
            making.integers("one", [1])
            making.node("Concat", ["one", "channels"], to: "shape", integer: ["axis": 0])
            making.node("GlobalAveragePool", ["image"], to: "p")
            making.node("Reshape", ["p", "shape"], to: "result")
            let (image, result) = try making.run([1, 4, 6, 6])
            #expect(result.difference(image.means) < 1e-6)
        }
        // Of a padded map: with its zeros.
        let said = refusal {
            $0.integers("p", [0, 0, 1, 1, 0, 0, 1, 1])
            $0.node("Pad", ["image", "p"], to: "a")
            $0.node("Shape", ["a"], to: "sizes")
            $0.weight("w", [2, 2, 3, 3])
            $0.node("Conv", ["a", "w"], to: "c")
            $0.node(
                "Resize", ["c", "", "", "sizes"], to: "result", texts: ["mode": "linear"])
        }
        // 8 of the padded map over 6 behind the convolution is no whole factor; 6 over 6 would have been taken.
        #expect(said.contains("not by [1.0, 1.0, 1.3333334, 1.3333334]"), "\(said)")
        // Of a flattened map: all of its values.
        var flat = ModelMaking(input: [1, 2, 3, 3])
        let w = flat.weight("w", [5, 18])
        flat.node("Flatten", ["image"], to: "v")
        flat.node("Shape", ["v"], to: "shape")
        flat.node("Reshape", ["image", "shape"], to: "u")
        flat.node("Gemm", ["u", "w"], to: "result", integer: ["transB": 1])
        let (image, result) = try flat.run([1, 2, 3, 3])
        #expect(result.difference(image.linear(w, bias: nil, outputs: 5)) < 1e-5)
    }

    @Test("a convolution with padding behind a global pooling is refused")
    func paddedVector() {
        let said = refusal {
            $0.weight("w", [3, 2, 1, 1])
            $0.node("GlobalAveragePool", ["image"], to: "p")
            $0.node("Conv", ["p", "w"], to: "result", integers: ["pads": [1, 1, 1, 1]])
        }
        #expect(said.contains("has the kernel 1 and no padding"), "\(said)")
    }
}
