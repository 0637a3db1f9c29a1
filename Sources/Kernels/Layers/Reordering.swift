/// Between volumes and batches of their slices.
package enum Reordering {
    /// Shape of the slices (batch·depth, channels, 1, height, width) of volumes (batch, channels, depth, height, width).
    package static func slices(of volumes: FeatureShape) -> FeatureShape {
        FeatureShape(
            batch: volumes.batch * volumes.size.depth, channels: volumes.channels,
            size: Extent3(1, volumes.size.height, volumes.size.width))
    }

    /// Slices of volumes as images of a batch, those of one volume in succession.
    package static func volumesToSlices(_ volumes: FeatureMap, to slices: FeatureMap, threads: Int) {
        move(volumes, slices, intoSlices: true, threads)
    }

    /// The way back; also the gradient of the other.
    package static func slicesToVolumes(_ slices: FeatureMap, to volumes: FeatureMap, threads: Int) {
        move(volumes, slices, intoSlices: false, threads)
    }

    private static func move(_ volumes: FeatureMap, _ slices: FeatureMap, intoSlices: Bool, _ threads: Int) {
        check(slices, Self.slices(of: volumes.shape), "A batch of slices")
        let (depth, blocks) = (volumes.shape.size.depth, volumes.shape.blocks)
        let area = slices.shape.positions
        Parallel.forRanges(slices.shape.batch * blocks, piece: max(1, Pieces.vectors / area), threads: threads) {
            for unit in $0 {
                let (slice, block) = (unit / blocks, unit % blocks)
                let inSlices = slices.block(block, image: slice)
                let inVolume = volumes.block(block, image: slice / depth) + slice % depth * area * 16
                if intoSlices {
                    inSlices.update(from: inVolume, count: area * 16)
                } else {
                    inVolume.update(from: inSlices, count: area * 16)
                }
            }
        }
    }

    /// Vectors of images, (batch·times, channels, 1, 1, 1), as sequences (batch, channels, 1, 1, times).
    package static func vectorsToSequences(_ vectors: FeatureMap, to sequences: FeatureMap, threads: Int) {
        move(sequences, vectors, intoVectors: false, threads)
    }

    /// The way back; also the gradient of the other.
    package static func sequencesToVectors(_ sequences: FeatureMap, to vectors: FeatureMap, threads: Int) {
        move(sequences, vectors, intoVectors: true, threads)
    }

    private static func move(_ sequences: FeatureMap, _ vectors: FeatureMap, intoVectors: Bool, _ threads: Int) {
        let shape = sequences.shape
        let times = shape.size.width
        precondition(shape.positions == times, "Sequences of \(shape) have more than one row")
        check(
            vectors, FeatureShape(batch: shape.batch * times, channels: shape.channels, size: .one),
            "The vectors of sequences")
        Parallel.forRanges(shape.batch * times, piece: max(1, Pieces.vectors / shape.blocks), threads: threads) {
            for row in $0 {
                for block in 0..<shape.blocks {
                    let vector = vectors.block(block, image: row)
                    let element = sequences.block(block, image: row / times) + row % times * 16
                    if intoVectors {
                        vector.update(from: element, count: 16)
                    } else {
                        element.update(from: vector, count: 16)
                    }
                }
            }
        }
    }
}
