/// A colour of eight bits per channel.
package struct Colour: Sendable, Hashable {
    package var red: UInt8
    package var green: UInt8
    package var blue: UInt8

    package init(_ red: UInt8, _ green: UInt8, _ blue: UInt8) { (self.red, self.green, self.blue) = (red, green, blue) }

    package static func grey(_ level: UInt8) -> Colour { Colour(level, level, level) }
    package static let black = grey(0)
    package static let white = grey(255)

    /// From `#RRGGBB` (the `color` column of a BIDS dseg table); nil for anything else.
    package init?(hex: String) {
        guard hex.utf8.count == 7, hex.hasPrefix("#"), let value = UInt32(hex.dropFirst(), radix: 16) else {
            return nil
        }
        self.init(UInt8(value >> 16), UInt8(value >> 8 & 255), UInt8(value & 255))
    }
}

/// A picture in memory: RGB, eight bits per channel, rows from the top, no padding.
package struct Picture: Sendable, Equatable {
    package let width: Int
    package let height: Int
    package private(set) var bytes: [UInt8]

    package init(width: Int, height: Int, background: Colour = .black) {
        precondition(width > 0 && height > 0, "a picture has at least one pixel, not \(width)×\(height)")
        (self.width, self.height) = (width, height)
        bytes = [UInt8](repeating: 0, count: 3 * width * height)
        if background != .black {
            for y in 0..<height {
                for x in 0..<width { self[x, y] = background }
            }
        }
    }

    package subscript(x: Int, y: Int) -> Colour {
        get {
            let at = 3 * (x + width * y)
            return Colour(bytes[at], bytes[at + 1], bytes[at + 2])
        }
        set {
            let at = 3 * (x + width * y)
            (bytes[at], bytes[at + 1], bytes[at + 2]) = (newValue.red, newValue.green, newValue.blue)
        }
    }

    /// Sets a pixel if it lies in the picture.
    package mutating func plot(_ x: Int, _ y: Int, _ colour: Colour) {
        if x >= 0 && y >= 0 && x < width && y < height { self[x, y] = colour }
    }

    /// Whether no pixel has a colour.
    var isGrey: Bool {
        for at in stride(from: 0, to: bytes.count, by: 3) {
            let red = bytes[at]
            if bytes[at + 1] != red || bytes[at + 2] != red { return false }
        }
        return true
    }

    var redChannel: [UInt8] { (0..<width * height).map { bytes[3 * $0] } }
}
