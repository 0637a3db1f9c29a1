import Foundation
import Kernels
import TestSupport
import Testing

@testable import Networks

/// Networks whose answer can be said without one: what is tested is the windows, not the arithmetic in them.
private struct ProbeNetwork: WindowNetwork {
    enum Answer: Sendable {
        /// Class c is channel c.
        case echo
        /// Class c is the mean of channel c over the window, times the position along width within the window plus one:
        /// depends on where the window lies and on its orientation.
        case meanTimesColumn
        case notANumber
    }

    var channels = 2
    var multiple = Extent3.one
    var answer = Answer.echo
    var scale: Float = 1
    var bytesPerVoxel = 100
    /// Whether it takes windows in planar order, as networks of few input channels do.
    var isPlanar = false

    var inputChannels: Int { channels }
    var classes: Int { channels }
    var sizeMultiple: Extent3 { multiple }

    func bytes(input: FeatureShape, threads: Int) -> Int { input.batch * input.positions * bytesPerVoxel }

    func predictor(input: FeatureShape, threads: Int) -> any WindowPredictor { Predictor(input: input, network: self) }

    final class Predictor: WindowPredictor {
        let network: ProbeNetwork
        let storage: FeatureStorage
        let results: FeatureStorage
        let windows: WindowInput

        init(input: FeatureShape, network: ProbeNetwork) {
            self.network = network
            storage = FeatureStorage(count: network.isPlanar ? input.count : input.storedCount)
            results = FeatureStorage(input)
            windows = network.isPlanar ? .planar(storage.base, input) : .blocked(storage.map(input))
        }

        private var values: [Float] {
            switch windows {
            case .blocked(let map): map.tensor().values
            case .planar(let base, let shape): Array(UnsafeBufferPointer(start: base, count: shape.count))
            }
        }

        func predict() -> FeatureMap {
            let (values, size) = (self.values, windows.shape.size)
            var result = values.map { $0 * network.scale }
            if case .notANumber = network.answer { result[result.count / 2] = .nan }
            if case .meanTimesColumn = network.answer {
                for first in stride(from: 0, to: result.count, by: size.product) {
                    let mean = values[first..<(first + size.product)].reduce(0, +) / Float(size.product)
                    for n in 0..<size.product {
                        result[first + n] = mean * Float(n % size.width + 1) * network.scale
                    }
                }
            }
            let map = results.map(windows.shape)
            map.fill(fromPlanar: result)
            return map
        }
    }
}

private func randomChannels(_ volume: Extent3, count: Int, seed: UInt64) -> [[Float]] {
    var random = SeededGenerator(seed: seed)
    return (0..<count).map { _ in (0..<volume.product).map { _ in Float(random.uniform()) } }
}

/// Everything in double precision, with accumulators for the whole padded volume.
private func reference(
    _ volume: Extent3, _ channels: [[Float]], _ options: SlidingWindowOptions, members: [ProbeNetwork]
) throws -> [[Float]] {
    let plan = try WindowPlan(volume: volume, options: options)
    let (size, window) = (plan.padded, plan.window)
    func voxel(_ position: Int, _ before: Int, _ count: Int) -> Int? {
        var n = position - before
        if n >= 0, n < count { return n }
        guard options.padding == .reflect else { return nil }
        if count == 1 { return 0 }
        while n < 0 || n >= count { n = n < 0 ? -n : 2 * (count - 1) - n }
        return n
    }
    func weight(_ z: Int, _ y: Int, _ x: Int) -> Double {
        guard case .gaussian(let fraction) = options.blending else { return 1 }
        func one(_ n: Int, _ edge: Int) -> Double {
            let t = Double(n - edge / 2) / (fraction * Double(edge))
            return exp(-0.5 * t * t)
        }
        return one(z, window.depth) * one(y, window.height) * one(x, window.width)
    }
    var sums = channels.map { _ in [Double](repeating: 0, count: size.product) }
    var totals = [Double](repeating: 0, count: size.product)
    let flips = Flip.combinations(of: options.flips)
    let lateral = options.lateralPairs.swapped(classes: channels.count)
    for origin in plan.origins {
        for flip in flips {
            var planar: [Float] = []
            for channel in channels {
                for z in 0..<window.depth {
                    for y in 0..<window.height {
                        for x in 0..<window.width {
                            let k = origin.depth + (flip.depth ? window.depth - 1 - z : z)
                            let j = origin.height + (flip.height ? window.height - 1 - y : y)
                            let i = origin.width + (flip.width ? window.width - 1 - x : x)
                            if let k = voxel(k, plan.before.depth, volume.depth),
                                let j = voxel(j, plan.before.height, volume.height),
                                let i = voxel(i, plan.before.width, volume.width)
                            {
                                planar.append(channel[(k * volume.height + j) * volume.width + i])
                            } else {
                                planar.append(0)
                            }
                        }
                    }
                }
            }
            let shape = FeatureShape(batch: 1, channels: channels.count, size: window)
            for member in members {
                let predictor = member.predictor(input: shape, threads: 1)
                guard case .blocked(let windows) = predictor.windows else { fatalError("the reference's are maps") }
                windows.fill(fromPlanar: planar)
                let predicted = try predictor.predict().tensor().values
                for c in channels.indices {
                    for n in 0..<window.product {
                        let (z, y, x) = (
                            n / window.width / window.height, n / window.width % window.height, n % window.width
                        )
                        let (tz, ty, tx) = (
                            flip.depth ? window.depth - 1 - z : z, flip.height ? window.height - 1 - y : y,
                            flip.width ? window.width - 1 - x : x
                        )
                        let at =
                            ((origin.depth + tz) * size.height + origin.height + ty) * size.width + origin.width + tx
                        let w = weight(tz, ty, tx)
                        sums[flip.width ? lateral[c] : c][at] += w * Double(predicted[c * window.product + n])
                        if c == 0 { totals[at] += w }
                    }
                }
            }
        }
    }
    return sums.map { sum in
        var cropped: [Float] = []
        for z in 0..<volume.depth {
            for y in 0..<volume.height {
                for x in 0..<volume.width {
                    let row = (z + plan.before.depth) * size.height + y + plan.before.height
                    let at = row * size.width + x + plan.before.width
                    cropped.append(Float(sum[at] / totals[at]))
                }
            }
        }
        return cropped
    }
}

@Suite("Sliding window")
struct SlidingWindowTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var volume: Extent3
        var options: SlidingWindowOptions
        var testDescription: String { "\(volume) by \(options.window), overlap \(options.overlap)" }
    }

    static let cases: [Case] = [
        Case(volume: Extent3(13, 11, 17), options: SlidingWindowOptions(window: Extent3(4, 6, 8))),
        Case(
            volume: Extent3(13, 11, 17),
            options: SlidingWindowOptions(window: Extent3(5, 3, 7), overlap: 0.7, flips: [.depth, .width], batch: 5)),
        Case(
            volume: Extent3(3, 5, 2),
            options: SlidingWindowOptions(window: Extent3(8, 8, 8), padding: .reflect, flips: [.height])),
        Case(
            volume: Extent3(1, 9, 2),
            options: SlidingWindowOptions(window: Extent3(4, 4, 4), blending: .constant, padding: .zero)),
        // Slices of a 2-D network, several at once.
        Case(
            volume: Extent3(7, 5, 6),
            options: SlidingWindowOptions(window: Extent3(1, 8, 8), overlap: 0, flips: [.height, .width], batch: 3)),
        Case(volume: Extent3(1, 1, 1), options: SlidingWindowOptions(window: .one)),
        Case(
            volume: Extent3(6, 7, 9),
            options: SlidingWindowOptions(
                window: Extent3(6, 7, 4), overlap: 0.9, flips: [.width],
                lateralPairs: [LateralPair(0, 1)])),
    ]

    @Test("windows, weights, flips and padding give what the definition gives", arguments: cases)
    func definition(_ c: Case) throws {
        let channels = randomChannels(c.volume, count: 2, seed: 5)
        let members = [
            ProbeNetwork(answer: .meanTimesColumn), ProbeNetwork(answer: .meanTimesColumn, scale: 0.25),
        ]
        let expected = try reference(c.volume, channels, c.options, members: members)
        let result = try VolumeSegmentation(
            volume: c.volume, channels: channels, members: members, options: c.options, keeping: [0, 1])
        for channel in 0..<2 {
            for (a, b) in zip(result.probabilities[channel]!, expected[channel]) {
                #expect(abs(a - b) <= 2e-5 * max(1, abs(b)), "class \(channel)")
            }
        }
        let planar = members.map { member in
            var member = member
            member.isPlanar = true
            return member
        }
        let same = try VolumeSegmentation(
            volume: c.volume, channels: channels, members: planar, options: c.options, keeping: [0, 1], threads: 2)
        #expect(same.probabilities == result.probabilities)
        for voxel in 0..<c.volume.product {
            let (a, b) = (result.probabilities[0]![voxel], result.probabilities[1]![voxel])
            #expect(result.labels[voxel] == (b > a ? 1 : 0))
        }
    }

    @Test("a network that echoes its input gives the volume back", arguments: cases)
    func echo(_ c: Case) throws {
        var options = c.options
        options.lateralPairs = []
        let channels = randomChannels(c.volume, count: 2, seed: 6)
        let result = try VolumeSegmentation(
            volume: c.volume, channels: channels, members: [ProbeNetwork()], options: options, keeping: [0, 1])
        for channel in 0..<2 {
            for (a, b) in zip(result.probabilities[channel]!, channels[channel]) { #expect(abs(a - b) < 1e-5) }
        }
    }

    @Test("a network of few channels is given its windows in planar order", arguments: [1, 15, 16])
    func planarOrder(channels: Int) throws {
        let net = UNet(rank: 3, inputChannels: channels, outputChannels: 2, widths: [16, 32])
        let network = try net.network()
        let segmentation = try SegmentationNetwork(
            network, weights: network.initialWeights(.heNormal, seed: 3), output: .softmax)
        let shape = FeatureShape(batch: 2, channels: channels, size: Extent3(4, 8, 8))
        let windows = try segmentation.predictor(input: shape, threads: 1).windows
        guard case .planar(_, let given) = windows else { return #expect(channels == 16) }
        #expect(channels < 16 && given == shape)
        // Weights in memory are kept beside what is packed from them.
        let weights = 4 * network.parameters.reduce(0) { $0 + $1.count }
        #expect(
            try segmentation.bytes(input: shape, threads: 1)
                == weights + InferencePlan.memory(for: network, inputs: [shape], threads: 1, planarInputs: true).total)
    }

    @Test("more channels than a block holds arrive at their places")
    func manyChannels() throws {
        let volume = Extent3(4, 5, 6)
        let channels = randomChannels(volume, count: 19, seed: 7)
        let result = try VolumeSegmentation(
            volume: volume, channels: channels, members: [ProbeNetwork(channels: 19)],
            options: SlidingWindowOptions(window: Extent3(4, 4, 4)), keeping: Set(0..<19))
        for channel in 0..<19 {
            for (a, b) in zip(result.probabilities[channel]!, channels[channel]) { #expect(abs(a - b) < 1e-5) }
        }
    }

    @Test("the number of threads does not change a bit", arguments: cases)
    func threads(_ c: Case) throws {
        let channels = randomChannels(c.volume, count: 2, seed: 8)
        let network = ProbeNetwork(answer: .meanTimesColumn)
        let (one, three) = (
            try VolumeSegmentation(
                volume: c.volume, channels: channels, members: [network], options: c.options, keeping: [0, 1],
                threads: 1),
            try VolumeSegmentation(
                volume: c.volume, channels: channels, members: [network], options: c.options, keeping: [0, 1],
                threads: 3)
        )
        #expect(one.probabilities == three.probabilities)
        #expect(one.labels == three.labels)
    }

    @Test("windows cover every voxel, start and end with the axis and overlap as asked")
    func starts() {
        for size in 1...40 {
            for window in 1...size {
                for overlap in [0, 0.3, 0.5, 0.9] {
                    let starts = WindowPlan.starts(size: size, window: window, overlap: overlap)
                    #expect(starts.first == 0)
                    #expect(starts.last == size - window)
                    for (a, b) in zip(starts, starts.dropFirst()) {
                        #expect(a < b)
                        #expect(Double(b - a) <= max(1, Double(window) * (1 - overlap)) + 1)
                        #expect(b <= a + window)
                    }
                }
            }
        }
    }

    @Test("the whole volume is one window where it fits, rounded up to what the network takes")
    func wholeVolume() throws {
        let volume = Extent3(13, 11, 17)
        var options = SlidingWindowOptions(window: Extent3(8, 8, 8))
        options.wholeVolumeBytes = 10_000_000
        let network = ProbeNetwork(multiple: Extent3(4, 4, 4))
        let whole = try SlidingWindow(volume: volume, members: [network], options: options)
        #expect(whole.plan.window == Extent3(16, 12, 20))
        #expect(whole.plan.origins.count == 1)
        options.wholeVolumeBytes = whole.memory.total - 1
        let windows = try SlidingWindow(volume: volume, members: [network], options: options)
        #expect(windows.plan.window == Extent3(8, 8, 8))
        let channels = randomChannels(volume, count: 2, seed: 9)
        options.wholeVolumeBytes = 10_000_000
        let result = try VolumeSegmentation(
            volume: volume, channels: channels, members: [network], options: options, keeping: [1])
        for (a, b) in zip(result.probabilities[1]!, channels[1]) { #expect(abs(a - b) < 1e-5) }
    }

    @Test("accumulators hold the slices in progress only")
    func memory() throws {
        let options = SlidingWindowOptions(window: Extent3(8, 16, 16))
        let network = ProbeNetwork(bytesPerVoxel: 0)
        let short = try SlidingWindow(volume: Extent3(16, 40, 40), members: [network], options: options)
        let long = try SlidingWindow(volume: Extent3(1000, 40, 40), members: [network], options: options)
        #expect(short.memory == long.memory)
        #expect(short.memory.accumulators == (8 + 1) * 2 * 40 * 40 * 4)
    }

    /// One prepared member at a time, beside the sums for the volume: forty members take as much as two.
    @Test("memory does not grow with the number of members")
    func memoryOfEnsembles() throws {
        let volume = Extent3(16, 40, 40)
        var options = SlidingWindowOptions(window: Extent3(8, 16, 16))
        func memory(_ members: Int) throws -> InferenceMemory {
            let networks = (0..<members).map { ProbeNetwork(bytesPerVoxel: 100 + $0 % 2) }
            return try SlidingWindow(volume: volume, members: networks, options: options).memory
        }
        let (one, two, forty) = try (memory(1), memory(2), memory(40))
        #expect(two == forty && two.network == 101 * 8 * 16 * 16)
        #expect(two.accumulators == one.accumulators + 2 * volume.product * 4)
        // What one member may take with the sums, all may.
        options.limitBytes = two.total
        #expect(try memory(40) == two)
        options.limitBytes = two.total - 1
        #expect(throws: InferenceError.memory(neededBytes: two.total, limitBytes: two.total - 1)) { try memory(40) }
    }

    @Test("an ensemble is the mean of its members, in their order and bit for bit", arguments: [1, 3])
    func members(threads: Int) throws {
        let volume = Extent3(7, 6, 9)
        let channels = randomChannels(volume, count: 2, seed: 12)
        let options = SlidingWindowOptions(window: Extent3(4, 4, 4), flips: [.depth], batch: 3)
        let members = [0.9, 0.3, 0.7].map { ProbeNetwork(answer: .meanTimesColumn, scale: Float($0)) }
        func probabilities(_ members: [ProbeNetwork]) throws -> [Int: [Float]] {
            try VolumeSegmentation(
                volume: volume, channels: channels, members: members, options: options, keeping: [0, 1],
                threads: threads
            ).probabilities
        }
        let apart = try members.map { try probabilities([$0]) }
        let together = try probabilities(members)
        for channel in 0..<2 {
            for n in 0..<volume.product {
                let mean = (apart[0][channel]![n] + apart[1][channel]![n] + apart[2][channel]![n]) / 3
                #expect(together[channel]![n] == mean)
            }
        }
        var done: [Int] = []
        var slices: [Int] = []
        let run = try SlidingWindow(volume: volume, members: members, options: options, threads: threads)
        try run.run(
            channels: channels,
            progress: {
                #expect($0.windows == 3 * run.plan.origins.count)
                done.append($0.windowsDone)
            }, finish: { slices.append($0.index) })
        #expect(done.last == 3 * run.plan.origins.count && done == done.sorted())
        #expect(slices == Array(0..<volume.depth))
    }

    @Test("progress counts every window; what it throws ends the run")
    func progress() throws {
        struct Stop: Error {}
        let volume = Extent3(9, 9, 9)
        let channels = randomChannels(volume, count: 2, seed: 10)
        let run = try SlidingWindow(
            volume: volume, members: [ProbeNetwork()],
            options: SlidingWindowOptions(window: Extent3(4, 4, 4), batch: 7))
        var done: [Int] = []
        try run.run(channels: channels, progress: { done.append($0.windowsDone) }, finish: { _ in })
        #expect(done.last == run.plan.origins.count)
        #expect(done == done.sorted())
        #expect(throws: Stop.self) {
            try run.run(channels: channels, progress: { _ in throw Stop() }, finish: { _ in })
        }
    }

    @Test("bad input is refused with what is wrong")
    func refusals() throws {
        let volume = Extent3(8, 8, 8)
        let channels = randomChannels(volume, count: 2, seed: 11)
        let options = SlidingWindowOptions(window: Extent3(4, 4, 4))
        #expect(throws: InferenceError.channels(given: 1, expected: 2)) {
            try VolumeSegmentation(
                volume: volume, channels: [channels[0]], members: [ProbeNetwork()], options: options)
        }
        #expect(throws: InferenceError.channelLength(channel: 1, values: 3, expected: 512)) {
            try VolumeSegmentation(
                volume: volume, channels: [channels[0], [1, 2, 3]], members: [ProbeNetwork()], options: options)
        }
        #expect(throws: InferenceError.windowSize(window: Extent3(4, 4, 4), multiple: Extent3(8, 8, 8))) {
            try SlidingWindow(
                volume: volume, members: [ProbeNetwork(multiple: Extent3(8, 8, 8))], options: options)
        }
        #expect(throws: InferenceError.self) {
            try SlidingWindow(volume: volume, members: [ProbeNetwork(), ProbeNetwork(channels: 3)], options: options)
        }
        var limited = options
        limited.limitBytes = 1000
        #expect {
            try SlidingWindow(volume: volume, members: [ProbeNetwork()], options: limited)
        } throws: { error in
            guard case InferenceError.memory(let needed, 1000) = error else { return false }
            return needed > 1000
        }
        #expect {
            try VolumeSegmentation(
                volume: volume, channels: channels, members: [ProbeNetwork(answer: .notANumber)], options: options)
        } throws: {
            guard case InferenceError.notFinite = $0 else { return false }
            return true
        }
        for wrong in [-0.1, 1, Double.nan] {
            #expect(throws: InferenceError.self) {
                try WindowPlan(volume: volume, options: SlidingWindowOptions(window: Extent3(4, 4, 4), overlap: wrong))
            }
        }
    }

    @Test("outputs that stand alone are held against a threshold")
    func threshold() throws {
        let volume = Extent3(1, 1, 4)
        let channels: [[Float]] = [[0.1, 0.6, 0.4, 0.7], [0.2, 0.3, 0.9, 0.7]]
        let result = try VolumeSegmentation(
            volume: volume, channels: channels, members: [ProbeNetwork()],
            options: SlidingWindowOptions(window: volume), rule: .threshold(0.5))
        #expect(result.labels == [0, 1, 2, 1])
    }
}
