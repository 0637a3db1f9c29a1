/// Products of row-major matrices.
package enum MatrixProduct {
    /// C = A·B, or C += A·B.
    ///
    /// - Parameters:
    ///   - rows, columns, inner: C is rows × columns, `inner` is the length of the sums.
    ///   - a: rows × inner, or inner × rows where `transposingA`.
    ///   - b: inner × columns, or columns × inner where `transposingB`.
    ///   - c: not the same memory as `a` or `b`.
    package static func multiply(
        rows: Int, columns: Int, inner: Int, _ a: UnsafePointer<Float>, transposingA: Bool = false,
        _ b: UnsafePointer<Float>, transposingB: Bool = false, to c: UnsafeMutablePointer<Float>,
        adding: Bool = false, threads: Int
    ) {
        let lanes = FeatureShape.lanes
        guard rows > 0, columns > 0 else { return }
        guard inner > 0 else {
            if !adding { c.update(repeating: 0, count: rows * columns) }
            return
        }
        let blocks = columns.divided(by: lanes)
        // Rows and blocks of a piece; a piece's part of B (inner · 64 columns) is used by all of its rows.
        let (pieceRows, pieceBlocks) = (64, 4)
        let (rowPieces, blockPieces) = (rows.divided(by: pieceRows), blocks.divided(by: pieceBlocks))
        let depth = 256
        Scratch.with((blocks * inner + blocks) * lanes) { packed in
            let zeros = packed + blocks * inner * lanes
            zeros.update(repeating: 0, count: blocks * lanes)
            Parallel.forEach(blocks, threads: threads) { block in
                let present = min(lanes, columns - block * lanes)
                for k in 0..<inner {
                    let target = packed + (block * inner + k) * lanes
                    for lane in 0..<present {
                        let column = block * lanes + lane
                        target[lane] = transposingB ? b[column * inner + k] : b[k * columns + column]
                    }
                    for lane in present..<lanes { target[lane] = 0 }
                }
            }
            let rowOffsets = (0..<min(rows, pieceRows)).map { $0 * (transposingA ? 1 : inner) }
            let targetOffsets = (0..<min(rows, pieceRows)).map { $0 * lanes }
            let steps = (0..<inner).map { $0 * (transposingA ? rows : 1) }
            Parallel.forEach(rowPieces * blockPieces, threads: threads) { piece in
                let (firstRow, firstBlock) = (piece / blockPieces * pieceRows, piece % blockPieces * pieceBlocks)
                let (rowCount, blockCount) = (min(pieceRows, rows - firstRow), min(pieceBlocks, blocks - firstBlock))
                // C's lines end anywhere; results pass through whole blocks.
                Scratch.with(pieceRows * pieceBlocks * lanes) { sums in
                    let source = a + firstRow * (transposingA ? 1 : inner)
                    for first in stride(from: 0, to: inner, by: depth) {
                        let count = min(depth, inner - first)
                        steps.withUnsafeBufferPointer { steps in
                            // A run of consecutive values of A is one step; of a transposed A every value is one.
                            multiplyRows(
                                source, rowOffsets, rowCount, steps.baseAddress! + first,
                                transposingA ? count : 1, transposingA ? 1 : count,
                                packed + (firstBlock * inner + first) * lanes, inner * lanes, blockCount, sums,
                                pieceRows * lanes, targetOffsets, first == 0 ? UnsafePointer(zeros) : nil, 1)
                        }
                    }
                    for row in 0..<rowCount {
                        for block in 0..<blockCount {
                            let column = (firstBlock + block) * lanes
                            let target = c + (firstRow + row) * columns + column
                            let from = sums + block * pieceRows * lanes + row * lanes
                            for lane in 0..<min(lanes, columns - column) {
                                target[lane] = adding ? target[lane] + from[lane] : from[lane]
                            }
                        }
                    }
                }
            }
        }
    }
}
