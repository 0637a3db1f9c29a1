import BIDS
import Foundation

/// A network's weights on disk with their card: a safetensors file whose metadata has the card as JSON text.
///
/// Read here: the header. Format: https://github.com/huggingface/safetensors (README, "Format").
struct ModelFile {
    struct Tensor: Encodable {
        var name: String
        /// Element type as the file writes it, such as F32.
        var type: String
        var shape: [Int]

        var count: Int { shape.reduce(1, *) }
    }

    /// Key of the card among the metadata.
    static let cardKey = "qsmflow.card"
    static let mediaType = "application/vnd.safetensors"

    let card: JSONValue
    /// In the order of the data.
    let tensors: [Tensor]

    /// More than any network needs; what says so is no header.
    private static let largestHeader: UInt64 = 100_000_000

    /// - Throws: `CommandFailure` when the file cannot be read, is not safetensors, is cut short or has no card.
    init(path: String) throws {
        func failure(_ what: String) -> CommandFailure { CommandFailure("\(path) \(what)", code: ExitStatus.badData) }
        let handle: FileHandle
        do {
            handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
        } catch {
            throw failure("cannot be read (\(SystemReason.of(error))); check its path")
        }
        // Only read from: closing cannot lose anything.
        defer { try? handle.close() }
        let (size, start, json): (UInt64, Data, Data)
        let notSafetensors = "is not a safetensors file; import the weights of a network in that format"
        do {
            size = try handle.seekToEnd()
            try handle.seek(toOffset: 0)
            start = try handle.read(upToCount: 8) ?? Data()
            guard start.count == 8 else { throw failure(notSafetensors) }
            let length = start.enumerated().reduce(UInt64(0)) { $0 | UInt64($1.element) << (8 * UInt64($1.offset)) }
            guard length >= 2, length <= Self.largestHeader else { throw failure(notSafetensors) }
            guard size >= 8 + length else {
                // A text that begins like a length has its opening brace elsewhere.
                guard try handle.read(upToCount: 1) == Data("{".utf8) else { throw failure(notSafetensors) }
                throw failure("is cut short: its header takes \(length) bytes and \(size - 8) are there; copy it again")
            }
            json = try handle.read(upToCount: Int(length)) ?? Data()
        } catch let error as CommandFailure {
            throw error
        } catch {
            throw failure("cannot be read (\(SystemReason.of(error))); check the disk")
        }
        // Not JSON: said in our words.
        guard let header = (try? JSONValue.parse(json))?.objectValue else { throw failure(notSafetensors) }
        var end: Int64 = 0
        var tensors: [(offset: Int64, tensor: Tensor)] = []
        for (name, entry) in header where name != "__metadata__" {
            guard let type = entry["dtype"]?.stringValue, let shape = Self.shape(entry["shape"]),
                let offsets = entry["data_offsets"]?.arrayValue?.compactMap(\.integerValue), offsets.count == 2,
                0 <= offsets[0], offsets[0] <= offsets[1]
            else { throw failure("is damaged: its header does not say where tensor \(name) lies; copy it again") }
            end = max(end, offsets[1])
            tensors.append((offsets[0], Tensor(name: name, type: type, shape: shape)))
        }
        let there = Int64(size) - 8 - Int64(json.count)
        guard there >= end else {
            throw failure("is cut short: its tensors take \(end) bytes and \(there) are there; copy it again")
        }
        guard let text = header["__metadata__"]?[Self.cardKey]?.stringValue else {
            throw failure(
                "has no model card (the key \(Self.cardKey) of its metadata), which says what the network takes and gives; "
                    + "write one into it")
        }
        // Not JSON: said in our words.
        guard let card = try? JSONValue.parse(text), card.objectValue != nil else {
            throw failure("has a damaged model card: the key \(Self.cardKey) of its metadata is not a JSON object")
        }
        self.card = card
        self.tensors = tensors.sorted { ($0.offset, $0.tensor.name) < ($1.offset, $1.tensor.name) }.map(\.tensor)
    }

    /// Nil for what cannot be the shape of a tensor.
    private static func shape(_ value: JSONValue?) -> [Int]? {
        guard let lengths = value?.arrayValue else { return nil }
        let shape = lengths.compactMap(\.integerValue).map { Int($0) }
        var count = 1
        for length in shape {
            let (product, overflow) = count.multipliedReportingOverflow(by: length)
            guard length >= 0, !overflow else { return nil }
            count = product
        }
        return shape.count == lengths.count ? shape : nil
    }
}
