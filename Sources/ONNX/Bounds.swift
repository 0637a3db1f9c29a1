/// How large the numbers of a file may be. A file may say anything; what lies within these bounds can be multiplied
/// without overflow, and no image or network reaches them.
enum Bounds {
    /// Length of an axis of a map, and any setting along one: kernels, strides, paddings, groups.
    static let axis = 1 << 20
    /// Positions of a map, and values of a stored tensor.
    static let values = 1 << 40
    /// Values that arithmetic on constants makes of smaller ones.
    static let folded = 1 << 24

    /// Values of a tensor of this shape; nil where it has a negative axis or more than `values`. Axes of length 0 do
    /// not hide the others: products of any of the axes stay within the bound.
    static func count(_ shape: [Int]) -> Int? {
        var (count, isEmpty) = (1, false)
        for axis in shape {
            guard axis >= 0 else { return nil }
            isEmpty = isEmpty || axis == 0
            let (product, overflow) = count.multipliedReportingOverflow(by: max(1, axis))
            guard !overflow, product <= values else { return nil }
            count = product
        }
        return isEmpty ? 0 : count
    }
}
