import Kernels
import Synchronization
import TestSupport
import Testing

@testable import Networks

/// A volume whose second channel is the label itself, so that image and labels can be held against each other.
private func volume(
    _ name: String, _ size: Extent3, seed: UInt64, spacing: SIMD3<Double> = SIMD3(1, 1, 1),
    label: (Int, Int, Int) -> UInt16
) throws -> TrainingVolume {
    let grid = VoxelGrid(nx: size.width, ny: size.height, nz: size.depth, affine: .scaling(spacing))
    var random = SeededGenerator(seed: seed)
    var labels = LabelMap(grid: grid)
    for k in 0..<size.depth {
        for j in 0..<size.height {
            for i in 0..<size.width { labels.values[grid.index(i, j, k)] = label(i, j, k) }
        }
    }
    let noise = Volume(grid: grid, values: (0..<grid.count).map { _ in Float(random.uniform()) })
    let copy = Volume(grid: grid, values: labels.values.map { Float($0) })
    return try TrainingVolume(name: name, channels: [noise, copy], normalisation: [.none, .none], labels: labels)
}

extension Batch {
    fileprivate var images: [Float] { inputs[0].values }
    fileprivate var labels: [UInt8] {
        if case .classes(let labels) = targets[0] { labels } else { [] }
    }
    fileprivate var values: [Float] {
        if case .values(let tensor) = targets[0] { tensor.values } else { [] }
    }
}

private func blocks(_ i: Int, _ j: Int, _ k: Int) -> UInt16 {
    if (4..<10).contains(i), (4..<10).contains(j), (3..<9).contains(k) { return 1 }
    if (12..<18).contains(i), (5..<11).contains(j), (3..<9).contains(k) { return 2 }
    return 0
}

private func twoVolumes() throws -> VolumesInMemory {
    VolumesInMemory([
        try volume("a", Extent3(12, 16, 24), seed: 1, label: blocks),
        try volume("b", Extent3(10, 14, 20), seed: 2) { i, j, k in blocks(i, j, k) == 1 ? 1 : 0 },
    ])
}

private func lively(patch: Extent3, batch: Int = 4) -> PatchOptions {
    var options = PatchOptions(patch: patch, batch: batch, samplesPerEpoch: 40)
    options.spatial = .standard(isFlat: patch.depth == 1)
    options.spatial.rotationProbability = 0.7
    options.spatial.elastic = .init(probability: 0.5, latticeMillimetres: 6, displacementMillimetres: 0...0.7)
    options.intensity = .standard
    options.intensity.channels = [0]
    return options
}

@Suite("Training data")
struct TrainingDataTests {
    @Test("a patch without changes is a copy of its place")
    func copies() throws {
        let volumes = try twoVolumes()
        let index = try ForegroundIndex(volumes, classes: 3, seed: 1)
        var options = PatchOptions(patch: Extent3(4, 5, 6), batch: 3, samplesPerEpoch: 30)
        options.foregroundFraction = 0.5
        let batches = try PatchBatches(volumes, index: index, channels: 2, options: options, seed: 3)
        for number in 0..<batches.batchesPerEpoch {
            let batch = try batches.batch(epoch: 1, index: number)
            #expect(batch.inputs[0].shape == [3, 2, 4, 5, 6])
            for image in 0..<3 {
                let sample = number * 3 + image
                let choice = batches.choice(epoch: 1, sample: sample)
                let from = volumes.volume(choice.volume)
                let centre = batches.centre(of: choice, volume: from.size, epoch: 1, sample: sample)
                let (i0, j0, k0) = (Int(centre.x - 2.5), Int(centre.y - 2), Int(centre.z - 1.5))
                #expect(i0 >= 0 && j0 >= 0 && k0 >= 0)
                for n in 0..<120 {
                    let (x, y, z) = (n % 6, n / 6 % 5, n / 30)
                    let at = ((k0 + z) * from.size.height + j0 + y) * from.size.width + i0 + x
                    #expect(batch.images[image * 240 + n] == from.channels[0][at])
                    #expect(batch.images[image * 240 + 120 + n] == from.channels[1][at])
                    #expect(batch.labels[image * 120 + n] == from.labels[at])
                }
                if let voxel = choice.voxel { #expect(from.labels[voxel] == choice.label) }
            }
        }
    }

    @Test("images and labels stay together under every change of shape")
    func together() throws {
        let volumes = try twoVolumes()
        let index = try ForegroundIndex(volumes, classes: 3, seed: 1)
        var options = lively(patch: Extent3(10, 12, 14))
        options.foregroundFraction = 1
        let batches = try PatchBatches(volumes, index: index, channels: 2, options: options, seed: 4)
        var (certain, wrong, foreground) = (0, 0, 0)
        for number in 0..<batches.batchesPerEpoch {
            let batch = try batches.batch(epoch: 0, index: number)
            let (images, labels, positions) = (batch.images, batch.labels, 10 * 12 * 14)
            for image in 0..<4 {
                for n in 0..<positions {
                    let shown = images[(2 * image + 1) * positions + n]
                    let label = labels[image * positions + n]
                    // Where the interpolated label is the smallest or the largest, all voxels around have it.
                    if shown < 1e-3 || shown > 1.999 {
                        certain += 1
                        if Int(shown.rounded()) != Int(label) { wrong += 1 }
                        if label != 0 { foreground += 1 }
                    }
                }
            }
        }
        #expect(certain > 30_000)
        #expect(foreground > 2_000)
        #expect(wrong == 0)
    }

    @Test("the same bits for any number of threads, in any order, in another process's place")
    func deterministic() throws {
        let volumes = try twoVolumes()
        let index = try ForegroundIndex(volumes, classes: 3, seed: 1)
        for size in [1, 4] {
            let options = lively(patch: Extent3(8, 9, 10), batch: size)
            let one = try PatchBatches(volumes, index: index, channels: 2, options: options, seed: 5)
            let three = try PatchBatches(volumes, index: index, channels: 2, options: options, seed: 5, threads: 3)
            let first = try one.batch(epoch: 7, index: 3)
            #expect(try three.batch(epoch: 2, index: 1).inputs != first.inputs)
            let again = try three.batch(epoch: 7, index: 3)
            #expect(first.inputs == again.inputs)
            #expect(first.targets == again.targets)
        }
    }

    @Test("the share of patches on foreground and the weights of classes are kept to")
    func balance() throws {
        let volumes = try twoVolumes()
        let index = try ForegroundIndex(volumes, classes: 4, maximumPerVolume: 50, seed: 1)
        #expect(index.counts == [12 * 16 * 24 + 10 * 14 * 20 - 216 * 3, 432, 216, 0])
        #expect(index.entries.map(\.count) == [0, 2, 1, 0])
        #expect(index.entries.joined().allSatisfy { $0.voxels.count == 50 })
        // Kept from all over the class, whose slices are 3 to 8.
        let slices = index.entries[1][0].voxels.map { Double($0 / (16 * 24)) }
        #expect(abs(slices.reduce(0, +) / 50 - 5.5) < 0.8)
        var options = PatchOptions(patch: Extent3(4, 4, 4), batch: 4, samplesPerEpoch: 2000)
        options.foregroundFraction = 0.3
        options.classWeights = [0, 1, 3, 5]
        let batches = try PatchBatches(volumes, index: index, channels: 2, options: options, seed: 6)
        let choices = (0..<2000).map { batches.choice(epoch: 0, sample: $0) }
        #expect(choices.filter { $0.voxel != nil }.count == 600)
        let second = choices.filter { $0.label == 2 }.count
        #expect((410...490).contains(second), "three quarters of 600 are of class 2, not \(second)")
        #expect(choices.filter { $0.label == 3 }.isEmpty)
        let random = choices.filter { $0.voxel == nil }
        #expect(abs(random.filter { $0.volume == 0 }.count - 700) <= 40)
        #expect(Set(choices.compactMap(\.voxel)).count > 100)
    }

    @Test("left and right change names when a patch is mirrored")
    func lateral() throws {
        let volumes = try twoVolumes()
        let index = try ForegroundIndex(volumes, classes: 3, seed: 1)
        var options = PatchOptions(patch: Extent3(12, 16, 24), batch: 1, samplesPerEpoch: 40)
        options.foregroundFraction = 1
        options.classWeights = [0, 0, 1]
        options.spatial.flips = [.width]
        options.spatial.lateralPairs = [LateralPair(1, 2)]
        let batches = try PatchBatches(volumes, index: index, channels: 2, options: options, seed: 7)
        var mirrored = 0
        for number in 0..<40 {
            let batch = try batches.batch(epoch: 0, index: number)
            let (shown, labels) = (Array(batch.images.suffix(12 * 16 * 24)), batch.labels)
            // Channel 1 is the label before it was renamed.
            let isMirrored = shown[(5 * 16 + 7) * 24 + 6] == 2
            if isMirrored { mirrored += 1 }
            for n in 0..<labels.count {
                let label = Int(shown[n])
                #expect(Int(labels[n]) == (isMirrored ? [0, 2, 1][label] : label))
            }
        }
        #expect((10...30).contains(mirrored))
    }

    @Test("volumes smaller than the patch lie in its middle")
    func padding() throws {
        let small = VolumesInMemory([try volume("s", Extent3(2, 3, 4), seed: 9) { _, _, _ in 1 }])
        let index = try ForegroundIndex(small, classes: 2, seed: 1)
        var options = PatchOptions(patch: Extent3(5, 5, 5), batch: 1, samplesPerEpoch: 1)
        options.foregroundFraction = 1
        options.labelBeyond = 255
        let batches = try PatchBatches(small, index: index, channels: 2, options: options, seed: 8)
        let batch = try batches.batch(epoch: 0, index: 0)
        for n in 0..<125 {
            let (x, y, z) = (n % 5, n / 5 % 5, n / 25)
            let inside = (0..<4).contains(x) && (1..<4).contains(y) && (1..<3).contains(z)
            #expect(batch.labels[n] == (inside ? 1 : 255))
            #expect(batch.images[125 + n] == (inside ? 1 : 0))
        }
    }

    @Test("what cannot be trained on is refused by name")
    func refused() throws {
        let grid = VoxelGrid(nx: 2, ny: 2, nz: 1, affine: .identity)
        let other = VoxelGrid(nx: 2, ny: 2, nz: 1, affine: .scaling(SIMD3(2, 2, 2)))
        let image = Volume(grid: grid, values: [1, 2, 3, 4])
        #expect(throws: TrainingDataError.notFinite(volume: "x", channel: 0, voxels: 2)) {
            try TrainingVolume(
                name: "x", channels: [Volume(grid: grid, values: [1, .nan, 3, .infinity])], normalisation: [.none])
        }
        #expect(throws: TrainingDataError.label(volume: "x", label: 3, classes: 3)) {
            try TrainingVolume(
                name: "x", channels: [image], normalisation: [.none],
                labels: LabelMap(grid: grid, values: [0, 1, 2, 3]), classes: 3)
        }
        #expect {
            try TrainingVolume(
                name: "x", channels: [image, Volume(grid: other)], normalisation: [.none, .none])
        } throws: { "\($0)".hasPrefix("x: channel 1 lies on 2×2×1 voxels of 2×2×2 mm") }
        let plain = VolumesInMemory([try TrainingVolume(name: "x", channels: [image], normalisation: [.none])])
        #expect(throws: TrainingDataError.labelsMissing(volume: "x")) {
            try ForegroundIndex(plain, classes: 2, seed: 1)
        }
        let empty = VolumesInMemory([
            try TrainingVolume(name: "x", channels: [image], normalisation: [.none], labels: LabelMap(grid: grid))
        ])
        #expect(throws: TrainingDataError.self) {
            try PatchBatches(
                empty, index: try ForegroundIndex(empty, classes: 2, seed: 1), channels: 1,
                options: PatchOptions(patch: .one, batch: 1, samplesPerEpoch: 1), seed: 1)
        }
    }

    @Test("volumes are read again when memory is short, and only then")
    func cache() throws {
        let all = try (0..<4).map { n in try volume("\(n)", Extent3(4, 4, 4), seed: UInt64(n)) { _, _, _ in 0 } }
        let reads = Mutex([Int]())
        let cached = CachedVolumes(count: 4, limitBytes: 2 * all[0].bytes) { index in
            reads.withLock { $0.append(index) }
            return all[index]
        }
        for index in [0, 1, 0, 2, 0, 1] { #expect(try cached.volume(index).name == "\(index)") }
        // 2 takes the place of 1, which was read after 0 but used before it; the last 1 has to be read again.
        #expect(reads.withLock { $0 } == [0, 1, 2, 1])
    }
}

@Suite("Slices and targets as samples")
struct SliceAndTargetTests {
    private func slices() throws -> VolumesInMemory {
        VolumesInMemory([
            try volume("a", Extent3(6, 5, 7), seed: 21) { i, _, k in k == 2 && i == 3 ? 1 : 0 },
            try volume("b", Extent3(4, 8, 6), seed: 22) { i, j, k in k >= 2 && i == j ? 2 : 0 },
        ])
    }

    @Test("empty slices are left out, the others sorted by what they hold")
    func index() throws {
        let volumes = try slices()
        let all = try SliceIndex(volumes, emptyChannel: nil)
        #expect(all.foreground == [.init(volume: 0, slice: 2), .init(volume: 1, slice: 2), .init(volume: 1, slice: 3)])
        #expect(all.background.count == 7)
        // Channel 1 is the label: slices without one sum to 0.
        let some = try SliceIndex(volumes, emptyChannel: 1)
        #expect(some.foreground == all.foreground)
        #expect(some.background.isEmpty && some.skipped == 7)
    }

    @Test("every slice once an epoch, padded to size as DEEPMIR pads")
    func whole() throws {
        let volumes = try slices()
        let index = try SliceIndex(volumes, emptyChannel: nil)
        let options = SliceOptions(height: 8, width: 8, batch: 5)
        let batches = try SliceBatches(volumes, index: index, channels: 2, options: options, seed: 1)
        #expect(batches.batchesPerEpoch == 2)
        var seen: Set<SliceIndex.Entry> = []
        for number in 0..<2 {
            let images = try batches.batch(epoch: 4, index: number).images
            for image in 0..<5 {
                let entry = batches.entry(epoch: 4, sample: number * 5 + image).entry
                seen.insert(entry)
                let from = volumes.volume(entry.volume)
                // floor((8 − n) / 2) before: 1 and 0 rows or columns for 5 and 7, 0 and 1 for 8 and 6.
                let (before, left) = entry.volume == 0 ? (1, 0) : (0, 1)
                for n in 0..<64 {
                    let (j, i) = (n / 8 - before, n % 8 - left)
                    let inside = (0..<from.size.height).contains(j) && (0..<from.size.width).contains(i)
                    let expected =
                        inside
                        ? from.channels[0][(entry.slice * from.size.height + j) * from.size.width + i] : 0
                    #expect(images[image * 128 + n] == expected)
                }
            }
        }
        #expect(seen.count == 10)
        let order = (0..<10).map { batches.entry(epoch: 4, sample: $0).entry }
        #expect(order != (0..<10).map { batches.entry(epoch: 5, sample: $0).entry })
    }

    @Test("DEEPMIR's recipe: half of each kind, lesion slices changed, same bits for any number of threads")
    func deepmir() throws {
        let volumes = try slices()
        let index = try SliceIndex(volumes, emptyChannel: 0)
        var options = SliceOptions.deepmir(batch: 8)
        options.size = Extent3(1, 16, 16)
        options.samplesPerEpoch = 80
        let batches = try SliceBatches(volumes, index: index, channels: 2, options: options, seed: 2)
        let kinds = (0..<80).map { batches.entry(epoch: 0, sample: $0).isForeground }
        #expect(kinds.filter { $0 }.count == 40)
        for first in stride(from: 0, to: 80, by: 8) { #expect(kinds[first..<(first + 8)].filter { $0 }.count == 4) }
        // The same slices as they are: of those with a lesion nearly all are changed, and of the others where they are few.
        var plain = options
        plain.shapes = .spatial(SpatialAugmentation())
        let unchanged = try SliceBatches(volumes, index: index, channels: 2, options: plain, seed: 2)
        var changed = (lesion: 0, other: 0)
        for number in 0..<10 {
            let (a, b) = (try batches.batch(epoch: 0, index: number), try unchanged.batch(epoch: 0, index: number))
            for n in 0..<8 where a.images[(n * 512)..<((n + 1) * 512)] != b.images[(n * 512)..<((n + 1) * 512)] {
                if kinds[number * 8 + n] { changed.lesion += 1 } else { changed.other += 1 }
            }
        }
        #expect(changed.lesion >= 38)
        #expect(changed.other >= 38, "\(changed)")
        let three = try SliceBatches(volumes, index: index, channels: 2, options: options, seed: 2, threads: 3)
        for number in 0..<10 {
            let (a, b) = (try batches.batch(epoch: 1, index: number), try three.batch(epoch: 1, index: number))
            #expect(a.inputs == b.inputs)
            #expect(a.targets == b.targets)
        }
    }

    /// Slices without lesions: changed ones are added until there are as many as the 399 variants of those with one.
    @Test func changedSharesOfSlicesWithoutLesions() throws {
        typealias Changes = DEEPMIRAugmentation
        #expect(abs(Changes.changedShare(foregroundSlices: 5, backgroundSlices: 95) - (1 - 95.0 / 1995)) < 1e-12)
        #expect(Changes.changedShare(foregroundSlices: 1, backgroundSlices: 399) == 0)
        #expect(Changes.changedShare(foregroundSlices: 1, backgroundSlices: 1000) == 0)
        #expect(Changes.changedShare(foregroundSlices: 0, backgroundSlices: 9) == 0)
        // One slice with a lesion and so many without that half of these are changed.
        let volumes = VolumesInMemory([
            try volume("c", Extent3(201, 5, 7), seed: 23) { i, _, k in k == 0 && i == 3 ? 1 : 0 }
        ])
        let index = try SliceIndex(volumes, emptyChannel: nil)
        var options = SliceOptions.deepmir(batch: 10)
        options.size = Extent3(1, 16, 16)
        options.samplesPerEpoch = 400
        let changed = try SliceBatches(volumes, index: index, channels: 2, options: options, seed: 2)
        options.shapes = .spatial(SpatialAugmentation())
        let plain = try SliceBatches(volumes, index: index, channels: 2, options: options, seed: 2)
        var count = 0
        for number in 0..<40 {
            let (a, b) = (try changed.batch(epoch: 0, index: number), try plain.batch(epoch: 0, index: number))
            for n in 0..<10 where !changed.entry(epoch: 0, sample: number * 10 + n).isForeground {
                if a.images[(n * 512)..<((n + 1) * 512)] != b.images[(n * 512)..<((n + 1) * 512)] { count += 1 }
            }
        }
        // 199 of 399 of 200, within five standard deviations.
        #expect((65...135).contains(count), "\(count)")
    }

    @Test("every batch has its positives, every sample comes by", arguments: 0..<40)
    func balanced(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let batch = 1 + Int(random.uniform() * 9)
        let rare = Int(random.uniform() * Double(batch))
        var isPositive = (0..<(1 + Int(random.uniform() * 60))).map { _ in random.uniform() < 0.2 }
        isPositive[0] = true
        let order = try BalancedOrder(isPositive: isPositive, batch: batch, minimumPositives: rare, seed: seed)
        var seen: Set<Int> = []
        for number in 0..<order.batchesPerEpoch {
            let samples = order.samples(epoch: 3, number: number)
            #expect(samples.count == batch)
            #expect(samples.filter { isPositive[$0] }.count >= rare)
            seen.formUnion(samples)
        }
        #expect(seen.count == isPositive.count, "seed \(seed)")
        #expect(order.samples(epoch: 3, number: 0) == order.samples(epoch: 3, number: 0))
        if isPositive.count > 12, batch > 5 {
            #expect(order.samples(epoch: 3, number: 0) != order.samples(epoch: 4, number: 0))
        }
    }

    @Test("patches around given places with their targets and features")
    func targeted() throws {
        let volumes = try slices()
        let samples = (0..<20).map { n in
            TargetedPatch(
                volume: n % 2, centre: SIMD3(3, 3, 2), target: n % 5 == 0 ? 1 : 0,
                features: (0..<18).map { Float(n * 100 + $0) })
        }
        var options = TargetedOptions(patch: Extent3(3, 3, 3), batch: 8)
        options.minimumPositives = 3
        let batches = try TargetedBatches(volumes, samples: samples, channels: 2, options: options, seed: 3)
        #expect(batches.features == 18)
        for number in 0..<batches.batchesPerEpoch {
            let batch = try batches.batch(epoch: 0, index: number)
            #expect(batch.values.reduce(0, +) >= 3)
            let features = batch.inputs[1].values
            for n in 0..<8 {
                let sample = Int(features[n * 18]) / 100
                #expect((0..<18).allSatisfy { features[n * 18 + $0] == Float(sample * 100 + $0) })
                #expect(batch.values[n] == samples[sample].target)
                let from = volumes.volume(sample % 2)
                let at = (2 * from.size.height + 3) * from.size.width + 3
                #expect(batch.images[n * 54 + 13] == from.channels[0][at])
            }
        }
        options.minimumPositives = 9
        #expect(throws: TrainingDataError.self) {
            try TargetedBatches(volumes, samples: samples, channels: 2, options: options, seed: 3)
        }
    }
}
