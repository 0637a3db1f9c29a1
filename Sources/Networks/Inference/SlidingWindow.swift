import Kernels

/// Runs a volume of any size through networks that see one window at a time.
///
/// Made in two steps: `init` decides where the windows lie and states the memory; `run` takes it. Slices are finished in
/// order and handed out one at a time, so that of one network no more than the slices in progress are ever held for every
/// class.
///
/// The members of an ensemble go over the volume one after the other, and what they say is summed up for all of it: memory
/// holds one of them, however many there are. It is always done so where there is more than one, in the order they are
/// given in, so that the result has the same bits whatever memory there is, and for any number of threads.
package struct SlidingWindow: Sendable {
    package let plan: WindowPlan
    package let memory: InferenceMemory
    package let classes: Int
    private let members: [any WindowNetwork]
    private let options: SlidingWindowOptions
    private let threads: Int

    /// - Parameters:
    ///   - volume: depth × height × width of the volume, in voxels.
    ///   - members: one network, or the members of an ensemble, whose probabilities are averaged.
    ///   - resultBytes: what the caller keeps of the result, for the statement of memory.
    /// - Throws: `InferenceError` when options or members do not fit together, or memory would pass the limit.
    package init(
        volume: Extent3, members: [any WindowNetwork], options: SlidingWindowOptions, resultBytes: Int = 0,
        threads: Int = 1
    ) throws {
        guard let first = members.first else { throw InferenceError.members("there is no network") }
        for member in members {
            guard member.classes == first.classes, member.inputChannels == first.inputChannels else {
                throw InferenceError.members(
                    "one takes \(first.inputChannels) channels to \(first.classes) classes, another "
                        + "\(member.inputChannels) to \(member.classes)")
            }
        }
        try options.check(classes: first.classes)
        let multiple = members.dropFirst().reduce(first.sizeMultiple) { $0.leastCommonMultiple($1.sizeMultiple) }
        guard options.window.isMultiple(of: multiple) else {
            throw InferenceError.windowSize(window: options.window, multiple: multiple)
        }
        classes = first.classes

        func statement(_ options: SlidingWindowOptions) throws -> (WindowPlan, InferenceMemory) {
            let plan = try WindowPlan(volume: volume, options: options)
            let shape = FeatureShape(batch: plan.batch, channels: first.inputChannels, size: plan.window)
            let network = try members.reduce(0) { max($0, try $1.bytes(input: shape, threads: threads)) }
            return (
                plan,
                InferenceMemory(
                    plan: plan, classes: first.classes, network: network, isEnsemble: members.count > 1,
                    resultBytes: resultBytes)
            )
        }
        var chosen = options
        var (plan, memory) = try statement(options)
        if let bytes = options.wholeVolumeBytes {
            var whole = options
            whole.window = volume.roundedUp(to: multiple)
            // Slices stay slices, each as a whole.
            if members.contains(where: \.takesSlices) { whole.window.depth = 1 }
            whole.batch = 1
            let (wholePlan, wholeMemory) = try statement(whole)
            if wholeMemory.total <= bytes { (chosen, plan, memory) = (whole, wholePlan, wholeMemory) }
        }
        if let limit = options.limitBytes, memory.total > limit {
            throw InferenceError.memory(neededBytes: memory.total, limitBytes: limit)
        }
        (self.plan, self.memory, self.members, self.options, self.threads) = (plan, memory, members, chosen, threads)
    }

    /// Probabilities of one finished slice.
    package struct Slice {
        /// Index along depth.
        package let index: Int
        package let classes: Int
        package let voxels: Int
        /// classes × voxels, width fastest; the class sums of a softmax network are 1. Valid during the call only.
        package let probabilities: UnsafePointer<Float>
    }

    /// How far a run is; every member has the windows of its own.
    package struct Progress: Sendable, Hashable {
        package let windowsDone: Int
        package let windows: Int
    }

    /// Predicts all windows and hands out the slices, first one first.
    ///
    /// - Parameters:
    ///   - channels: one array of the volume's voxels per input channel, width fastest, normalised as the network wants.
    ///   - background: per channel what lies beyond the volume, where the options say so; zero when empty.
    ///   - progress: called after every batch; what it throws ends the run.
    ///   - finish: called for every slice of the volume.
    /// - Throws: `InferenceError`, or what the closures and the network throw.
    package func run(
        channels: [[Float]], background: [Float] = [], progress: (Progress) throws -> Void = { _ in },
        finish: (Slice) throws -> Void
    ) throws {
        guard channels.count == members[0].inputChannels else {
            throw InferenceError.channels(given: channels.count, expected: members[0].inputChannels)
        }
        for (n, channel) in channels.enumerated() where channel.count != plan.volume.product {
            throw InferenceError.channelLength(channel: n, values: channel.count, expected: plan.volume.product)
        }
        let background = background.isEmpty ? channels.map { _ in 0 } : background
        precondition(background.count == channels.count, "one value beyond the volume for each channel")
        var done = 0
        func report(_ windows: Int) throws {
            done += windows
            try progress(Progress(windowsDone: done, windows: members.count * plan.origins.count))
        }
        guard members.count > 1 else {
            return try run(members[0], channels, background, progress: report, finish: finish)
        }
        var ensemble = EnsembleSum(volume: plan.volume, classes: classes)
        for member in members {
            try run(member, channels, background, progress: report) { ensemble.add($0, threads: threads) }
        }
        for depth in 0..<plan.volume.depth {
            try ensemble.finish(slice: depth, members: members.count, threads: threads, finish)
        }
    }

    /// One network over the volume; all that it holds is free again afterwards.
    private func run(
        _ member: any WindowNetwork, _ channels: [[Float]], _ background: [Float],
        progress: (_ windows: Int) throws -> Void, finish: (Slice) throws -> Void
    ) throws {
        let shape = FeatureShape(batch: plan.batch, channels: channels.count, size: plan.window)
        let predictor = try member.predictor(input: shape, threads: threads)
        let filler = WindowFiller(plan: plan, padding: options.padding, background: background)
        let globalFiller = member.globalScale.map {
            GlobalWindowFiller(plan: plan, scale: $0, padding: options.padding, background: background)
        }
        let flips = Flip.combinations(of: options.flips)
        let accumulator = WindowAccumulator(
            plan: plan, classes: classes, lateral: options.lateralPairs.swapped(classes: classes), copies: flips.count)

        var finished = 0
        func finishSlices(before end: Int) throws {
            while finished < end {
                try accumulator.finish(slice: finished, threads: threads, finish)
                finished += 1
            }
        }
        for first in stride(from: 0, to: plan.origins.count, by: plan.batch) {
            let origins = plan.origins[first..<min(first + plan.batch, plan.origins.count)]
            // No later window begins before these.
            try finishSlices(before: origins.first!.depth)
            for flip in flips {
                filler.fill(predictor.windows, from: channels, origins: origins, flip: flip, threads: threads)
                if let globalFiller {
                    guard let windows = predictor.globalWindows else {
                        preconditionFailure("a network with a global scale has a place for global windows")
                    }
                    globalFiller.fill(windows, from: channels, origins: origins, flip: flip, threads: threads)
                }
                let predicted = try predictor.predict()
                precondition(
                    predicted.shape.channels == classes && predicted.shape.size == plan.window,
                    "a predictor for \(shape) gave \(predicted.shape)")
                accumulator.add(predicted, origins: origins, flip: flip, threads: threads)
            }
            try progress(origins.count)
        }
        try finishSlices(before: plan.padded.depth)
    }
}

extension Extent3 {
    /// The smallest multiple of `step` along each axis that is not smaller.
    package func roundedUp(to step: Extent3) -> Extent3 {
        func up(_ n: Int, _ s: Int) -> Int { (n + s - 1) / s * s }
        return Extent3(up(depth, step.depth), up(height, step.height), up(width, step.width))
    }

    package func isMultiple(of step: Extent3) -> Bool { roundedUp(to: step) == self }

    package func leastCommonMultiple(_ other: Extent3) -> Extent3 {
        func lcm(_ a: Int, _ b: Int) -> Int {
            var (x, y) = (a, b)
            while y != 0 { (x, y) = (y, x % y) }
            return a / x * b
        }
        return Extent3(lcm(depth, other.depth), lcm(height, other.height), lcm(width, other.width))
    }
}
