/// The pieces that a convolution is cut into, from its shape alone.
struct ConvolutionPieces: Sendable {
    /// Target planes and lines of a piece and the whole width, of each phase.
    let size: Extent3
    /// Pieces along depth and height, groups of images, and ranges of output blocks.
    let depthPieces, heightPieces, imagePieces, blockPieces: Int
    let blocksPerPiece: Int
    /// More than one only where maps are so small that a piece is all of a map.
    let imagesPerPiece: Int

    struct Piece {
        var images: Range<Int>
        var depth, height: Range<Int>
        var outputBlocks: Range<Int>
    }

    private let positions: Extent3
    private let images: Int
    private let outputBlocks: Int

    var count: Int { imagePieces * depthPieces * heightPieces * blockPieces }

    /// - Parameters:
    ///   - positions: target positions of the largest phase.
    ///   - rows: positions of a piece to aim for.
    init(positions: Extent3, images: Int, outputBlocks: Int, rows: Int) {
        self.positions = positions
        self.images = images
        self.outputBlocks = outputBlocks
        var lines = max(1, rows / positions.width)
        var size = Extent3.one
        var pieces = 0
        // At least 16 pieces, so that two to eight threads end at about the same time, unless they would get too small.
        while true {
            size = Self.cut(positions, lines: lines)
            pieces = images * positions.depth.divided(by: size.depth) * positions.height.divided(by: size.height)
            if pieces >= 16 || lines == 1 || lines * positions.width <= 64 { break }
            lines = lines / 2
        }
        // Several small maps together use every part of the weights once.
        if positions.product <= 64 {
            size = positions
            imagesPerPiece = max(1, min(images, 256 / positions.product))
        } else {
            imagesPerPiece = 1
        }
        imagePieces = images.divided(by: imagesPerPiece)
        self.size = size
        depthPieces = positions.depth.divided(by: size.depth)
        heightPieces = positions.height.divided(by: size.height)
        pieces = imagePieces * depthPieces * heightPieces
        if pieces < 16, outputBlocks > 2 {
            let wanted = min((16).divided(by: max(1, pieces)), outputBlocks.divided(by: imagesPerPiece > 1 ? 4 : 2))
            blocksPerPiece = (outputBlocks.divided(by: wanted) + 1) / 2 * 2
        } else {
            blocksPerPiece = outputBlocks
        }
        blockPieces = outputBlocks.divided(by: blocksPerPiece)
    }

    /// Planes and lines of a piece of about `lines` lines: some planes where that leaves enough lines, so that less of
    /// the source is copied twice.
    private static func cut(_ positions: Extent3, lines: Int) -> Extent3 {
        if lines >= 2 * positions.height {
            return Extent3(min(positions.depth, lines / positions.height), positions.height, positions.width)
        }
        if lines >= 8, positions.depth > 1 {
            let planes = min(positions.depth, lines >= 64 ? 4 : 2)
            return Extent3(planes, min(positions.height, lines / planes), positions.width)
        }
        return Extent3(1, min(positions.height, lines), positions.width)
    }

    func piece(_ index: Int) -> Piece {
        var rest = index
        let block = rest % blockPieces
        rest /= blockPieces
        let height = rest % heightPieces
        rest /= heightPieces
        let depth = rest % depthPieces
        let image = rest / depthPieces * imagesPerPiece
        return Piece(
            images: image..<min(images, image + imagesPerPiece),
            depth: depth * size.depth..<min(positions.depth, (depth + 1) * size.depth),
            height: height * size.height..<min(positions.height, (height + 1) * size.height),
            outputBlocks: block * blocksPerPiece..<min(outputBlocks, (block + 1) * blocksPerPiece))
    }
}

extension Int {
    /// The quotient, rounded up.
    func divided(by divisor: Int) -> Int { (self + divisor - 1) / divisor }
}
