import Foundation

extension JSONValue {
    /// The one byte sequence of this value: members sorted by the bytes of their names, no white space, the shortest
    /// digits that give each double back, whole doubles within 64 bits written as integers.
    ///
    /// NaN and infinities, which JSON cannot write, become `null`.
    package var canonicalData: Data { Data(canonicalBytes) }

    package var canonicalString: String { String(decoding: canonicalBytes, as: UTF8.self) }

    /// The same order and numbers, two-space indentation and a final newline: for files that people open.
    package var prettyData: Data {
        var bytes: [UInt8] = []
        write(to: &bytes, indentation: 0)
        bytes.append(UInt8(ascii: "\n"))
        return Data(bytes)
    }

    private var canonicalBytes: [UInt8] {
        var bytes: [UInt8] = []
        write(to: &bytes, indentation: nil)
        return bytes
    }

    /// Appends this value; `indentation` is the depth when pretty printing, nil for the canonical form.
    private func write(to bytes: inout [UInt8], indentation: Int?) {
        switch self {
        case .null: bytes.append(contentsOf: "null".utf8)
        case .bool(let value): bytes.append(contentsOf: (value ? "true" : "false").utf8)
        case .integer(let value): bytes.append(contentsOf: String(value).utf8)
        case .number(let value):
            if let whole = Int64(exactly: value) {
                bytes.append(contentsOf: String(whole).utf8)
            } else if value.isFinite {
                // `description` is the shortest text that reads back as the same double.
                bytes.append(contentsOf: value.description.utf8)
            } else {
                bytes.append(contentsOf: "null".utf8)
            }
        case .string(let value): Self.write(value, to: &bytes)
        case .array(let elements):
            let inner = indentation.map { $0 + 1 }
            bytes.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                Self.newLine(to: &bytes, indentation: inner)
                element.write(to: &bytes, indentation: inner)
            }
            if !elements.isEmpty { Self.newLine(to: &bytes, indentation: indentation) }
            bytes.append(UInt8(ascii: "]"))
        case .object(let members):
            let inner = indentation.map { $0 + 1 }
            bytes.append(UInt8(ascii: "{"))
            let sorted = members.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
            for (index, member) in sorted.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                Self.newLine(to: &bytes, indentation: inner)
                Self.write(member.key, to: &bytes)
                bytes.append(UInt8(ascii: ":"))
                if indentation != nil { bytes.append(UInt8(ascii: " ")) }
                member.value.write(to: &bytes, indentation: inner)
            }
            if !sorted.isEmpty { Self.newLine(to: &bytes, indentation: indentation) }
            bytes.append(UInt8(ascii: "}"))
        }
    }

    private static func newLine(to bytes: inout [UInt8], indentation: Int?) {
        guard let indentation else { return }
        bytes.append(UInt8(ascii: "\n"))
        bytes.append(contentsOf: repeatElement(UInt8(ascii: " "), count: 2 * indentation))
    }

    private static func write(_ text: String, to bytes: inout [UInt8]) {
        let hexadecimal = Array("0123456789abcdef".utf8)
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""): bytes.append(contentsOf: "\\\"".utf8)
            case UInt8(ascii: "\\"): bytes.append(contentsOf: "\\\\".utf8)
            case 0x08: bytes.append(contentsOf: "\\b".utf8)
            case 0x09: bytes.append(contentsOf: "\\t".utf8)
            case 0x0A: bytes.append(contentsOf: "\\n".utf8)
            case 0x0C: bytes.append(contentsOf: "\\f".utf8)
            case 0x0D: bytes.append(contentsOf: "\\r".utf8)
            case 0x00...0x1F:
                bytes.append(contentsOf: "\\u00".utf8)
                bytes.append(hexadecimal[Int(byte >> 4)])
                bytes.append(hexadecimal[Int(byte & 15)])
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
