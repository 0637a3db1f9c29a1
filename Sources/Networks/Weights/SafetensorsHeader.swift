import Foundation

/// The header of a safetensors file: eight bytes of length, then JSON that says where each tensor lies.
/// Source: https://github.com/huggingface/safetensors (format section of its README).
struct SafetensorsHeader: Sendable {
    enum ElementType: String, Sendable, Codable {
        case bool = "BOOL"
        case uint8 = "U8"
        case int8 = "I8"
        case float8e4 = "F8_E4M3"
        case float8e5 = "F8_E5M2"
        case int16 = "I16"
        case uint16 = "U16"
        case float16 = "F16"
        case bfloat16 = "BF16"
        case int32 = "I32"
        case uint32 = "U32"
        case float32 = "F32"
        case int64 = "I64"
        case uint64 = "U64"
        case float64 = "F64"

        var bytes: Int {
            switch self {
            case .bool, .uint8, .int8, .float8e4, .float8e5: 1
            case .int16, .uint16, .float16, .bfloat16: 2
            case .int32, .uint32, .float32: 4
            case .int64, .uint64, .float64: 8
            }
        }
    }

    struct Entry: Sendable {
        let name: String
        let type: ElementType
        let shape: [Int]
        /// Bytes from the end of the header.
        let range: Range<Int>
    }

    /// In the order of the data.
    let entries: [Entry]
    let metadata: [String: String]
    /// Where the data begins in the file.
    let dataOffset: Int

    /// More than any network needs; what says so in a damaged file is the length's first bytes.
    static let largestHeader = 100_000_000

    /// - Parameters:
    ///   - json: the header without its length.
    ///   - dataCount: bytes of the file behind the header.
    /// - Throws: `NetworkError.file` naming the tensor and what is wrong with it.
    init(json: Data, dataCount: Int, path: String) throws {
        func damaged(_ problem: String) -> NetworkError { .file(path: path, problem: problem) }
        let raw: [String: RawEntry]
        do {
            raw = try JSONDecoder().decode([String: RawEntry].self, from: json)
        } catch DecodingError.dataCorrupted(let context) where context.codingPath.isEmpty {
            throw damaged("is no safetensors file: its header is no JSON, or a number in it is not whole")
        } catch {
            throw damaged("has a damaged safetensors header: \(Self.explain(error))")
        }
        var entries: [Entry] = []
        var metadata: [String: String] = [:]
        for (name, value) in raw {
            switch value {
            case .strings(let strings):
                guard name == "__metadata__" else { throw damaged("tensor \(name) has no data_offsets") }
                metadata = strings
            case .tensor(let typeName, let shape, let offsets):
                guard name != "__metadata__" else { throw damaged("its __metadata__ are no strings") }
                guard let type = ElementType(rawValue: typeName) else {
                    throw damaged("tensor \(name) is of the type \(typeName), which is not known")
                }
                var bytes = type.bytes
                for length in shape {
                    let (product, overflow) = bytes.multipliedReportingOverflow(by: length)
                    guard length >= 0, !overflow else { throw damaged("tensor \(name) has the shape \(shape)") }
                    bytes = product
                }
                guard offsets.count == 2, offsets[0] >= 0, offsets[0] <= offsets[1] else {
                    throw damaged("tensor \(name) has the data_offsets \(offsets)")
                }
                guard offsets[1] - offsets[0] == bytes else {
                    throw damaged(
                        "tensor \(name) of shape \(shape) and type \(typeName) takes \(bytes) bytes and is given "
                            + "\(offsets[1] - offsets[0])")
                }
                entries.append(Entry(name: name, type: type, shape: shape, range: offsets[0]..<offsets[1]))
            }
        }
        entries.sort {
            ($0.range.lowerBound, $0.range.upperBound, $0.name) < ($1.range.lowerBound, $1.range.upperBound, $1.name)
        }
        var end = 0
        for entry in entries {
            if entry.range.lowerBound < end { throw damaged("tensor \(entry.name) overlaps the one before it") }
            if entry.range.lowerBound > end {
                throw damaged(
                    "\(entry.range.lowerBound - end) bytes before tensor \(entry.name) belong to no tensor")
            }
            end = entry.range.upperBound
        }
        guard dataCount >= end else {
            throw damaged("is cut short: its tensors take \(end) bytes and \(dataCount) are there")
        }
        guard dataCount == end else { throw damaged("\(dataCount - end) bytes at its end belong to no tensor") }
        (self.entries, self.metadata, dataOffset) = (entries, metadata, 8 + json.count)
    }

    private enum RawEntry: Decodable {
        case tensor(type: String, shape: [Int], offsets: [Int])
        case strings([String: String])

        private enum Keys: String, CodingKey {
            case dtype, shape
            case offsets = "data_offsets"
        }

        init(from decoder: any Decoder) throws {
            // Whether it is metadata, the key tells; its author may not know that the values are strings.
            if decoder.codingPath.last?.stringValue == "__metadata__" {
                self = .strings(try decoder.singleValueContainer().decode([String: String].self))
                return
            }
            let container = try decoder.container(keyedBy: Keys.self)
            self = .tensor(
                type: try container.decode(String.self, forKey: .dtype),
                shape: try container.decode([Int].self, forKey: .shape),
                offsets: try container.decode([Int].self, forKey: .offsets))
        }
    }

    private static func explain(_ error: any Error) -> String {
        func place(_ context: DecodingError.Context) -> String {
            context.codingPath.map(\.stringValue).filter { !$0.isEmpty }.joined(separator: ".")
        }
        switch error {
        case DecodingError.keyNotFound(let key, let context):
            return "tensor \(place(context)) has no \(key.stringValue)"
        case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context),
            DecodingError.dataCorrupted(let context):
            return "\(place(context)) is not what belongs there"
        default: return "\(error)"
        }
    }
}
