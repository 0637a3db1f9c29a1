/// What can be wrong with the grids handed to a kernel.
package enum GridError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Two images that must share a grid do not. `first` and `second` name them for the reader.
    case mismatch(first: String, firstGrid: VoxelGrid, second: String, secondGrid: VoxelGrid)
    /// The affine cannot be inverted, so positions in the image have no meaning.
    case singularAffine(String)

    package var description: String {
        switch self {
        case .mismatch(let first, let firstGrid, let second, let secondGrid):
            "\(first) (\(firstGrid)) and \(second) (\(secondGrid)) are not on the same grid"
                + "\(firstGrid.placeClause(beside: secondGrid)); "
                + "resample one onto the other or supply images of the same acquisition"
        case .singularAffine(let name):
            "the affine of \(name) is singular; repair the image header (sform/qform)"
        }
    }
}
