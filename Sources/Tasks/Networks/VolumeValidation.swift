import Kernels
import Networks

/// How well a model segments whole images of people it was not trained on.
struct VolumeValidation {
    /// Dice coefficient of a class: over all voxels of an image, mean over a person's sessions, then over people. A person
    /// in whom the class neither is nor is found does not count; a class for which that is everybody is not listed.
    struct ClassDice: Equatable {
        var name: String
        var value: Double
        /// People that count.
        var people: Int
    }

    let volumes: CachedVolumes
    /// Of each volume.
    let subjects: [String]

    /// Bytes that judging takes beside the volumes, once every volume has been read.
    ///
    /// - Throws: what segmenting throws.
    func bytes(_ model: Model, threads: Int) throws -> Int {
        guard let options = model.card.inference else { return 0 }
        let volume = volumes.extent
        return try SlidingWindow(
            volume: volume, members: [try model.segmentationNetwork()], options: options, resultBytes: volume.product,
            threads: threads
        ).memory.total
    }

    /// - Throws: what segmenting or reading throws.
    func dice(_ model: Model, threads: Int) throws -> [ClassDice] {
        guard let options = model.card.inference else { return [] }
        let network = try model.segmentationNetwork()
        let names = model.card.output == .sigmoid ? ["background"] + model.card.classes : model.card.classes
        var found: [String: [[Double]]] = [:]
        for index in 0..<volumes.count {
            let volume = try volumes.volume(index)
            let segmentation = try VolumeSegmentation(
                volume: volume.size, channels: volume.channels, background: volume.background, members: [network],
                options: options,
                rule: model.card.output == .sigmoid ? .threshold(0.5) : .largest,
                emptySlices: model.card.emptyChannel.map { TrainingVolume.emptySlices(sums: volume.sliceSums[$0]) }
                    ?? [],
                threads: threads)
            let values = Self.dice(segmentation.labels, volume.labels, classes: names.count)
            var lists = found[subjects[index]] ?? values.map { _ in [] }
            for (label, value) in values.enumerated() { if let value { lists[label].append(value) } }
            found[subjects[index]] = lists
        }
        return names.enumerated().dropFirst().compactMap { label, name in
            let people = found.sorted { $0.key < $1.key }.compactMap { Self.mean($0.value[label]) }
            return Self.mean(people).map { ClassDice(name: name, value: $0, people: people.count) }
        }
    }

    /// Per class; nil where it is in neither.
    static func dice(_ a: [UInt8], _ b: [UInt8], classes: Int) -> [Double?] {
        var (both, sums) = ([Int](repeating: 0, count: 256), [Int](repeating: 0, count: 256))
        for (x, y) in zip(a, b) {
            sums[Int(x)] += 1
            sums[Int(y)] += 1
            if x == y { both[Int(x)] += 1 }
        }
        return (0..<classes).map { sums[$0] == 0 ? nil : 2 * Double(both[$0]) / Double(sums[$0]) }
    }

    private static func mean(_ values: [Double]) -> Double? {
        values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
    }
}
