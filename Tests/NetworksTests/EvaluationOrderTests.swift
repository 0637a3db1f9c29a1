import Kernels
import TestSupport
import Testing

@testable import Networks

/// What a network is judged by: every sample once.
struct EvaluationOrderTests {
    private static func volumes() throws -> VolumesInMemory {
        let grid = VoxelGrid(nx: 5, ny: 5, nz: 5, affine: .identity)
        var labels = LabelMap(grid: grid)
        for n in 0..<40 { labels.values[n] = n % 2 == 0 ? 1 : 2 }
        let image = Volume(grid: grid, values: (0..<grid.count).map { Float($0) })
        return VolumesInMemory([
            try TrainingVolume(name: "v", channels: [image], normalisation: [.none], labels: labels, classes: 3)
        ])
    }

    @Test(arguments: [1, 2, 3, 4, 5, 7])
    func everyTargetComesExactlyOnce(batch: Int) throws {
        let samples = (0..<5).map { TargetedPatch(volume: 0, target: $0 == 0 ? 1 : 0, features: [Float($0)]) }
        var options = TargetedOptions(patch: Extent3(3, 3, 3), batch: batch)
        options.minimumPositives = batch > 1 ? 1 : 0
        let data = try TargetedBatches(
            Self.volumes(), samples: samples, channels: 1, options: options, seed: 1, isEvaluation: true)
        let batches = try (0..<data.batchesPerEpoch).map { try data.batch(epoch: 0, index: $0) }
        #expect(batches.flatMap { $0.inputs[1].values } == [0, 1, 2, 3, 4])
        #expect(batches.map { $0.inputs[0].shape[0] }.reduce(0, +) == 5)
        #expect(batches.dropLast().allSatisfy { $0.inputs[0].shape[0] == batch })
    }

    @Test func everySliceComesExactlyOnce() throws {
        let volumes = try Self.volumes()
        let index = try SliceIndex(volumes, emptyChannel: nil)
        var options = SliceOptions(height: 5, width: 5, batch: 3)
        options.foregroundFraction = 0.5
        let data = try SliceBatches(volumes, index: index, channels: 1, options: options, seed: 1, isEvaluation: true)
        let batches = try (0..<data.batchesPerEpoch).map { try data.batch(epoch: 0, index: $0) }
        #expect(batches.map { $0.inputs[0].shape[0] } == [3, 2])
        #expect(Set(batches.flatMap { $0.inputs[0].values }).count == 125)
    }

    @Test func asManyPatchesAsWereAskedFor() throws {
        let volumes = try Self.volumes()
        let index = try ForegroundIndex(volumes, classes: 3, seed: 1)
        let options = PatchOptions(patch: Extent3(3, 3, 3), batch: 4, samplesPerEpoch: 5)
        func sizes(_ isEvaluation: Bool) throws -> [Int] {
            let data = try PatchBatches(
                volumes, index: index, channels: 1, options: options, seed: 1, isEvaluation: isEvaluation)
            return try (0..<data.batchesPerEpoch).map { try data.batch(epoch: 0, index: $0).inputs[0].shape[0] }
        }
        #expect(try sizes(true) == [4, 1])
        #expect(try sizes(false) == [4, 4])
    }

    /// One channel for every class but the background, 0 and 1 in each.
    @Test func labelsAsValues() throws {
        let volumes = try Self.volumes()
        let index = try ForegroundIndex(volumes, classes: 3, seed: 1)
        var options = PatchOptions(patch: Extent3(5, 5, 5), batch: 2, samplesPerEpoch: 2)
        let classes = try PatchBatches(volumes, index: index, channels: 1, options: options, seed: 1)
        options.targets = .values
        let values = try PatchBatches(volumes, index: index, channels: 1, options: options, seed: 1)
        guard case .classes(let labels) = try classes.batch(epoch: 0, index: 0).targets[0],
            case .values(let tensor) = try values.batch(epoch: 0, index: 0).targets[0]
        else { return #expect(Bool(false)) }
        #expect(tensor.shape == [2, 2, 5, 5, 5])
        #expect(labels.contains(1) && labels.contains(2))
        for image in 0..<2 {
            for channel in 0..<2 {
                for n in 0..<125 {
                    let expected: Float = Int(labels[image * 125 + n]) == channel + 1 ? 1 : 0
                    #expect(tensor.values[(image * 2 + channel) * 125 + n] == expected)
                }
            }
        }
        var slices = SliceOptions(height: 5, width: 5, batch: 1)
        slices.targets = .values
        let sliceIndex = try SliceIndex(volumes, emptyChannel: nil)
        #expect(throws: TrainingDataError.label(volume: "v", label: 2, classes: 2)) {
            try SliceBatches(volumes, index: sliceIndex, channels: 1, options: slices, seed: 1, classes: 2)
        }
        var turned = DEEPMIRAugmentation()
        turned.largestShiftVoxels = 0
        slices.shapes = .deepmir(turned)
        #expect(throws: TrainingDataError.settings("slices are shifted by up to 0 voxels; give 1 to 16384")) {
            try SliceBatches(volumes, index: sliceIndex, channels: 1, options: slices, seed: 1, classes: 3)
        }
    }

    /// Beyond a volume a network is asked about lies what lay there in training.
    @Test func patchesBeyondTheVolumeAreAsInTraining() throws {
        let grid = VoxelGrid(nx: 3, ny: 3, nz: 3, affine: .identity)
        let image = Volume(grid: grid, values: (0..<27).map { Float($0) })
        let volume = try TrainingVolume(
            name: "v", channels: [image], normalisation: [.clip(lower: -10, upper: 10, low: 0, high: 1)])
        #expect(volume.background == [0.5])
        var options = TargetedOptions(patch: Extent3(5, 5, 5), batch: 1)
        for (beyond, expected) in [(SpatialAugmentation.Beyond.background, Float(0.5)), (.zero, 0)] {
            options.spatial.beyond = beyond
            let data = try TargetedBatches(
                VolumesInMemory([volume]), samples: [TargetedPatch(volume: 0, target: 1)], channels: 1,
                options: options,
                seed: 1)
            let trained = try data.batch(epoch: 0, index: 0).inputs[0].values
            let asked = volume.patch(Extent3(5, 5, 5), centre: SIMD3(1, 1, 1), as: options.spatial).values
            #expect(asked == trained)
            #expect(asked[0] == expected)
        }
    }

    /// Lattice points of a displacement lie as many millimetres apart along thick slices as within them.
    @Test func elasticLatticesAreMeasuredInMillimetres() throws {
        var spatial = SpatialAugmentation()
        spatial.elastic = .init(probability: 1, latticeMillimetres: 6, displacementMillimetres: 1...1)
        let draw = spatial.draw(
            size: Extent3(9, 49, 49), centre: SIMD3(24, 24, 4), spacingMillimetres: SIMD3(0.5, 0.5, 3),
            random: Philox(seed: 1), epoch: 0, sample: 0)
        // 24 mm in both cases: 48 voxels of 0.5 mm, 8 of 3 mm.
        #expect(try #require(draw.map.displacement).k.nodes == Extent3(8, 8, 8))
    }

    @Test func nothingScalesAChannelThatIsMeasured() {
        var changes = IntensityAugmentation()
        changes.gain = .init(1, 2...2)
        changes.gamma = .init(1, 2...2)
        changes.offset = .init(1, 1...1)
        changes.biasField = .init(probability: 1, latticeVoxels: 2, logarithm: 1...1)
        changes.scaledChannels = [1]
        var noisy = changes
        noisy.noise = .init(1, 1...1)
        let size = Extent3(3, 3, 3)
        func changed(_ augmentation: IntensityAugmentation, channel: Int) -> [Float] {
            var values = (0..<27).map { Float($0) }
            values.withUnsafeMutableBufferPointer {
                augmentation.apply(
                    to: $0.baseAddress!, size: size, channel: channel, random: Philox(seed: 1), epoch: 0, sample: 0)
            }
            return values
        }
        #expect(changed(changes, channel: 0) == (0..<27).map { Float($0) })
        #expect(changed(changes, channel: 1) != (0..<27).map { Float($0) })
        #expect(changed(noisy, channel: 0) != (0..<27).map { Float($0) })
    }
}
