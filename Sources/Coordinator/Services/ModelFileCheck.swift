import BIDS
import Foundation

/// Whether a file that a workflow names by its path is a model: safetensors with a card in its metadata.
///
/// Only the header is read; what is in it belongs to the library of networks, which a coordinator does not link.
struct ModelFileCheck {
    /// Key of the metadata that holds the card.
    static let cardKey = "qsmflow.card"
    /// Headers are at most this long (the format's own limit).
    private static let longestHeader = 100_000_000

    /// Why the file is no model, as the end of a sentence that names it; nil where it is one.
    static func problem(_ path: String) -> String? {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            return "is not there; check the path, or import the model and write its name"
        }
        if isFolder.boolValue { return "is a folder; name the file of the model" }
        let header: JSONValue
        do {
            guard let read = try self.header(path) else {
                return "is no safetensors file; name a model file, or import an ONNX file with `qsmflow models import`"
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
        return nil
    }

    /// nil where it is none.
    private static func header(_ path: String) throws -> JSONValue? {
        let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
        defer { try? file.close() }  // it was only read
        guard let start = try file.read(upToCount: 8), start.count == 8 else { return nil }
        let length = start.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard length >= 2, length <= UInt64(longestHeader), let text = try file.read(upToCount: Int(length)),
            text.count == Int(length)
        else { return nil }
        return try? JSONValue.parse(text)  // what is not JSON is no header
    }
}
