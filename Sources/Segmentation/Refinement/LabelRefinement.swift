import Kernels

/// Moves the borders of labels to where an image shows them.
///
/// Atlas labels come through a registration that is a voxel off here and there, and a mean over such a label mixes the
/// region with its surroundings. Where a region stands out in the image, as nuclei that hold iron do on a susceptibility
/// map, the image knows its border better. Where it does not, the label stays exactly as it was.
///
/// Labels and surroundings compete for the voxels at their borders, each by its own mean around the place, with the
/// smoothed label as prior; the priors relax towards what the neighbourhood came to be. No border moves by more than the
/// reach, inwards or outwards.
///
/// - Source: priors and their relaxation, Ledig et al., Medical Image Analysis 21 (2015) 40–58; local means, Lankton and
///   Tannenbaum, IEEE Trans Image Process 17 (2008) 2029–2039.
package enum LabelRefinement {
    package struct Options: Sendable, Equatable {
        /// Standard deviation, mm, of the smoothing that makes a prior of a label: how far a border is likely to be off.
        package var priorSigmaMillimetres = 1.0
        /// How far, mm, a border may move.
        package var reachMillimetres = 2.0
        /// Labels less separable than this are left alone; see `Separability`.
        package var minimalSeparability = 1.2
        /// Standard deviation, mm, of the window around a place in which means and variance are taken.
        package var localSigmaMillimetres = 3.0
        /// Weight, 0…1, of the neighbourhood's present labels in the prior.
        package var relaxation = 0.3
        package var iterations = 10

        package init() {}
    }

    /// What became of one label.
    package struct Region: Sendable, Equatable {
        package var label: UInt16
        /// Nil where there are too few voxels to say.
        package var separability: Double?
        package var isRefined: Bool
        package var voxelsBefore: Int
        package var voxelsAfter: Int
    }

    /// - Parameters:
    ///   - image: on the grid of `labels`, in any unit; voxels that are not finite keep their label.
    ///   - mask: voxels outside keep their label; nil for none.
    ///   - threads: how many threads to use; the result does not depend on it.
    /// - Returns: the labels, and one region per label in ascending order.
    /// - Throws: `GridError.mismatch`.
    package static func refine(
        _ labels: LabelMap, image: Volume, within mask: Mask? = nil, options: Options = Options(), threads: Int = 1
    ) throws -> (labels: LabelMap, regions: [Region]) {
        try requireSameGrid(image.grid, "the image", labels.grid, "the labels")
        if let mask { try requireSameGrid(mask.grid, "the mask", labels.grid, "the labels") }
        let labelled = Mask(grid: labels.grid, values: labels.values.map { $0 == 0 ? 0 : 1 })
        // What surrounds a label is described by what lies within the shell around its farthest new border.
        let around = options.reachMillimetres + Separability.shellMillimetres
        guard let box = labelled.boundingBox(marginMillimetres: around) else { return (labels, []) }

        let part = labels.copied(to: box)
        let values = image.copied(to: box)
        var usable = mask?.copied(to: box) ?? Mask(grid: box.grid, filledWith: 1)
        let distance = labelled.copied(to: box).squaredDistanceMillimetres(threads: threads)
        for index in usable.values.indices
        where !values.values[index].isFinite || distance.values[index] > Float(around * around) {
            usable.values[index] = 0
        }

        var before = [Int](repeating: 0, count: 1 << 16)
        for label in labels.values { before[Int(label)] += 1 }
        let present = (1..<before.count).filter { before[$0] > 0 }.map(UInt16.init)
        guard let overall = Separability.quartiles(of: values, where: usable), overall.deviation > 0 else {
            return (
                labels,
                present.map {
                    Region(
                        label: $0, isRefined: false, voxelsBefore: before[Int($0)], voxelsAfter: before[Int($0)])
                }
            )
        }
        let floor = overall.deviation * Separability.relativeFloor
        let separability = Parallel.map(present.count, threads: threads) { n in
            Separability.of(present[n], in: part, values, where: usable, floor: floor)
        }
        let refinable = present.indices.filter { (separability[$0] ?? 0) >= options.minimalSeparability }

        var result = labels
        if !refinable.isEmpty {
            var competition = RegionCompetition(
                part, values, where: usable, labels: refinable.map { present[$0] }, middle: Float(overall.median),
                deviationFloor: Float(floor), options: options, threads: threads)
            competition.run(threads: threads)
            competition.forEachVoxel { place, label in
                let (i, j, k) = (
                    place % box.grid.nx, place / box.grid.nx % box.grid.ny, place / (box.grid.nx * box.grid.ny)
                )
                result.values[labels.grid.index(box.lower.x + i, box.lower.y + j, box.lower.z + k)] = label
            }
        }
        var after = [Int](repeating: 0, count: 1 << 16)
        for label in result.values { after[Int(label)] += 1 }
        let regions = present.indices.map { n in
            Region(
                label: present[n], separability: separability[n], isRefined: refinable.contains(n),
                voxelsBefore: before[Int(present[n])], voxelsAfter: after[Int(present[n])])
        }
        return (result, regions)
    }
}
