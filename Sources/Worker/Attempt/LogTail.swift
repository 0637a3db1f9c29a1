import Foundation

/// The end of an attempt's log, as it is kept with the attempt.
package enum LogTail {
    package static let limitBytes = 8 << 10

    /// The last 8 KiB of a file as text, from the start of a line or at least of a character; empty when there is no
    /// file.
    package static func read(_ path: String) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return "" }
        let start = max(0, Int64(status.st_size) - Int64(limitBytes))
        var bytes = [UInt8](repeating: 0, count: limitBytes)
        let count = pread(descriptor, &bytes, bytes.count, off_t(start))
        guard count > 0 else { return "" }
        return text(Array(bytes[..<count]), isCut: start > 0)
    }

    /// Readable text: broken UTF-8 and control characters (PostgreSQL refuses NUL) are replaced.
    static func text(_ bytes: [UInt8], isCut: Bool) -> String {
        var bytes = bytes[...]
        if isCut {
            if let newline = bytes.firstIndex(of: 10), newline < bytes.endIndex - 1 {
                bytes = bytes[(newline + 1)...]
            } else {
                bytes = bytes.drop { $0 & 0xC0 == 0x80 }
            }
        }
        var text = ""
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            let isControl = scalar.value < 32 && scalar != "\n" && scalar != "\t"
            text.unicodeScalars.append(isControl || scalar.value == 127 ? "\u{FFFD}" : scalar)
        }
        return text
    }

    /// The last line that says something.
    static func lastLine(_ text: String) -> String? {
        text.split(whereSeparator: \.isNewline).last { !$0.allSatisfy(\.isWhitespace) }
            .map { $0.trimmingCharacters(in: .whitespaces) }
    }
}
