/// Which axes of a window are reversed.
struct Flip: Hashable, Sendable {
    var depth = false
    var height = false
    var width = false

    /// All combinations along `axes`, none first, always in the same order.
    static func combinations(of axes: GridAxes) -> [Flip] {
        var result = [Flip()]
        for axis in GridAxis.allCases where axes.contains(axis) {
            result += result.map { flip in
                var flip = flip
                switch axis {
                case .depth: flip.depth = true
                case .height: flip.height = true
                case .width: flip.width = true
                }
                return flip
            }
        }
        return result
    }
}
