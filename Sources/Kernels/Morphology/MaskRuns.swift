/// The runs of voxels inside a mask, line by line along i, in the order of memory.
struct MaskRuns {
    /// First voxel of each run, and the one after its last, along its line.
    private(set) var starts: [Int32] = []
    private(set) var ends: [Int32] = []
    /// First run of every line, and at the end the number of runs.
    private var firstOfLine: [Int32]

    init(_ mask: Mask) {
        let (nx, lines) = (mask.grid.nx, mask.grid.ny * mask.grid.nz)
        firstOfLine = []
        firstOfLine.reserveCapacity(lines + 1)
        mask.values.withUnsafeBufferPointer { values in
            for line in 0..<lines {
                firstOfLine.append(Int32(starts.count))
                let row = UnsafeRawPointer(values.baseAddress! + line * nx)
                var i = 0
                while i < nx {
                    i = Self.next(from: i, to: nx, row, inside: true)
                    if i == nx { break }
                    starts.append(Int32(i))
                    i = Self.next(from: i, to: nx, row, inside: false)
                    ends.append(Int32(i))
                }
            }
        }
        firstOfLine.append(Int32(starts.count))
    }

    func ofLine(_ line: Int) -> Range<Int> { Int(firstOfLine[line])..<Int(firstOfLine[line + 1]) }

    /// The next voxel that is inside, or outside; eight voxels at a time are passed over where none is.
    private static func next(from start: Int, to end: Int, _ row: UnsafeRawPointer, inside: Bool) -> Int {
        var i = start
        while i < end {
            if i + 8 <= end {
                let word = row.loadUnaligned(fromByteOffset: i, as: UInt64.self)
                // Has no byte that is not zero; or none that is (the usual trick with borrows).
                let passes = inside ? word == 0 : (word &- 0x0101_0101_0101_0101) & ~word & 0x8080_8080_8080_8080 == 0
                if passes {
                    i += 8
                    continue
                }
            }
            if (row.load(fromByteOffset: i, as: UInt8.self) != 0) == inside { return i }
            i += 1
        }
        return end
    }
}
