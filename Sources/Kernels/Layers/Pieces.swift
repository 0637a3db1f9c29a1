/// How the work on a map is cut up: into pieces of about 64 KiB that depend on its shape only, so that sums of pieces
/// come out the same for any number of threads, and what one pass leaves in the cache is still there for the next.
struct Pieces {
    /// Successive positions of one block of channels of one image.
    struct Run {
        let image, block: Int
        let first, count: Int
        /// Which run of the map this is, 0 ..< runCount; runs of one block of one image are neighbours.
        let index: Int
    }

    /// 1024 vectors of 64 bytes.
    static let vectors = 1024
    /// Below this many vectors in all, starting threads costs more than they save.
    private static let worthThreads = 4096

    let shape: FeatureShape
    /// Runs of one block of one image.
    let runsPerBlock: Int

    init(_ shape: FeatureShape) {
        self.shape = shape
        runsPerBlock = (shape.positions + Self.vectors - 1) / Self.vectors
    }

    var runCount: Int { shape.batch * shape.blocks * runsPerBlock }

    /// Runs `body` for every run.
    func forEach(threads: Int, _ body: (Run) -> Void) {
        let positions = shape.positions
        // Small blocks share a piece.
        let together = max(1, Self.vectors / max(1, positions))
        let isSmall = shape.batch * shape.blocks * positions < Self.worthThreads
        Parallel.forRanges(runCount, piece: together, threads: isSmall ? 1 : threads) { runs in
            for index in runs {
                let (unit, part) = (index / runsPerBlock, index % runsPerBlock)
                let first = part * Self.vectors
                body(
                    Run(
                        image: unit / shape.blocks, block: unit % shape.blocks, first: first,
                        count: min(Self.vectors, positions - first), index: index))
            }
        }
    }

    /// Ones for the channels that a block has.
    func mask(_ block: Int) -> UnsafePointer<UInt32> {
        LaneMask.first(min(FeatureShape.lanes, shape.channels - block * FeatureShape.lanes))
    }

    /// Successive positions of all blocks of one image: what works across channels.
    struct Stretch {
        let image: Int
        let first, count: Int
        let index: Int
    }

    private var stretchLength: Int { max(64, Self.vectors / max(1, shape.blocks) / 64 * 64) }
    private var stretchesPerImage: Int { (shape.positions + stretchLength - 1) / stretchLength }
    var stretchCount: Int { shape.batch * stretchesPerImage }

    /// The image of a stretch.
    func image(ofStretch index: Int) -> Int { index / stretchesPerImage }

    func forEachStretch(threads: Int, _ body: (Stretch) -> Void) {
        let isSmall = shape.batch * shape.blocks * shape.positions < Self.worthThreads
        Parallel.forEach(stretchCount, threads: isSmall ? 1 : threads) { index in
            let first = index % stretchesPerImage * stretchLength
            body(
                Stretch(
                    image: index / stretchesPerImage, first: first, count: min(stretchLength, shape.positions - first),
                    index: index))
        }
    }
}

extension FeatureMap {
    /// First value of a run in this map.
    func start(_ run: Pieces.Run) -> UnsafeMutablePointer<Float> {
        block(run.block, image: run.image) + run.first * FeatureShape.lanes
    }

    /// First value of the first block of a stretch in this map.
    func start(_ stretch: Pieces.Stretch) -> UnsafeMutablePointer<Float> {
        block(0, image: stretch.image) + stretch.first * FeatureShape.lanes
    }
}

/// Bit masks over the sixteen lanes of a vector.
enum LaneMask {
    // Safe to share: written once, before anybody reads it, and never freed.
    nonisolated(unsafe) private static let table: UnsafePointer<UInt32> = {
        // Ones for lanes begin ..< end at (begin · 17 + end) · 16.
        let words = UnsafeMutablePointer<UInt32>.allocate(capacity: 17 * 17 * 16)
        for begin in 0...16 {
            for end in 0...16 {
                for lane in 0..<16 {
                    words[(begin * 17 + end) * 16 + lane] = lane >= begin && lane < end ? .max : 0
                }
            }
        }
        return UnsafePointer(words)
    }()

    /// Ones in lanes begin ..< end.
    static func lanes(_ begin: Int, _ end: Int) -> UnsafePointer<UInt32> { table + (begin * 17 + end) * 16 }

    /// Ones in the first `count` lanes.
    static func first(_ count: Int) -> UnsafePointer<UInt32> { lanes(0, count) }
}

extension Epilogue {
    /// As the hot loops know it.
    var code: Int {
        switch self {
        case .none: 0
        case .relu: 1
        case .leakyRelu: 2
        }
    }
}

/// Stops where a map has not the shape that it must have.
func check(_ map: FeatureMap, _ shape: FeatureShape, _ role: String) {
    precondition(map.shape == shape, "\(role) is \(map.shape), it must be \(shape)")
}
