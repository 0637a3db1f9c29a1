import Kernels

/// What a segmentation network says of a whole volume.
package struct VolumeSegmentation: Sendable {
    /// How probabilities become a label.
    package enum Rule: Sendable, Hashable, Codable {
        /// The class with the largest probability; the lowest of equal ones.
        case largest
        /// For outputs that stand alone (sigmoid, background not among them): one more than the index of the largest
        /// probability when it reaches the threshold, otherwise 0.
        case threshold(Float)
    }

    /// One label per voxel, width fastest.
    package let labels: [UInt8]
    /// Probabilities of the classes that were asked for, by class.
    package let probabilities: [Int: [Float]]
    package let memory: InferenceMemory

    /// Runs `channels` through one network or an ensemble.
    ///
    /// - Parameters:
    ///   - volume: depth × height × width.
    ///   - channels: normalised values, one array per channel, width fastest.
    ///   - emptySlices: slices that are background without the network being believed: label 0, with probability 1 where
    ///     background is a class.
    ///   - keeping: classes whose probabilities are wanted for every voxel.
    ///   - stated: told the memory before any of it is taken.
    /// - Throws: `InferenceError`, or what the network or the closures throw.
    package init(
        volume: Extent3, channels: [[Float]], background: [Float] = [], members: [any WindowNetwork],
        options: SlidingWindowOptions,
        rule: Rule = .largest, emptySlices: Set<Int> = [], keeping: Set<Int> = [], threads: Int = 1,
        stated: (InferenceMemory) throws -> Void = { _ in },
        progress: (SlidingWindow.Progress) throws -> Void = { _ in }
    ) throws {
        let voxels = volume.product
        let resultBytes = voxels * (1 + keeping.count * MemoryLayout<Float>.stride)
        let run = try SlidingWindow(
            volume: volume, members: members, options: options, resultBytes: resultBytes, threads: threads)
        guard run.classes <= 256 else {
            throw InferenceError.members("\(run.classes) classes do not fit labels of one byte; 256 are possible")
        }
        if let missing = keeping.first(where: { $0 < 0 || $0 >= run.classes }) {
            throw InferenceError.options("class \(missing) is asked for but the network has \(run.classes)")
        }
        memory = run.memory
        try stated(run.memory)
        var labels = [UInt8](repeating: 0, count: voxels)
        var kept: [Int: [Float]] = [:]
        for channel in keeping { kept[channel] = [Float](repeating: 0, count: voxels) }
        try run.run(channels: channels, background: background, progress: progress) { slice in
            let first = slice.index * slice.voxels
            guard !emptySlices.contains(slice.index) else {
                // Labels and probabilities are 0 from the start.
                if rule == .largest {
                    kept[0]?.replaceSubrange(
                        first..<(first + slice.voxels), with: repeatElement(1, count: slice.voxels))
                }
                return
            }
            labels.withUnsafeMutableBufferPointer { buffer in
                // Pieces write disjoint voxels.
                nonisolated(unsafe) let target = buffer.baseAddress! + first
                Parallel.forRanges(slice.voxels, piece: 4096, threads: threads) { range in
                    slice.writeLabels(to: target, range: range, rule: rule)
                }
            }
            for channel in keeping {
                kept[channel]?.withUnsafeMutableBufferPointer { target in
                    (target.baseAddress! + first).update(
                        from: slice.probabilities + channel * slice.voxels, count: slice.voxels)
                }
            }
        }
        (self.labels, probabilities) = (labels, kept)
    }
}

extension SlidingWindow.Slice {
    func writeLabels(to target: UnsafeMutablePointer<UInt8>, range: Range<Int>, rule: VolumeSegmentation.Rule) {
        for voxel in range {
            var best = 0
            var largest = probabilities[voxel]
            for channel in 1..<max(classes, 1) {
                let value = probabilities[channel * voxels + voxel]
                if value > largest { (best, largest) = (channel, value) }
            }
            switch rule {
            case .largest: target[voxel] = UInt8(best)
            case .threshold(let threshold): target[voxel] = largest >= threshold ? UInt8(min(best + 1, 255)) : 0
            }
        }
    }
}
