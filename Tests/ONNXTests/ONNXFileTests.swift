import Foundation
import Kernels
import Networks
import SwiftProtobuf
import Testing

@testable import ONNX

@Suite("Model files")
struct ONNXFileTests {
    /// A folder that is gone afterwards, and a model in it that passes its image through ReLU and a convolution.
    private func inFolder(_ body: (URL, inout ModelMaking) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("onnx-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }  // best effort
        var making = ModelMaking(input: [1, 2, 4, 4])
        making.weight("first.weight", [3, 2, 3, 3])
        making.node("Conv", ["image", "first.weight"], to: "a", integers: ["pads": [1, 1, 1, 1]])
        making.node("Relu", ["a"], to: "result")
        try body(folder, &making)
    }

    private func write(_ model: ONNXModel, _ folder: URL) throws -> String {
        let url = folder.appendingPathComponent("model.onnx")
        try model.serializedData().write(to: url)
        return url.path
    }

    @Test func aModelIsReadWithItsNamesAndOrigin() throws {
        try inFolder { folder, making in
            let imported = try ONNXImport(path: write(making.model, folder))
            #expect(imported.network.nodes.map(\.name) == ["first", "result.Relu"])
            #expect(imported.weights.parameters.map(\.name) == ["first.weight"])
            #expect(imported.operatorSet == 18 && imported.producer == "test")
            #expect(imported.inputSizes == [.init(1, 4, 4)])
        }
    }

    @Test func filesThatAreNoModelsAreNamed() throws {
        try inFolder { folder, making in
            let path = folder.appendingPathComponent("model.onnx").path
            #expect { try ONNXImport(path: path) } throws: { "\($0)".hasPrefix("\(path): cannot be read") }
            for (bytes, what) in [
                (Data(), "the file is empty"), (Data("not a model at all".utf8), "is not an ONNX model"),
                (Data([0x08, 0x09]), "is not an ONNX model: it holds no graph"),
            ] {
                try bytes.write(to: URL(fileURLWithPath: path))
                #expect { try ONNXImport(path: path) } throws: { "\($0)".hasPrefix("\(path): \(what)") }
            }
            let whole: Data = try making.model.serializedData()
            // Cut anywhere, it is refused and never crashes.
            for length in stride(from: 1, to: whole.count, by: 7) {
                try whole.prefix(length).write(to: URL(fileURLWithPath: path))
                #expect(throws: ONNXError.self, "cut to \(length) bytes") { try ONNXImport(path: path) }
            }
        }
    }

    @Test func otherOperatorSetsAreRefused() throws {
        for version in [8, 99] {
            try inFolder { folder, making in
                making.model.opsetImport[0].version = Int64(version)
                let path = try write(making.model, folder)
                #expect { try ONNXImport(path: path) } throws: {
                    "\($0)"
                        == "\(path): uses version \(version) of the standard operators; export it with a version from 9 to 28"
                }
            }
        }
    }

    @Test func dataBesideTheModelIsReadAndChecked() throws {
        try inFolder { folder, making in
            let embedded = try ONNXImport(path: write(making.model, folder))
            let bytes = making.model.graph.initializer[0].rawData
            func move(to location: String, offset: Int) {
                making.model.graph.initializer[0].rawData = Data()
                making.model.graph.initializer[0].dataLocation = 1
                making.model.graph.initializer[0].externalData = [
                    ("location", location), ("offset", "\(offset)"), ("length", "\(bytes.count)"),
                ].map { key, value in
                    var entry = ONNXKeyValue()
                    (entry.key, entry.value) = (key, value)
                    return entry
                }
            }
            try (Data(repeating: 7, count: 64) + bytes).write(to: folder.appendingPathComponent("weights.data"))
            move(to: "weights.data", offset: 64)
            #expect(try ONNXImport(path: write(making.model, folder)).weights == embedded.weights)
            move(to: "weights.data", offset: 65)
            let path = try write(making.model, folder)
            #expect { try ONNXImport(path: path) } throws: {
                "\($0)".hasSuffix("which ends before; the file is truncated")
            }
            move(to: "gone.data", offset: 0)
            #expect { try ONNXImport(path: write(making.model, folder)) } throws: {
                "\($0)".hasSuffix("gone.data, which cannot be opened; copy it beside the model")
            }
            // What the entries say is held against the file and the shape.
            let count = bytes.count
            for (key, value, words) in [
                ("offset", "64 ", "has the offset “64 ”"), ("offset", "-1", "has the offset “-1”"),
                ("offset", "9223372036854775807", "which ends before"), ("length", "\(count - 4)", "of weights.data"),
                ("length", "many", "has the length “many”"),
            ] {
                move(to: "weights.data", offset: 64)
                for n in 0..<3 where making.model.graph.initializer[0].externalData[n].key == key {
                    making.model.graph.initializer[0].externalData[n].value = value
                }
                #expect {
                    try ONNXImport(path: write(making.model, folder))
                } throws: {
                    "\($0)".hasPrefix("\(path): tensor first.weight ") && "\($0)".contains(words)
                }
            }
            // A link stays within the folder too; what is no file is not read.
            let outside = FileManager.default.temporaryDirectory.appendingPathComponent("outside-\(UUID().uuidString)")
            try bytes.write(to: outside)
            defer { try? FileManager.default.removeItem(at: outside) }  // best effort
            for (name, target) in [("inner.data", "weights.data"), ("outer.data", outside.path)] {
                try FileManager.default.createSymbolicLink(
                    atPath: folder.appendingPathComponent(name).path, withDestinationPath: target)
            }
            move(to: "inner.data", offset: 64)
            #expect(try ONNXImport(path: write(making.model, folder)).weights == embedded.weights)
            move(to: "outer.data", offset: 0)
            #expect { try ONNXImport(path: write(making.model, folder)) } throws: {
                "\($0)".contains("outer.data, a link out of the folder of the model")
            }
            move(to: ".", offset: 0)
            #expect { try ONNXImport(path: write(making.model, folder)) } throws: {
                "\($0)".hasSuffix("which is no file of data")
            }
            for location in ["../weights.data", "/etc/hostname", "a/../../b"] {
                move(to: location, offset: 0)
                #expect { try ONNXImport(path: write(making.model, folder)) } throws: {
                    "\($0)".contains("outside the folder of the model")
                }
            }
        }
    }

    /// The data of an attribute lies beside the model or nowhere, as that of the weights does.
    @Test func attributesReadNoFilesElsewhere() throws {
        for operation in ["ConstantOfShape", "Constant"] {
            try inFolder { folder, making in
                let secret = folder.appendingPathComponent("secret")
                try Data([1, 0, 0, 0, 0, 0, 0, 0]).write(to: secret)
                making.model.graph.node.removeLast()
                making.integers("one", [1])
                making.node(operation, operation == "Constant" ? [] : ["one"], to: "axes")
                var attribute = ONNXAttribute()
                attribute.name = "value"
                (attribute.t.dims, attribute.t.dataType, attribute.t.dataLocation) = ([1], 7, 1)
                func read(_ location: String) throws -> ONNXImport {
                    var entry = ONNXKeyValue()
                    (entry.key, entry.value) = ("location", location)
                    attribute.t.externalData = [entry]
                    making.model.graph.node[1].attribute = [attribute]
                    return try ONNXImport(path: write(making.model, folder))
                }
                making.node("Add", ["a", "axes"], to: "result")
                #expect(try read("secret").network.nodes.count == 2)
                for location in [secret.path, String(secret.path.dropFirst()), "../secret"] {
                    #expect(throws: ONNXError.self, "\(location)") { try read(location) }
                }
            }
        }
    }

    @Test func everyElementTypeIsDecoded() throws {
        func decode(_ type: Int32, _ count: Int, _ fill: (inout ONNXTensorValue) -> Void) throws -> [Float] {
            var tensor = ONNXTensorValue()
            tensor.dims = [Int64(count)]
            tensor.dataType = type
            fill(&tensor)
            return try ONNXConstant(tensor, folder: URL(fileURLWithPath: "/"), path: "m").floats
        }
        // 1, −2, the smallest and a middling half-precision number, infinity.
        let halves: [UInt16] = [0x3c00, 0xc000, 0x0001, 0x5640, 0x7c00]
        let expected: [Float] = [1, -2, 0x1p-24, 100, .infinity]
        #expect(try decode(10, 5) { $0.rawData = halves.withUnsafeBytes { Data($0) } } == expected)
        #expect(try decode(10, 5) { $0.int32Data = halves.map { Int32($0) } } == expected)
        #expect(try decode(16, 2) { $0.rawData = Data([0x80, 0x3f, 0x20, 0xc1]) } == [1, -10])
        #expect(try decode(11, 2) { $0.doubleData = [0.5, -3] } == [0.5, -3])
        #expect(try decode(1, 2) { $0.floatData = [0.5, -3] } == [0.5, -3])
        #expect(try decode(7, 2) { $0.int64Data = [5, -3] } == [5, -3])
        #expect(try decode(6, 1) { $0.rawData = Data([0xff, 0xff, 0xff, 0xff]) } == [-1])
        #expect(try decode(3, 2) { $0.rawData = Data([0xff, 1]) } == [-1, 1])
        #expect(throws: ONNXError.self) { try decode(8, 1) { _ in } }
        #expect(throws: ONNXError.self) { try decode(1, 3) { $0.floatData = [1, 2] } }
        #expect(throws: ONNXError.self) { try decode(1, 3) { $0.rawData = Data([1, 2, 3]) } }
    }
}
