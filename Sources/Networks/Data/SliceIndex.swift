import Kernels

/// The slices of all volumes, as samples of a 2-D network.
package struct SliceIndex: Sendable {
    package struct Entry: Sendable, Hashable {
        package let volume: Int
        /// Index along depth.
        package let slice: Int
    }

    /// Slices with a voxel of a class other than background.
    package let foreground: [Entry]
    /// The others that are not left out.
    package let background: [Entry]
    /// Slices left out because they are empty.
    package let skipped: Int
    /// The largest class that occurs, and the volume it was first seen in.
    package let largestLabel: Int
    package let largestLabelVolume: String

    /// Reads every volume once.
    ///
    /// - Parameter emptyChannel: slices in which this channel sums to 0 or less, before it was normalised, are left out
    ///   (so does DEEPMIR with its susceptibility-weighted image); nil keeps all.
    /// - Throws: `TrainingDataError`, or what the source throws.
    package init(_ volumes: any VolumeSource, emptyChannel: Int?) throws {
        var (foreground, background, skipped) = ([Entry](), [Entry](), 0)
        var largest = (label: 0, volume: "")
        for index in 0..<volumes.count {
            let volume = try volumes.volume(index)
            guard !volume.labels.isEmpty else { throw TrainingDataError.labelsMissing(volume: volume.name) }
            if let emptyChannel, emptyChannel < 0 || emptyChannel >= volume.channels.count {
                throw TrainingDataError.channelCount(
                    volume: volume.name, found: volume.channels.count, expected: emptyChannel + 1)
            }
            if let label = volume.labels.max(), Int(label) > largest.label { largest = (Int(label), volume.name) }
            let plane = volume.size.height * volume.size.width
            let empty = emptyChannel.map { TrainingVolume.emptySlices(sums: volume.sliceSums[$0]) } ?? []
            for slice in 0..<volume.size.depth {
                if empty.contains(slice) {
                    skipped += 1
                    continue
                }
                let entry = Entry(volume: index, slice: slice)
                let labels = volume.labels[(slice * plane)..<((slice + 1) * plane)]
                if labels.contains(where: { $0 != 0 }) { foreground.append(entry) } else { background.append(entry) }
            }
        }
        (self.foreground, self.background, self.skipped) = (foreground, background, skipped)
        (largestLabel, largestLabelVolume) = largest
    }
}
