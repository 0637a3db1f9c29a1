import Kernels
import Networks

/// One batch of two patches of 64³ with one channel, every change of shape and of values applied to each.
struct PatchBenchmark: Benchmark {
    let name = "augmented_patches"

    func prepare(edge: Int, threads: Int) throws -> () throws -> Double {
        let image = Input.noise(edge)
        var labels = LabelMap(grid: image.grid)
        for n in labels.values.indices where image.values[n] > 0.99 { labels.values[n] = 1 }
        let volume = try TrainingVolume(
            name: "noise", channels: [image], normalisation: [.zScore(over: .volume)], labels: labels)
        let source = VolumesInMemory([volume])
        var options = PatchOptions(patch: Extent3(repeating: 64), batch: 2, samplesPerEpoch: 2)
        options.spatial = .standard(isFlat: false)
        options.spatial.interpolation = .cubic
        options.spatial.rotationProbability = 1
        options.spatial.scalingProbability = 1
        options.spatial.elastic = .init(probability: 1, latticeMillimetres: 12, displacementMillimetres: 1...2)
        options.intensity.biasField = .init(probability: 1, latticeVoxels: 32, logarithm: 0.1...0.2)
        options.intensity.blurVoxels = .init(1, 0.5...1)
        options.intensity.gain = .init(1, 0.8...1.2)
        options.intensity.gamma = .init(1, 0.7...1.5)
        options.intensity.noise = .init(1, 0.1...0.2)
        let data = try PatchBatches(
            source, index: try ForegroundIndex(source, classes: 2, seed: 1), channels: 1, options: options, seed: 1,
            threads: threads)
        return {
            let batch = try data.batch(epoch: 0, index: 0)
            return batch.inputs[0].values.reduce(0.0) { $0 + Double(abs($1)) }
        }
    }
}

/// Windows of 64³, half overlapping, over a volume, with a network that gives its input back: what the sliding window
/// costs beside the network.
struct SlidingWindowBenchmark: Benchmark {
    let name = "sliding_window"

    func prepare(edge: Int, threads: Int) throws -> () throws -> Double {
        let image = Input.noise(edge).values
        let channels = (0..<4).map { channel in image.map { abs($0 - Float(channel) / 4) } }
        let volume = Extent3(repeating: edge)
        return {
            let result = try VolumeSegmentation(
                volume: volume, channels: channels, members: [Echo()],
                options: SlidingWindowOptions(window: Extent3(repeating: min(64, edge))), threads: threads)
            return result.labels.reduce(0.0) { $0 + Double($1) }
        }
    }

    private struct Echo: WindowNetwork {
        var inputChannels: Int { 4 }
        var classes: Int { 4 }
        var sizeMultiple: Extent3 { .one }
        func bytes(input: FeatureShape, threads: Int) -> Int { input.storedCount * 4 }
        func predictor(input: FeatureShape, threads: Int) -> any WindowPredictor { Predictor(input) }

        private final class Predictor: WindowPredictor {
            private let storage: FeatureStorage
            private let map: FeatureMap

            init(_ shape: FeatureShape) {
                storage = FeatureStorage(shape)
                map = storage.map(shape)
            }

            var windows: WindowInput { .blocked(map) }

            func predict() -> FeatureMap { map }
        }
    }
}
