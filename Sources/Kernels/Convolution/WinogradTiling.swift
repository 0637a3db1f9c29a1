/// How the tiles of a fast convolution are grouped: slices, rectangles of tiles of one depth of one image, and blocks of
/// so many slices as fill the rows of the matrix products, also where maps are small.
struct WinogradTiling: Sendable {
    struct Slice {
        var image: Int
        /// Tile coordinates.
        var depth: Int
        var lines, columns: Range<Int>
        /// Index of its first tile in the block.
        var firstTile: Int

        var tileCount: Int { lines.count * columns.count }
    }

    /// Tiles of an image.
    private let grid: Extent3
    private let images: Int
    /// Tiles of a full slice; its depth is 1.
    let slice: Extent3
    let slicesPerBlock: Int

    /// - Parameter tiles: of a block, to aim for.
    init(_ target: FeatureShape, outputs: Extent3, tiles: Int) {
        images = target.batch
        grid = Extent3(
            target.size.depth.divided(by: outputs.depth), target.size.height.divided(by: outputs.height),
            target.size.width.divided(by: outputs.width))
        // Parts of a line of about eight tiles, as even as can be: longer ones leave no room for several lines, whose
        // common positions are then transformed twice.
        let parts = grid.width > 10 ? grid.width.divided(by: 8) : 1
        let width = grid.width.divided(by: parts)
        slice = Extent3(1, min(grid.height, max(1, tiles / width)), width)
        slicesPerBlock = max(1, tiles / slice.product)
    }

    private var linePieces: Int { grid.height.divided(by: slice.height) }
    private var columnPieces: Int { grid.width.divided(by: slice.width) }
    private var sliceCount: Int { images * grid.depth * linePieces * columnPieces }

    var tilesPerBlock: Int { slicesPerBlock * slice.product }
    var blockCount: Int { sliceCount.divided(by: slicesPerBlock) }

    func slices(ofBlock block: Int) -> [Slice] {
        var tile = 0
        return (block * slicesPerBlock..<min(sliceCount, (block + 1) * slicesPerBlock)).map { index in
            var rest = index
            let column = rest % columnPieces * slice.width
            rest /= columnPieces
            let line = rest % linePieces * slice.height
            rest /= linePieces
            let part = Slice(
                image: rest / grid.depth, depth: rest % grid.depth,
                lines: line..<min(grid.height, line + slice.height),
                columns: column..<min(grid.width, column + slice.width), firstTile: tile)
            tile += part.tileCount
            return part
        }
    }
}
