import Kernels

/// For every class, which volumes have voxels of it, and a bounded random choice of these voxels.
package struct ForegroundIndex: Sendable {
    /// Voxels of one class in one volume.
    struct Entry: Sendable {
        let volume: Int
        /// Flat indices, in ascending order.
        let voxels: [UInt32]
    }

    /// Per class, volumes in ascending order; class 0 (background) has none.
    let entries: [[Entry]]
    /// Voxels per class over all volumes.
    package let counts: [Int]

    /// Reads every volume once.
    ///
    /// - Parameters:
    ///   - classes: labels run from 0 to below.
    ///   - maximumPerVolume: voxels kept per class and volume; of more, a random choice.
    /// - Throws: `TrainingDataError.labelsMissing` and `.label`, or what the source throws.
    package init(_ volumes: any VolumeSource, classes: Int, maximumPerVolume: Int = 10_000, seed: UInt64) throws {
        let random = Philox(seed: seed)
        var entries = [[Entry]](repeating: [], count: classes)
        var counts = [Int](repeating: 0, count: classes)
        for index in 0..<volumes.count {
            let volume = try volumes.volume(index)
            guard !volume.labels.isEmpty else { throw TrainingDataError.labelsMissing(volume: volume.name) }
            guard volume.size.product <= Int(UInt32.max) else {
                throw TrainingDataError.settings("\(volume.name) has more voxels than can be indexed")
            }
            var stream = RandomPurpose.foregroundIndex.stream(random, epoch: 0, sample: index)
            var kept = [[UInt32]](repeating: [], count: classes)
            var seen = [Int](repeating: 0, count: classes)
            for (voxel, label) in volume.labels.enumerated() {
                let label = Int(label)
                guard label < classes else {
                    throw TrainingDataError.label(volume: volume.name, label: label, classes: classes)
                }
                seen[label] += 1
                if label == 0 { continue }
                // Reservoir sampling: each voxel ends up kept with equal probability.
                if kept[label].count < maximumPerVolume {
                    kept[label].append(UInt32(voxel))
                } else {
                    let place = stream.index(below: seen[label])
                    if place < maximumPerVolume { kept[label][place] = UInt32(voxel) }
                }
            }
            for label in 0..<classes {
                counts[label] += seen[label]
                if !kept[label].isEmpty { entries[label].append(Entry(volume: index, voxels: kept[label].sorted())) }
            }
        }
        (self.entries, self.counts) = (entries, counts)
    }
}
