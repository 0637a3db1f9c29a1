import Kernels

/// Flooding from markers, brightest first: every voxel goes to the marker it can be reached from along the brightest path,
/// a path counting as its darkest voxel. Regions therefore meet in dark valleys, and a bridge between two regions does
/// no harm as long as it is darker than what ties each region to its own marker.
enum Watershed {
    /// - Parameters:
    ///   - levels: brightness of each voxel.
    ///   - markers: 0 where undecided; other values spread.
    /// - Returns: a marker value for every voxel that has a path to a marker. Of equally bright paths the shorter wins.
    static func flood(_ levels: [UInt8], markers: [UInt8], grid: VoxelGrid) -> [UInt8] {
        let (nx, ny, nz) = (grid.nx, grid.ny, grid.nz)
        var labels = markers
        // One queue per brightness, worked off first in, first out.
        var queues = [[Int32]](repeating: [], count: 256)
        var heads = [Int](repeating: 0, count: 256)
        for index in markers.indices where markers[index] != 0 { queues[Int(levels[index])].append(Int32(index)) }
        var level = 255
        while level >= 0 {
            guard heads[level] < queues[level].count else {
                queues[level] = []
                heads[level] = 0
                level -= 1
                continue
            }
            let index = Int(queues[level][heads[level]])
            heads[level] += 1
            let label = labels[index]
            let (i, rest) = (index % nx, index / nx)
            let (j, k) = (rest % ny, rest / ny)
            func visit(_ neighbour: Int) {
                guard labels[neighbour] == 0 else { return }
                labels[neighbour] = label
                // A brighter voxel behind a dark one is reached at the dark one's level.
                queues[min(level, Int(levels[neighbour]))].append(Int32(neighbour))
            }
            if i > 0 { visit(index - 1) }
            if i < nx - 1 { visit(index + 1) }
            if j > 0 { visit(index - nx) }
            if j < ny - 1 { visit(index + nx) }
            if k > 0 { visit(index - nx * ny) }
            if k < nz - 1 { visit(index + nx * ny) }
        }
        return labels
    }
}
