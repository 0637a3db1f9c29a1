import Kernels

/// What is known of a region beside its voxels: that it is one piece, that it has no holes, that it is not tiny.
struct RegionTidying {
    /// Of every class the largest piece stays, the first of equals.
    var keepsLargestOnly = false
    /// Background that a class encloses becomes that class; what another class has inside it stays.
    var fillsHoles = false
    /// Pieces with fewer voxels become background.
    var smallestVoxels = 0.0

    /// Pieces touch by faces, edges or corners; a hole is closed where it has no way out through shared faces.
    ///
    /// - Parameter classes: labels run from 0 to below.
    func apply(to labels: inout LabelMap, classes: Int) {
        guard keepsLargestOnly || fillsHoles || smallestVoxels > 1 else { return }
        for label in 1..<max(1, classes) {
            let whole = Mask(grid: labels.grid, values: labels.values.map { $0 == label ? 1 : 0 })
            guard let box = whole.boundingBox() else { continue }
            var region = whole.copied(to: box)
            if keepsLargestOnly { region = region.largestComponent() }
            if fillsHoles { region = region.holesFilled() }
            if smallestVoxels > 1 {
                let pieces = region.components()
                region = pieces.mask { Double(pieces.sizes[$0 - 1]) >= smallestVoxels }
            }
            put(region, of: label, in: box, into: &labels)
        }
    }

    private func put(_ region: Mask, of label: Int, in box: VoxelBox, into labels: inout LabelMap) {
        let (size, lower) = (box.grid, box.lower)
        for k in 0..<size.nz {
            for j in 0..<size.ny {
                for i in 0..<size.nx {
                    let place = labels.grid.index(lower.x + i, lower.y + j, lower.z + k)
                    let isInside = region.values[size.index(i, j, k)] != 0
                    if labels.values[place] == label {
                        if !isInside { labels.values[place] = 0 }
                    } else if isInside, labels.values[place] == 0 {
                        labels.values[place] = UInt16(label)
                    }
                }
            }
        }
    }
}
