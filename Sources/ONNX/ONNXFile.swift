import Foundation
import SwiftProtobuf

/// A model file, read and checked as far as that goes without understanding its nodes.
struct ONNXFile {
    let path: String
    let graph: ONNXGraph
    let constants: [String: ONNXConstant]
    /// Version of the standard operators.
    let operatorSet: Int
    let producer: String
    let folder: URL

    /// Operator sets whose meaning the importer knows.
    static let operatorSets = 9...28

    /// - Throws: `ONNXError.file` in one sentence.
    init(path: String) throws {
        let url = URL(fileURLWithPath: path)
        let data: Data
        do {
            data = try Data(contentsOf: url, options: .mappedIfSafe)
        } catch {
            throw ONNXError.file(path: path, problem: "cannot be read; check that the file exists and is readable")
        }
        guard !data.isEmpty else { throw ONNXError.file(path: path, problem: "the file is empty") }
        let model: ONNXModel
        do {
            model = try ONNXModel(serializedBytes: data)
        } catch {
            throw ONNXError.file(
                path: path, problem: "is not an ONNX model, or the file is truncated; export or copy it again")
        }
        try self.init(model, path: path, folder: url.deletingLastPathComponent())
    }

    init(_ model: ONNXModel, path: String, folder: URL) throws {
        guard model.irVersion > 0, model.hasGraph, !model.graph.node.isEmpty, !model.opsetImport.isEmpty else {
            throw ONNXError.file(path: path, problem: "is not an ONNX model: it holds no graph of operators")
        }
        let standard = model.opsetImport.first { $0.domain.isEmpty || $0.domain == "ai.onnx" }
        guard let version = standard.map({ Int($0.version) }) else {
            throw ONNXError.file(path: path, problem: "names no version of the standard operators")
        }
        guard Self.operatorSets.contains(version) else {
            throw ONNXError.file(
                path: path,
                problem: "uses version \(version) of the standard operators; export it with a version from "
                    + "\(Self.operatorSets.lowerBound) to \(Self.operatorSets.upperBound)")
        }
        (self.path, self.folder, graph, operatorSet) = (path, folder, model.graph, version)
        producer = [model.producerName, model.producerVersion].filter { !$0.isEmpty }.joined(separator: " ")
        var constants: [String: ONNXConstant] = [:]
        for tensor in model.graph.initializer {
            constants[tensor.name] = try ONNXConstant(tensor, folder: folder, path: path)
        }
        self.constants = constants
    }
}
