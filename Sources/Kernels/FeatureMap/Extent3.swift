/// A size or step along depth, height and width; width is the fastest axis. Two-dimensional work has depth 1.
package struct Extent3: Hashable, Sendable, Codable, CustomStringConvertible {
    package var depth, height, width: Int

    package init(_ depth: Int, _ height: Int, _ width: Int) {
        (self.depth, self.height, self.width) = (depth, height, width)
    }

    package init(repeating value: Int) { self.init(value, value, value) }

    package static let one = Extent3(repeating: 1)
    package static let zero = Extent3(repeating: 0)

    /// depth · height · width
    package var product: Int { depth * height * width }

    package var description: String { "\(depth)×\(height)×\(width)" }
}
