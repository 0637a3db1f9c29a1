import Foundation
import Kernels
import Testing

@testable import ONNX

@Suite("Arithmetic on constants")
struct FoldingTests {
    /// What one node makes of constants.
    private func fold(
        _ operation: String, _ inputs: [ONNXConstant], integers: [String: [Int]] = [:], integer: [String: Int] = [:],
        value: ONNXTensorValue? = nil
    ) throws -> ONNXConstant? {
        var making = ModelMaking(input: [1, 1, 4, 4])
        making.node(operation, inputs.indices.map { "i\($0)" }, to: "result", integers: integers, integer: integer)
        var node = making.model.graph.node[0]
        if let value {
            var attribute = ONNXAttribute()
            attribute.name = "value"
            attribute.t = value
            node.attribute.append(attribute)
        }
        let file = try ONNXFile(making.model, path: "model.onnx", folder: FileManager.default.temporaryDirectory)
        return try ConstantFolding.fold(node, inputs, in: file)
    }

    private func floats(_ shape: [Int], _ values: [Float]) -> ONNXConstant {
        ONNXConstant(shape: shape, .floats(values))
    }

    @Test("whole numbers are cast as they are, what is none is refused")
    func casts() throws {
        let large = [Int.max, Int.min, 1 << 24 + 1, (1 << 40) + 1]
        #expect(try fold("Cast", [ONNXConstant(integers: large)], integer: ["to": 7])?.integers == large)
        #expect(
            try fold("Cast", [ONNXConstant(integers: [Int.max, -1, 300])], integer: ["to": 6])?.integers == [
                -1, -1, 300,
            ])
        #expect(try fold("Cast", [ONNXConstant(integers: [0, 256])], integer: ["to": 9])?.integers == [0, 1])
        #expect(try fold("Cast", [floats([2], [2.9, -2.9])], integer: ["to": 7])?.integers == [2, -2])
        for value in [Float.nan, .infinity, 1e20, -1e20] {
            #expect(throws: NodeProblem.self, "\(value)") {
                try fold("Cast", [floats([1], [value])], integer: ["to": 7])
            }
        }
    }

    @Test("tensors of other shapes are broadcast")
    func broadcasting() throws {
        let (column, row) = (
            ONNXConstant(shape: [3, 1], .integers([1, 2, 3])), ONNXConstant(shape: [1, 2], .integers([10, 20]))
        )
        let sum = try #require(try fold("Add", [column, row]))
        #expect(sum.shape == [3, 2] && sum.integers == [11, 21, 12, 22, 13, 23])
        let quotient = try #require(try fold("Div", [floats([2, 1, 2], [1, 2, 3, 4]), floats([2, 1], [1, 2])]))
        #expect(quotient.shape == [2, 2, 2] && quotient.floats == [1, 2, 0.5, 1, 3, 4, 1.5, 2])
        let nothing = try #require(try fold("Mul", [ONNXConstant(integers: [7]), ONNXConstant(integers: [])]))
        #expect(nothing.shape == [0] && nothing.integers == [])
        let scalar = try #require(try fold("Sub", [ONNXConstant(shape: [], .integers([5])), column]))
        #expect(scalar.shape == [3, 1] && scalar.integers == [4, 3, 2])
        #expect(throws: NodeProblem.self) {
            try fold("Add", [ONNXConstant(integers: [1, 2]), ONNXConstant(integers: [1, 2, 3])])
        }
        // Far more than both: not carried out.
        let long = [Float](repeating: 1, count: 1 << 13)
        #expect(try fold("Add", [floats([1 << 13, 1], long), floats([1, 1 << 13], long)]) == nil)
    }

    @Test("whole numbers that leave their 64 bits are refused")
    func overflow() {
        for (operation, a, b) in [
            ("Add", Int.max, 1), ("Sub", Int.min, 1), ("Mul", 1 << 62, 4), ("Div", Int.min, -1), ("Div", 5, 0),
        ] {
            #expect(throws: NodeProblem.self, "\(a) \(operation) \(b)") {
                try fold(operation, [ONNXConstant(integers: [a]), ONNXConstant(integers: [b])])
            }
        }
    }

    @Test("Shape gives the axes from start to end")
    func shapes() throws {
        let tensor = floats([2, 3, 4], [Float](repeating: 0, count: 24))
        func shape(_ range: [String: Int]) throws -> [Int]? { try fold("Shape", [tensor], integer: range)?.integers }
        #expect(try shape([:]) == [2, 3, 4])
        #expect(try shape(["start": 1]) == [3, 4])
        #expect(try shape(["start": -3, "end": -1]) == [2, 3])
        #expect(try shape(["start": 1, "end": Int.max]) == [3, 4])
        #expect(try shape(["start": Int.min, "end": 1]) == [2])
        #expect(try shape(["start": 2, "end": 1]) == [])
    }

    @Test("tensors filled with a value are as large as memory, their value is one")
    func filled() throws {
        var value = ONNXTensorValue()
        (value.dims, value.dataType, value.int64Data) = ([1], 7, [3])
        #expect(try fold("ConstantOfShape", [ONNXConstant(integers: [2])], value: value)?.integers == [3, 3])
        #expect(try fold("ConstantOfShape", [ONNXConstant(integers: [2, 0])])?.floats == [])
        for shape in [[1 << 40, 1 << 40], [-1], [1 << 25], [1 << 62, 4, 0]] {
            #expect(throws: NodeProblem.self, "\(shape)") {
                try fold("ConstantOfShape", [ONNXConstant(integers: shape)])
            }
        }
        (value.dims, value.int64Data) = ([0], [])
        #expect(throws: NodeProblem.self) { try fold("ConstantOfShape", [ONNXConstant(integers: [2])], value: value) }
    }

    @Test("shapes that cannot be are refused")
    func impossible() throws {
        let tensor = floats([2, 3], [1, 2, 3, 4, 5, 6])
        #expect(try fold("Flatten", [tensor], integer: ["axis": -2])?.shape == [1, 6])
        #expect(try fold("Unsqueeze", [tensor, ONNXConstant(integers: [0, -1])])?.shape == [1, 2, 3, 1])
        for (operation, numbers) in [
            ("Unsqueeze", [-10]), ("Unsqueeze", [1, 1]), ("Squeeze", [5]), ("Squeeze", [0]), ("Reshape", [1 << 62, 4]),
            ("Reshape", [-1, -1]), ("Reshape", [1 << 62, -1, 8]), ("Reshape", [-2, -3]), ("Reshape", [4, -1]),
        ] {
            #expect(throws: NodeProblem.self, "\(operation) \(numbers)") {
                try fold(operation, [tensor, ONNXConstant(integers: numbers)])
            }
        }
        for axis in [-5, 3, Int.min] {
            #expect(throws: NodeProblem.self, "axis \(axis)") { try fold("Flatten", [tensor], integer: ["axis": axis]) }
        }
        // No values, however long the other axes.
        let empty = floats([1 << 39, 0], [])
        #expect(try fold("Transpose", [empty])?.shape == [0, 1 << 39])
        let ends = [[0], [Int.max], [1]].map { ONNXConstant(integers: $0) }
        #expect(try fold("Slice", [empty] + ends)?.shape == [1 << 39, 0])
    }

    @Test("slices go to ends that lie beyond, in steps that lie beyond")
    func slices() throws {
        func slice(_ start: Int, _ end: Int, _ step: Int) throws -> [Int]? {
            let numbers = [[0, 1, 2, 3, 4], [start], [end], [0], [step]].map { ONNXConstant(integers: $0) }
            return try fold("Slice", numbers)?.integers
        }
        #expect(try slice(1, .max, 2) == [1, 3])
        #expect(try slice(-2, .max, 1) == [3, 4])
        #expect(try slice(-1, .min, -2) == [4, 2, 0])
        #expect(try slice(3, 0, .max) == [])
        #expect(try slice(1, 5, .max) == [1])
        #expect(try slice(3, .min, .min) == [3])
        #expect(try slice(.min, .max, 1) == [0, 1, 2, 3, 4])
    }
}
