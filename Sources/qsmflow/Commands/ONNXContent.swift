import Foundation
import Kernels
import Networks
import ONNX

/// What `qsmflow models inspect` shows of an ONNX file: what its description has to speak of.
struct ONNXContent: Encodable {
    struct Value: Encodable {
        var name: String
        var channels: Int
        /// Voxels along depth, height and width; left out where the file leaves them open.
        var size: [Int]?
    }

    var file: String
    var producer: String
    var operatorSet: Int
    var inputs: [Value]
    var outputs: [Value]
    var layers: Int
    var parameters: Int
    var notes: [String]

    static func isNamed(by word: String) -> Bool { word.lowercased().hasSuffix(".onnx") }

    /// - Throws: `CommandFailure`, one sentence naming the file and the node that has no counterpart.
    init(path: String) throws {
        let model: ONNXImport
        do {
            model = try ONNXImport(path: path)
        } catch {
            throw CommandFailure("\(error)", code: ExitStatus.badData)
        }
        let network = model.network
        let kinds = network.kinds
        (file, producer, operatorSet) = (path, model.producer, model.operatorSet)
        inputs = zip(network.inputs, model.inputSizes).map { input, size in
            Value(name: input.name, channels: input.channels, size: size.map { [$0.depth, $0.height, $0.width] })
        }
        outputs = network.outputs.map { Value(name: $0, channels: kinds[$0]?.channels ?? 0) }
        layers = network.nodes.count
        parameters = network.parameters.reduce(0) { $0 + $1.count }
        notes = model.notes
    }

    var text: String {
        func line(_ value: Value, _ role: String) -> String {
            let channels = Counted.text(value.channels, "channel", "channels")
            let size = value.size.map { " of \($0.map(String.init).joined(separator: "×")) voxels" } ?? ""
            return "\(role)  \(value.name), \(channels)\(size)"
        }
        let origin = producer.isEmpty ? "ONNX" : "ONNX by \(producer)"
        let content = "\(Counted.text(layers, "layer", "layers")), \(Counted.text(parameters, "number", "numbers"))"
        return
            (["\(file): \(origin), operator set \(operatorSet), \(content)"]
            + inputs.map { line($0, "takes") } + outputs.map { line($0, "gives") } + notes
            + ["Import it with `qsmflow models import FILE --description DESCRIPTION.json`."])
            .joined(separator: "\n")
    }
}
