import Foundation
import Kernels
import TestSupport
import Testing

@testable import Networks

/// Balls and shells in noise: two classes that only the surroundings of a voxel tell apart.
private func volumes(_ count: Int) throws -> VolumesInMemory {
    VolumesInMemory(
        try (0..<count).map { number in
            var random = SeededGenerator(seed: UInt64(100 + number))
            let grid = VoxelGrid(nx: 24, ny: 22, nz: 20, affine: .identity)
            var (image, labels) = (Volume(grid: grid), LabelMap(grid: grid))
            let centres = (0..<2).map { n in
                SIMD3(6 + 11 * Double(n) + random.uniform(), 8 + 5 * random.uniform(), 7 + 5 * random.uniform())
            }
            for k in 0..<20 {
                for j in 0..<22 {
                    for i in 0..<24 {
                        let p = SIMD3(Double(i), Double(j), Double(k))
                        let distances = centres.map { (($0 - p) * ($0 - p)).sum().squareRoot() }
                        let (ball, shell) = (distances[0] < 4, distances[1] > 2 && distances[1] < 4.5)
                        image[i, j, k] = Float((ball || shell ? 1 : 0) + 0.3 * random.gaussian())
                        labels.values[grid.index(i, j, k)] = ball ? 1 : (shell ? 2 : 0)
                    }
                }
            }
            return try TrainingVolume(
                name: "sub-\(number)", channels: [image], normalisation: [.zScore(over: .volume)], labels: labels,
                classes: 3)
        })
}

private func trainer(threads: Int) throws -> (Trainer, PatchBatches) {
    let unet = UNet(rank: 3, inputChannels: 1, outputChannels: 3, widths: [12, 24])
    let network = try unet.network()
    let loss = Loss([
        Loss.Term(.crossEntropy(settings: CrossEntropy())),
        Loss.Term(.dice(settings: SoftDice(.softmax))),
    ])
    let settings = TrainingSettings(epochs: 6, loss: loss, schedule: Schedule(5e-3, .polynomial(power: 0.9)), seed: 11)
    let source = try volumes(3)
    var options = PatchOptions(patch: Extent3(12, 12, 12), batch: 2, samplesPerEpoch: 64)
    options.foregroundFraction = 0.7
    options.spatial = .standard(isFlat: false)
    options.spatial.elastic = .init(probability: 0.3, latticeMillimetres: 6, displacementMillimetres: 0...0.5)
    options.intensity.noise = .init(0.3, 0...0.2)
    let data = try PatchBatches(
        source, index: try ForegroundIndex(source, classes: 3, seed: 11), channels: 1, options: options, seed: 11,
        threads: threads)
    let trainer = try Trainer(
        network, settings: settings, weights: network.initialWeights(.heNormal, seed: 11), threads: threads)
    return (trainer, data)
}

@Suite("Training on patches")
struct TrainingOnPatchesTests {
    @Test("a small U-Net learns to segment from augmented patches, and gives the same bits when killed and resumed")
    func learns() throws {
        let (whole, data) = try trainer(threads: 1)
        let result = try whole.run(data)

        // Another one, on two threads, ended in its third epoch and gone on with from its checkpoint.
        struct Killed: Error {}
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString).safetensors")
            .path
        defer { try? FileManager.default.removeItem(atPath: path) }  // best effort
        let (first, sameData) = try trainer(threads: 2)
        #expect(throws: Killed.self) {
            try first.run(sameData, checkpoints: .init(path: path, everyBatches: 4)) { event in
                if case .batch(epoch: 2, index: 9, _, _, _, _) = event { throw Killed() }
            }
        }
        let second = try Trainer(resuming: path, whole.network, settings: whole.settings, threads: 2)
        #expect(try second.run(sameData).weights == result.weights)

        // A volume none of them has seen.
        let unseen = try volumes(4).volume(3)
        let member = try SegmentationNetwork(whole.network, weights: result.weights, output: .softmax)
        let segmented = try VolumeSegmentation(
            volume: unseen.size, channels: unseen.channels, background: unseen.background, members: [member],
            options: SlidingWindowOptions(window: Extent3(16, 16, 16), flips: .all))
        for region in 1...2 {
            var (both, sum) = (0, 0)
            for (a, b) in zip(segmented.labels, unseen.labels) {
                if a == region && b == region { both += 1 }
                sum += (a == region ? 1 : 0) + (b == region ? 1 : 0)
            }
            let dice = 2 * Double(both) / Double(sum)
            #expect(dice > 0.65, "Dice of class \(region) is \(dice)")
        }
    }
}
