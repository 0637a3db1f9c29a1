import Kernels
import NIfTI
import Segmentation
import Workflow

/// How sure a network was of its lesions: one map for all classes, or one per label number.
struct LesionProbabilities: Sendable {
    /// One volume, or the volume of every label number, background first.
    private let volumes: [Volume]
    private let labels: [String: UInt16]
    /// Of classes that several labels stand for: the largest of theirs.
    private let largest: [String: Volume]

    /// - Parameters:
    ///   - item: a 3-D map of the probability of being a lesion, or a 4-D one whose volume n is that of label n.
    ///   - table: which label is which class, for a 4-D map.
    ///   - grid: of the lesions, where the map has to be.
    ///   - name: how to call what has that grid.
    ///   - isResampled: bring the map there, each voxel from the nearest one, as labels are.
    init(
        _ item: TaskRequest.StagedInput, table: RegionTable?, on grid: VoxelGrid, of name: String,
        isResampled: Bool = false
    ) throws {
        let frames = try NIfTIFile.readHeader(item.path).frames
        volumes = try (0..<frames).map { frame in
            let volume = try NIfTIFile.readVolume(item.path, frame: frame)
            return isResampled ? try volume.resampledNearest(to: grid) : volume
        }
        try requireSameGrid(grid, name, volumes[0].grid, item.input.name)
        for volume in volumes {
            guard volume.values.allSatisfy({ !$0.isFinite || (-0.001...1.001).contains($0) }) else {
                throw TaskResult.Failure.permanent(
                    "\(item.input.name) holds values outside 0 to 1, so they are no probabilities; bind the map of probabilities"
                )
            }
        }
        guard frames == 1 || table != nil else {
            throw TaskResult.Failure.permanent(
                "\(item.input.name) has \(frames) volumes, one per label; bind the table that names the labels as well")
        }
        labels = Dictionary((table?.regions ?? []).map { ($0.name, $0.index) }) { first, _ in first }
        if frames > 1, let beyond = table?.regions.first(where: { Int($0.index) >= frames }) {
            throw TaskResult.Failure.permanent(
                "\(item.input.name) has \(frames) volumes, one per label from 0 on, but none for label \(beyond.index) "
                    + "(\(beyond.name)); bind the probabilities of the same network")
        }
        guard frames > 1 else {
            largest = [:]
            return
        }
        let (volumes, classes) = (volumes, Dictionary(grouping: table?.regions ?? [], by: \.name))
        largest = classes.filter { $0.value.count > 1 }.mapValues { regions in
            var whole = volumes[Int(regions[0].index)]
            for region in regions.dropFirst() {
                let other = volumes[Int(region.index)].values
                for n in other.indices where other[n] > whole.values[n] || !whole.values[n].isFinite {
                    whole.values[n] = other[n]
                }
            }
            return whole
        }
    }

    /// The map that holds a class; nil where a map of several volumes has none for it.
    func volume(of className: String) -> Volume? {
        volumes.count == 1 ? volumes[0] : largest[className] ?? labels[className].map { volumes[Int($0)] }
    }
}
