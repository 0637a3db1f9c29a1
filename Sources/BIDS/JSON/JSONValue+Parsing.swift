import Foundation

/// Where and why a text is not JSON. Lines and columns count from 1; a column is a Unicode scalar.
package struct JSONSyntaxError: Error, Sendable, Hashable, CustomStringConvertible {
    package let line: Int
    package let column: Int
    /// A clause that follows "line 3, column 7: ", for example "a comma or } is missing".
    package let reason: String

    package init(line: Int, column: Int, reason: String) {
        self.line = line
        self.column = column
        self.reason = reason
    }

    package var description: String { "line \(line), column \(column): \(reason)" }
}

extension JSONValue {
    /// Reads one JSON text (RFC 8259, UTF-8, a byte order mark allowed).
    ///
    /// Stricter than most readers in one point: a name given twice in one object is an error, because readers differ
    /// in which of the two values they keep.
    /// - Throws: `JSONSyntaxError` with the place of the first fault.
    package static func parse(_ data: Data) throws(JSONSyntaxError) -> JSONValue {
        try data.withUnsafeBytes { (buffer: UnsafeRawBufferPointer) -> Result<JSONValue, JSONSyntaxError> in
            parse(buffer)
        }.get()
    }

    package static func parse(_ text: String) throws(JSONSyntaxError) -> JSONValue {
        var text = text
        return try text.withUTF8 { parse(UnsafeRawBufferPointer($0)) }.get()
    }

    /// `parse` over bytes already in memory, as a result because a rethrowing closure loses the error's type.
    package static func parse(_ bytes: UnsafeRawBufferPointer) -> Result<JSONValue, JSONSyntaxError> {
        var parser = JSONParser(bytes: bytes)
        do throws(JSONParser.Fault) {
            return .success(try parser.document())
        } catch {
            return .failure(parser.located(error))
        }
    }
}

/// A recursive-descent reader over bytes. Positions are byte offsets; line and column are counted only for an error.
private struct JSONParser {
    struct Fault: Error {
        let offset: Int
        let reason: String
    }

    /// Deeper nesting than this is refused, so that a hostile file cannot exhaust the stack.
    static let maximumDepth = 256

    let bytes: UnsafeRawBufferPointer
    var offset = 0

    init(bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    func located(_ fault: Fault) -> JSONSyntaxError {
        var line = 1
        var column = 1
        for index in 0..<min(fault.offset, bytes.count) {
            let byte = bytes[index]
            if byte == 0x0A {
                line += 1
                column = 1
            } else if byte & 0xC0 != 0x80 {
                column += 1
            }
        }
        return JSONSyntaxError(line: line, column: column, reason: fault.reason)
    }

    mutating func document() throws(Fault) -> JSONValue {
        if bytes.count >= 3, bytes[0] == 0xEF, bytes[1] == 0xBB, bytes[2] == 0xBF { offset = 3 }
        skipWhiteSpace()
        if offset == bytes.count { throw fault("the file is empty") }
        let value = try self.value(depth: 0)
        skipWhiteSpace()
        if offset < bytes.count { throw fault("text follows the end of the JSON value") }
        return value
    }

    func fault(_ reason: String) -> Fault { Fault(offset: offset, reason: reason) }

    mutating func skipWhiteSpace() {
        while offset < bytes.count {
            switch bytes[offset] {
            case 0x20, 0x0A, 0x0D, 0x09: offset += 1
            default: return
            }
        }
    }

    mutating func value(depth: Int) throws(Fault) -> JSONValue {
        guard offset < bytes.count else { throw fault("the file ends where a value is expected") }
        if depth > Self.maximumDepth { throw fault("values are nested deeper than \(Self.maximumDepth) levels") }
        switch bytes[offset] {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case UInt8(ascii: "N"), UInt8(ascii: "I"):
            throw fault("JSON has no NaN or Infinity; write null")
        case UInt8(ascii: "'"): throw fault("texts are written in double quotes")
        case UInt8(ascii: "}"), UInt8(ascii: "]"): throw fault("a value is missing before this bracket")
        default: throw fault("this does not begin a JSON value")
        }
    }

    mutating func word(_ word: StaticString, _ value: JSONValue) throws(Fault) -> JSONValue {
        let length = word.utf8CodeUnitCount
        guard offset + length <= bytes.count,
            (0..<length).allSatisfy({ bytes[offset + $0] == word.utf8Start[$0] })
        else { throw fault("this does not begin a JSON value; did you mean \(word)?") }
        offset += length
        return value
    }

    mutating func object(depth: Int) throws(Fault) -> JSONValue {
        var members: [String: JSONValue] = [:]
        offset += 1
        skipWhiteSpace()
        if offset < bytes.count, bytes[offset] == UInt8(ascii: "}") {
            offset += 1
            return .object(members)
        }
        while true {
            skipWhiteSpace()
            guard offset < bytes.count else { throw fault("the file ends inside a { } object") }
            guard bytes[offset] == UInt8(ascii: "\"") else {
                if bytes[offset] == UInt8(ascii: "}") { throw fault("a comma stands before the closing }") }
                throw fault("a member name in double quotes is expected")
            }
            let nameOffset = offset
            let name = try string()
            skipWhiteSpace()
            guard offset < bytes.count, bytes[offset] == UInt8(ascii: ":") else {
                throw fault("a colon is missing after \"\(name)\"")
            }
            offset += 1
            skipWhiteSpace()
            let value = try self.value(depth: depth + 1)
            if members.updateValue(value, forKey: name) != nil {
                throw Fault(offset: nameOffset, reason: "\"\(name)\" is given twice; keep one of the two")
            }
            skipWhiteSpace()
            guard offset < bytes.count else { throw fault("the file ends inside a { } object") }
            switch bytes[offset] {
            case UInt8(ascii: ","): offset += 1
            case UInt8(ascii: "}"):
                offset += 1
                return .object(members)
            default: throw fault("a comma or } is missing")
            }
        }
    }

    mutating func array(depth: Int) throws(Fault) -> JSONValue {
        var elements: [JSONValue] = []
        offset += 1
        skipWhiteSpace()
        if offset < bytes.count, bytes[offset] == UInt8(ascii: "]") {
            offset += 1
            return .array(elements)
        }
        while true {
            skipWhiteSpace()
            elements.append(try value(depth: depth + 1))
            skipWhiteSpace()
            guard offset < bytes.count else { throw fault("the file ends inside a [ ] list") }
            switch bytes[offset] {
            case UInt8(ascii: ","): offset += 1
            case UInt8(ascii: "]"):
                offset += 1
                return .array(elements)
            default: throw fault("a comma or ] is missing")
            }
        }
    }

    mutating func number() throws(Fault) -> JSONValue {
        let start = offset
        var isWhole = true
        if bytes[offset] == UInt8(ascii: "-") { offset += 1 }
        let integerStart = offset
        try digits()
        if bytes[integerStart] == UInt8(ascii: "0"), offset - integerStart > 1 {
            throw Fault(offset: start, reason: "a number may not begin with 0")
        }
        if offset < bytes.count, bytes[offset] == UInt8(ascii: ".") {
            isWhole = false
            offset += 1
            try digits()
        }
        if offset < bytes.count, bytes[offset] | 0x20 == UInt8(ascii: "e") {
            isWhole = false
            offset += 1
            if offset < bytes.count, bytes[offset] == UInt8(ascii: "+") || bytes[offset] == UInt8(ascii: "-") {
                offset += 1
            }
            try digits()
        }
        let text = String(decoding: bytes[start..<offset], as: UTF8.self)
        if isWhole, let value = Int64(text) { return .integer(value) }
        guard let value = Double(text), value.isFinite else {
            throw Fault(offset: start, reason: "\(text) is too large for a number")
        }
        return .number(value)
    }

    mutating func digits() throws(Fault) {
        let start = offset
        while offset < bytes.count, bytes[offset] >= UInt8(ascii: "0"), bytes[offset] <= UInt8(ascii: "9") {
            offset += 1
        }
        if offset == start { throw fault("a digit is expected") }
    }

    mutating func string() throws(Fault) -> String {
        offset += 1
        let start = offset
        // Most texts hold no escape: find the end, then make the text in one step.
        while offset < bytes.count {
            let byte = bytes[offset]
            if byte == UInt8(ascii: "\"") {
                let text = try validated(start..<offset)
                offset += 1
                return text
            }
            if byte == UInt8(ascii: "\\") { return try escapedString(from: start) }
            if byte < 0x20 { throw fault("a text may not contain a line break or control character; is a \" missing?") }
            offset += 1
        }
        throw Fault(offset: start - 1, reason: "the text that begins here is not closed")
    }

    func validated(_ range: Range<Int>) throws(Fault) -> String {
        guard let text = String(validating: UnsafeRawBufferPointer(rebasing: bytes[range]), as: UTF8.self) else {
            throw Fault(offset: range.lowerBound, reason: "this text is not UTF-8; save the file as UTF-8")
        }
        return text
    }

    /// The rest of a text that holds escapes; `offset` stands on the first backslash.
    mutating func escapedString(from start: Int) throws(Fault) -> String {
        var text = try validated(start..<offset)
        while offset < bytes.count {
            let byte = bytes[offset]
            if byte == UInt8(ascii: "\"") {
                offset += 1
                return text
            }
            if byte == UInt8(ascii: "\\") {
                text.unicodeScalars.append(try escape())
                continue
            }
            let plainStart = offset
            while offset < bytes.count, bytes[offset] >= 0x20, bytes[offset] != UInt8(ascii: "\""),
                bytes[offset] != UInt8(ascii: "\\")
            {
                offset += 1
            }
            if offset == plainStart {
                throw fault("a text may not contain a line break or control character; is a \" missing?")
            }
            text += try validated(plainStart..<offset)
        }
        throw Fault(offset: start - 1, reason: "the text that begins here is not closed")
    }

    mutating func escape() throws(Fault) -> Unicode.Scalar {
        let start = offset
        guard offset + 1 < bytes.count else { throw fault("the file ends inside an escape") }
        offset += 2
        switch bytes[start + 1] {
        case UInt8(ascii: "\""): return "\""
        case UInt8(ascii: "\\"): return "\\"
        case UInt8(ascii: "/"): return "/"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            let unit = try hexadecimalUnit()
            if unit & 0xFC00 == 0xD800, offset + 1 < bytes.count, bytes[offset] == UInt8(ascii: "\\"),
                bytes[offset + 1] == UInt8(ascii: "u")
            {
                offset += 2
                let low = try hexadecimalUnit()
                let code = 0x10000 + (unit & 0x3FF) << 10 + (low & 0x3FF)
                if low & 0xFC00 == 0xDC00, let scalar = Unicode.Scalar(code) { return scalar }
            } else if let scalar = Unicode.Scalar(unit) {
                return scalar
            }
            throw Fault(offset: start, reason: "this escape is half of a surrogate pair")
        default:
            throw Fault(offset: start, reason: "this is no JSON escape; a backslash itself is written \\\\")
        }
    }

    mutating func hexadecimalUnit() throws(Fault) -> UInt32 {
        guard offset + 4 <= bytes.count else { throw fault("four hexadecimal digits are expected") }
        var unit: UInt32 = 0
        for index in offset..<offset + 4 {
            guard let digit = Character(Unicode.Scalar(bytes[index])).hexDigitValue, bytes[index] < 0x80 else {
                throw fault("four hexadecimal digits are expected")
            }
            unit = unit << 4 | UInt32(digit)
        }
        offset += 4
        return unit
    }
}
