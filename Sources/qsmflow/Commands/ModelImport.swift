import Foundation

/// Makes a model file of what `qsmflow models import` is given. Formats of other programs are converted here, and only
/// here.
enum ModelImport {
    /// - Returns: path of a model file; the one given where it is one.
    /// - Throws: `CommandFailure` for a format that cannot be converted.
    static func modelFile(from path: String) throws -> String {
        switch URL(fileURLWithPath: path).pathExtension.lowercased() {
        case "onnx":
            throw CommandFailure(
                "\(path) is an ONNX file, which this qsmflow cannot convert; export the network as safetensors with a card",
                code: ExitStatus.badData)
        default: return path
        }
    }
}
