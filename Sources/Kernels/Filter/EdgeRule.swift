/// What a filter meets beyond the edge of an image.
package enum EdgeRule: String, Sendable, Hashable, CaseIterable {
    case zero
    /// The outermost value.
    case nearest
    /// The image again, from its other side.
    case periodic
    /// The image mirrored at the outer face of its outermost voxels, which so appear twice.
    case mirror
    /// As periodic, after an axis of odd length was made even by its first plane behind the last (as PyRadiomics does).
    case periodicEven = "periodic_even"

    /// Where the value at an index of an axis comes from; nil for a zero.
    package func place(_ index: Int, count: Int) -> Int? {
        if (0..<count).contains(index) { return index }
        func wrapped(_ period: Int) -> Int { (index % period + period) % period }
        switch self {
        case .zero: return nil
        case .nearest: return index < 0 ? 0 : count - 1
        case .periodic: return wrapped(count)
        case .mirror:
            let place = wrapped(2 * count)
            return place < count ? place : 2 * count - 1 - place
        case .periodicEven:
            let place = wrapped(count + count % 2)
            return place < count ? place : 0
        }
    }
}
