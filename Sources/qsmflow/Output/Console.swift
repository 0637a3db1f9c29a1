import Foundation

/// Where words go: results to standard output, everything else to standard error, colours only on a terminal.
enum Console {
    static let errorIsTerminal = isatty(STDERR_FILENO) == 1
    static let outputIsTerminal = isatty(STDOUT_FILENO) == 1

    static let usesColour: Bool = {
        let environment = ProcessInfo.processInfo.environment
        if let no = environment["NO_COLOR"], !no.isEmpty { return false }
        return outputIsTerminal && environment["TERM"] != "dumb"
    }()

    /// A line of the result.
    static func print(_ line: String) { write(line + "\n", to: STDOUT_FILENO) }

    /// A line about what is going on.
    static func note(_ line: String) { write(line + "\n", to: STDERR_FILENO) }

    static func complain(_ sentence: String) { note("qsmflow: " + sentence) }

    /// All bytes, or an end to the process: nobody reads any more.
    static func write(_ text: String, to descriptor: Int32) {
        var text = text
        text.withUTF8 { write(bytes: UnsafeRawBufferPointer($0), to: descriptor) }
    }

    static func write(bytes: UnsafeRawBufferPointer, to descriptor: Int32) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let done = Foundation.write(descriptor, rest.baseAddress, rest.count)
            if done < 0 {
                if errno == EINTR || errno == EAGAIN { continue }
                if descriptor == STDOUT_FILENO { exit(errno == EPIPE ? 0 : ExitStatus.failed) }
                return
            }
            rest = rest[(rest.startIndex + done)...]
        }
    }

    enum Colour: String {
        case red = "31", green = "32", yellow = "33", blue = "34", dim = "2", bold = "1"
    }

    static func coloured(_ text: String, _ colour: Colour) -> String {
        usesColour ? "\u{1b}[\(colour.rawValue)m\(text)\u{1b}[0m" : text
    }

    /// Columns of the terminal; 100 where there is none.
    static var width: Int {
        var size = winsize()
        guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 100 }
        return Int(size.ws_col)
    }
}

extension UnsafeRawBufferPointer.SubSequence {
    fileprivate var baseAddress: UnsafeRawPointer? { UnsafeRawBufferPointer(rebasing: self).baseAddress }
}
