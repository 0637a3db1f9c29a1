import Kernels

/// What is known of a region beside its voxels: that it is one piece, that it is not tiny, that it has no holes.
struct RegionTidying {
    /// Of every class the largest piece stays, the first of equals.
    var keepsLargestOnly = false
    /// Background that a class encloses becomes that class; what another class has inside it stays.
    var fillsHoles = false
    /// Pieces with fewer voxels become background.
    var smallestVoxels = 0.0

    /// Pieces touch by faces, edges or corners; a hole is closed where it has no way out through shared faces.
    ///
    /// Holes are filled when all that goes is gone, each by the innermost class around it, so that the numbers of the classes
    /// decide nothing.
    ///
    /// - Parameter classes: labels run from 0 to below.
    func apply(to labels: inout LabelMap, classes: Int) {
        let all = 1..<UInt16(max(1, classes))
        if keepsLargestOnly || smallestVoxels > 1 {
            for label in all {
                guard let (region, box) = Self.region(label, of: labels) else { continue }
                var kept = keepsLargestOnly ? region.largestComponent() : region
                if smallestVoxels > 1 {
                    let pieces = kept.components()
                    kept = pieces.mask { Double(pieces.sizes[$0 - 1]) >= smallestVoxels }
                }
                Self.change(&labels, in: box) { place, value in
                    if value == label, kept.values[place] == 0 { value = 0 }
                }
            }
        }
        guard fillsHoles else { return }
        let filled = all.compactMap { label -> (label: UInt16, region: Mask, box: VoxelBox)? in
            Self.region(label, of: labels).map { (label, $0.region.holesFilled(), $0.box) }
        }
        // Of two around a hole the inner one reaches over less.
        for (label, region, box) in filled.sorted(by: { ($0.region.voxels, $0.label) < ($1.region.voxels, $1.label) }) {
            Self.change(&labels, in: box) { place, value in
                if value == 0, region.values[place] != 0 { value = label }
            }
        }
    }

    /// The voxels of a class in the box that holds them.
    private static func region(_ label: UInt16, of labels: LabelMap) -> (region: Mask, box: VoxelBox)? {
        let whole = Mask(grid: labels.grid, values: labels.values.map { $0 == label ? 1 : 0 })
        return whole.boundingBox().map { (whole.copied(to: $0), $0) }
    }

    /// - Parameter body: a place of the box and the label there.
    private static func change(_ labels: inout LabelMap, in box: VoxelBox, _ body: (Int, inout UInt16) -> Void) {
        let (size, lower) = (box.grid, box.lower)
        for k in 0..<size.nz {
            for j in 0..<size.ny {
                let row = labels.grid.index(lower.x, lower.y + j, lower.z + k)
                for i in 0..<size.nx { body(size.index(i, j, k), &labels.values[row + i]) }
            }
        }
    }
}
