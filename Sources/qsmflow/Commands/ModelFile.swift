import BIDS
import Foundation
import Networks

/// A network's weights on disk with their card: a safetensors file whose metadata has the card as JSON text. The card may
/// be of any network, also of one that only a `command` can use.
struct ModelFile {
    struct Tensor: Encodable {
        var name: String
        /// Element type as the file writes it, such as F32.
        var type: String
        var shape: [Int]

        var count: Int { shape.reduce(1, *) }
    }

    static let mediaType = "application/vnd.safetensors"

    let card: JSONValue
    /// In the order of the data.
    let tensors: [Tensor]

    /// - Throws: `CommandFailure` when the file cannot be read, is not safetensors, is damaged or has no card.
    init(path: String) throws {
        func failure(_ sentence: String) -> CommandFailure { CommandFailure(sentence, code: ExitStatus.badData) }
        if let otherwise = Self.otherwise(path) { throw failure(otherwise) }
        let file: SafetensorsFile
        do {
            file = try SafetensorsFile(path: path)
        } catch let error as NetworkError {
            if case .system = error { throw failure("\(error); check its path and its rights") }
            throw failure("\(error); copy it again, or export the network anew as safetensors")
        }
        guard let text = file.metadata[Model.metadataKey] else {
            throw failure(
                "\(path) has no model card (the key \(Model.metadataKey) of its metadata), which says what the network takes "
                    + "and gives; write one into it")
        }
        // Not JSON: said in our words.
        guard let card = try? JSONValue.parse(text), card.objectValue != nil else {
            throw failure(
                "\(path) has a damaged model card: the key \(Model.metadataKey) of its metadata is not a JSON object; write it "
                    + "anew")
        }
        self.card = card
        tensors = file.tensors.map { Tensor(name: $0.name, type: $0.type, shape: $0.shape) }
    }

    /// Says what a path is that is plainly something else; nil where it may be a model.
    private static func otherwise(_ path: String) -> String? {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else { return nil }
        let wanted = "name a model file: safetensors with a card, or ONNX"
        if isFolder.boolValue { return "\(path) is a folder; \(wanted)" }
        let name = path.lowercased()
        let kinds: [(endings: [String], what: String)] = [
            ([".nii", ".nii.gz", ".mgz", ".mgh"], "an image"), ([".tsv", ".csv"], "a table"),
            ([".json", ".yaml", ".yml"], "a text file"),
            (
                [".pt", ".pth", ".ckpt", ".bin", ".pkl"],
                "a file of Python's; export the network from there as ONNX, and"
            ),
            (
                [".h5", ".keras", ".pb", ".tflite"],
                "a file of TensorFlow's; export the network from there as ONNX, and"
            ),
        ]
        guard let kind = kinds.first(where: { $0.endings.contains(where: name.hasSuffix) }) else { return nil }
        return kind.what.hasSuffix("and") ? "\(path) is \(kind.what) \(wanted)" : "\(path) is \(kind.what); \(wanted)"
    }
}
