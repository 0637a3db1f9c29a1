import Kernels
import TestSupport
import Testing

@testable import Networks

/// The second, global patch of networks with two branches: in training and at inference.
@Suite struct FieldOfViewTests {
    /// A volume whose values rise evenly along all axes: whatever map a patch was cut by, the patch shows a plane, and the
    /// global patch the same plane, `scale` times as steep about the same middle.
    @Test(arguments: [2, 3], [false, true]) func bothPatchesComeFromOneDraw(scale: Int, augments: Bool) throws {
        let grid = VoxelGrid(nx: 60, ny: 60, nz: 60, affine: .scaling(SIMD3(1, 1, 2)))
        var volume = Volume(grid: grid)
        for k in 0..<60 {
            for j in 0..<60 { for i in 0..<60 { volume[i, j, k] = Float(i) + 10 * Float(j) - 7 * Float(k) } }
        }
        var labels = LabelMap(grid: grid)
        // The places in the middle, so that no patch looks beyond the volume.
        for k in 28..<32 { for j in 28..<32 { for i in 28..<32 { labels.values[grid.index(i, j, k)] = 1 } } }
        let source = VolumesInMemory([
            try TrainingVolume(name: "ramp", channels: [volume], normalisation: [.none], labels: labels, classes: 2)
        ])
        let n = 6
        var options = PatchOptions(patch: Extent3(n, n, n), batch: 4, samplesPerEpoch: 12)
        (options.foregroundFraction, options.globalScale) = (1, scale)
        if augments {
            options.spatial = .standard(isFlat: false)
            (options.spatial.rotationProbability, options.spatial.scalingProbability) = (1, 1)
            options.spatial.rotationDegrees = AxisValues(depth: 20, height: 20, width: 20)
            options.spatial.scaling = 0.8...1.2
        }
        let data = try PatchBatches(
            source, index: try ForegroundIndex(source, classes: 2, seed: 1), channels: 1, options: options, seed: 1)
        for index in 0..<data.batchesPerEpoch {
            let batch = try data.batch(epoch: 0, index: index)
            #expect(batch.inputs.count == 2 && batch.inputs[0].shape == batch.inputs[1].shape)
            for sample in 0..<4 {
                func value(_ input: Int, _ z: Int, _ y: Int, _ x: Int) -> Float {
                    batch.inputs[input].values[((sample * n + z) * n + y) * n + x]
                }
                func middle(_ input: Int) -> Float { (value(input, 0, 0, 0) + value(input, n - 1, n - 1, n - 1)) / 2 }
                #expect(abs(middle(0) - middle(1)) < 2e-2)
                for (z, y, x) in [(0, 0, n - 1), (0, n - 1, 0), (n - 1, 0, 0), (2, 3, 4)] {
                    let (local, global) = (value(0, z, y, x) - middle(0), value(1, z, y, x) - middle(1))
                    #expect(abs(global - Float(scale) * local) < 2e-2, "\(global) \(local)")
                }
            }
            // The labels are those of the local patch.
            guard case .classes(let classes) = batch.targets[0] else {
                Issue.record("no classes")
                return
            }
            #expect(classes.count == 4 * n * n * n && classes.contains(1))
        }
    }

    @Test func edgesThatAreNoMultipleAreRefused() throws {
        #expect(throws: TrainingDataError.self) { try FieldOfView(patch: Extent3(4, 4, 6), scale: 4).check() }
        #expect(throws: TrainingDataError.self) { try FieldOfView(patch: Extent3(4, 4, 4), scale: 1).check() }
        try FieldOfView(patch: Extent3(6, 9, 3), scale: 3).check()
    }

    private static func volume(_ size: Extent3) -> [Float] {
        var random = SeededGenerator(seed: 5)
        return (0..<size.product).map { _ in Float(random.gaussian()) }
    }

    /// The window filler against plain loops over the padded volume, for every padding and flip.
    @Test(arguments: [SlidingWindowOptions.Padding.zero, .background, .reflect])
    func globalWindowsAreMeansAboutTheWindows(padding: SlidingWindowOptions.Padding) throws {
        let (size, scale) = (Extent3(7, 13, 9), 2)
        let values = Self.volume(size)
        let options = SlidingWindowOptions(window: Extent3(8, 8, 8), padding: padding, batch: 2)
        let plan = try WindowPlan(volume: size, options: options)
        let filler = GlobalWindowFiller(plan: plan, scale: scale, padding: padding, background: [0.5])
        let shape = FeatureShape(batch: 2, channels: 1, size: plan.window)
        let storage = FeatureStorage(shape)
        func shown(_ position: Int, _ before: Int, _ count: Int) -> Int? {
            var n = position - before
            if n >= 0, n < count { return n }
            guard padding == .reflect else { return nil }
            while n < 0 || n >= count { n = n < 0 ? -n : 2 * (count - 1) - n }
            return n
        }
        for flip in Flip.combinations(of: .all) {
            let origins = plan.origins[0..<2]
            filler.fill(storage.map(shape), from: [values], origins: origins, flip: flip, threads: 2)
            let found = storage.map(shape).tensor().values
            for (image, origin) in origins.enumerated() {
                for z in 0..<8 {
                    for y in 0..<8 {
                        for x in 0..<8 {
                            func first(_ n: Int, _ origin: Int, _ flipped: Bool) -> Int {
                                origin - 4 + (flipped ? 7 - n : n) * scale
                            }
                            var sum = 0.0
                            for c in 0..<8 {
                                let k = shown(first(z, origin.depth, flip.depth) + c / 4, plan.before.depth, 7)
                                let j = shown(first(y, origin.height, flip.height) + c / 2 % 2, plan.before.height, 13)
                                let i = shown(first(x, origin.width, flip.width) + c % 2, plan.before.width, 9)
                                if let k, let j, let i {
                                    sum += Double(values[(k * 13 + j) * 9 + i])
                                } else {
                                    sum += padding == .background ? 0.5 : 0
                                }
                            }
                            #expect(abs(Double(found[((image * 8 + z) * 8 + y) * 8 + x]) - sum / 8) < 1e-5)
                        }
                    }
                }
            }
        }
    }

    /// A network is shown the same at inference as in training.
    @Test func trainingAndInferenceSeeTheSame() throws {
        let size = Extent3(8, 8, 8)
        let grid = VoxelGrid(nx: 8, ny: 8, nz: 8, affine: .identity)
        let volume = try TrainingVolume(
            name: "noise", channels: [Volume(grid: grid, values: Self.volume(size))], normalisation: [.none],
            labels: LabelMap(grid: grid), classes: 2)
        let source = VolumesInMemory([volume])
        var options = PatchOptions(patch: size, batch: 1, samplesPerEpoch: 1)
        (options.foregroundFraction, options.globalScale) = (0, 2)
        options.spatial.beyond = .background
        let batch = try PatchBatches(
            source, index: try ForegroundIndex(source, classes: 2, seed: 1), channels: 1, options: options, seed: 1
        ).batch(epoch: 0, index: 0)

        let plan = try WindowPlan(volume: size, options: SlidingWindowOptions(window: size, padding: .background))
        let shape = FeatureShape(batch: 1, channels: 1, size: size)
        let storage = FeatureStorage(shape)
        let filler = GlobalWindowFiller(plan: plan, scale: 2, padding: .background, background: volume.background)
        filler.fill(storage.map(shape), from: volume.channels, origins: plan.origins[...], flip: Flip(), threads: 1)
        for (a, b) in zip(storage.map(shape).tensor().values, batch.inputs[1].values) { #expect(abs(a - b) < 1e-5) }
        #expect(batch.inputs[0].values == volume.channels[0])
    }

    @Test func samplesForSlicesHaveATargetForEverySliceAndOne() throws {
        let grid = VoxelGrid(nx: 5, ny: 4, nz: 7, affine: .identity)
        let volume = try TrainingVolume(
            name: "v", channels: [Volume(grid: grid, values: Self.volume(Extent3(7, 4, 5)))], normalisation: [.none])
        var options = TargetedOptions(patch: Extent3(3, 4, 4), batch: 2)
        options.targets = .valuesPerSlice
        let data = try TargetedBatches(
            VolumesInMemory([volume]),
            samples: [TargetedPatch(volume: 0, target: 1), TargetedPatch(volume: 0, target: 0)], channels: 1,
            options: options, seed: 1)
        let batch = try data.batch(epoch: 0, index: 0)
        guard case .values(let slices) = batch.targets[0], case .values(let scans) = batch.targets[1] else {
            Issue.record("no values")
            return
        }
        #expect(slices.shape == [6, 1] && scans.shape == [2, 1])
        let repeated = scans.values.flatMap { value -> [Float] in [value, value, value] }
        #expect(slices.values == repeated && Set(scans.values) == [0, 1])
        // In the middle, on whole voxels: slices 2 to 4, columns 0 to 3 of five.
        let plane = Array(batch.inputs[0].values[0..<16])
        let values = volume.channels[0]
        let expected = (0..<16).map { n -> Float in values[40 + n / 4 * 5 + n % 4] }
        #expect(plane == expected)
    }

    @Test func featuresAreScaledAsTheTrainingPeoplesAre() {
        let scaling = FeatureStandardisation(
            names: ["a", "b"], samples: [[1, 0.1], [3, 0.1], [5, 0.1]])
        #expect(scaling.means[0] == 3 && abs(scaling.standardDeviations[0] - (8.0 / 3).squareRoot()) < 1e-12)
        #expect(scaling.constant == ["b"])
        #expect(scaling.standardised([3, 99]) == [0, 0])
        #expect(abs(scaling.standardised([5, 0.1])[0] - Float((1.5).squareRoot())) < 1e-6)
        // What a sample does not have neither counts nor is seen.
        let gaps = FeatureStandardisation(
            names: ["a", "b"], samples: [[1, .nan], [.nan, .nan], [3, .nan], [5, .nan]])
        #expect(gaps.means == [3, 0] && gaps.standardDeviations[0] == scaling.standardDeviations[0])
        #expect(gaps.constant == ["b"] && gaps.standardised([.nan, .nan]) == [0, 0])
    }
}
