import BIDS
import Foundation
import Workflow

/// Whether a file that a workflow names by its path is a model: safetensors with a card in its metadata.
///
/// Only the header is read; what is in it belongs to the library of networks, which a coordinator does not link.
struct ModelFileCheck {
    /// Key of the metadata that holds the card.
    static let cardKey = "qsmflow.card"
    /// Key of the metadata that holds a classifier, which has no tensors.
    private static let classifierKey = "qsmflow.classifier"
    /// Headers are at most this long (the format's own limit).
    private static let longestHeader = 100_000_000

    /// Why a step cannot use the file, as the end of a sentence that names it; nil where it can.
    ///
    /// - Parameter kind: of the step.
    static func problem(_ path: String, kind: String) -> String? {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            return "is not there; check the path, or import the model and write its name"
        }
        if isFolder.boolValue { return "is a folder; name the file of the model" }
        let header: JSONValue
        do {
            guard let (read, end, size) = try self.header(path) else {
                return "is no safetensors file; name a model file, or import an ONNX file with `qsmflow models import`"
            }
            guard end <= size else {
                return "is cut short: it has \(size) bytes of \(end); copy or export the model again"
            }
            header = read
        } catch {
            return "cannot be read (\(SystemReason.of(error))); check its rights"
        }
        guard let card = header["__metadata__"]?[cardKey]?.stringValue else {
            return
                "has no model card (the key \(cardKey) of its metadata), which says what the network takes and gives; "
                + "take a model of network.train, or one written by `qsmflow models export`"
        }
        // Not JSON: said in our words.
        guard let value = try? JSONValue.parse(card), value.objectValue != nil else {
            return "has a damaged model card; export or train the model again"
        }
        return otherUse(header, kind: kind).map { "is \($0)" }
    }

    /// What the model in a file is, and which step applies it, where a step of this kind does not; nil where it does, and where
    /// the file does not say what it is.
    static func otherUse(_ path: String, kind: String) -> String? {
        // Swallowed: bytes that cannot be read are told by the attempt that reads them, with the reason.
        (try? header(path)).flatMap { otherUse($0.json, kind: kind) }
    }

    private static func otherUse(_ header: JSONValue, kind: String) -> String? {
        let metadata = header["__metadata__"]
        // Swallowed: a damaged card is told by `problem` of a file, and of a registered model by the attempt that reads it.
        let card = metadata?[cardKey]?.stringValue.flatMap { try? JSONValue.parse($0) }
        let use =
            metadata?[classifierKey] != nil
            ? .classifier : card?["task"]?.stringValue.flatMap { ModelUse(rawValue: $0) }
        guard let use, let wanted = ModelUse(appliedBy: kind), use != wanted else { return nil }
        return "\(use.phrase), which \(use.kind) applies; \(kind) takes \(wanted.phrase)"
    }

    /// The header, where what it describes ends, and how long the file is, in bytes; nil where it is no safetensors file.
    private static func header(_ path: String) throws -> (json: JSONValue, end: UInt64, size: UInt64)? {
        let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
        defer { try? file.close() }  // it was only read
        guard let start = try file.read(upToCount: 8), start.count == 8 else { return nil }
        let length = start.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard length >= 2, length <= UInt64(longestHeader), let text = try file.read(upToCount: Int(length)),
            text.count == Int(length)
        else { return nil }
        // Swallowed: what is not JSON is no header, which is the answer.
        guard let json = try? JSONValue.parse(text) else { return nil }
        let ends = json.objectValue?.values.compactMap { $0["data_offsets"]?[1]?.integerValue } ?? []
        let data = ends.compactMap { UInt64(exactly: $0) }.max() ?? 0
        return (json, 8 + length + data, try file.seekToEnd())
    }
}
