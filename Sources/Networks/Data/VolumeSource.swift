import Kernels
import Synchronization

/// Volumes by number. Training asks for them again and again in random order.
package protocol VolumeSource: Sendable {
    var count: Int { get }
    func volume(_ index: Int) throws -> TrainingVolume
}

extension VolumeSource {
    /// A volume that is what the samples need.
    func volume(_ index: Int, channels: Int, needsLabels: Bool) throws -> TrainingVolume {
        let volume = try volume(index)
        guard volume.channels.count == channels else {
            throw TrainingDataError.channelCount(
                volume: volume.name, found: volume.channels.count, expected: channels)
        }
        guard !needsLabels || !volume.labels.isEmpty else { throw TrainingDataError.labelsMissing(volume: volume.name) }
        return volume
    }
}

/// All volumes in memory.
package struct VolumesInMemory: VolumeSource {
    package let volumes: [TrainingVolume]

    package init(_ volumes: [TrainingVolume]) { self.volumes = volumes }

    package var count: Int { volumes.count }
    package func volume(_ index: Int) -> TrainingVolume { volumes[index] }
}

/// Volumes read when asked for; those used last are kept as long as they fit in `limitBytes`.
package final class CachedVolumes: VolumeSource {
    private struct Kept {
        var volumes: [Int: TrainingVolume] = [:]
        /// Least recently used first.
        var order: [Int] = []
        var bytes = 0
        /// Of the largest volume read so far.
        var largest = 0
        /// Largest extent along each axis of the volumes read so far.
        var extent = Extent3.zero
    }

    package let count: Int
    private let limitBytes: Int
    private let load: @Sendable (Int) throws -> TrainingVolume
    private let kept = Mutex(Kept())

    /// - Parameter load: reads, checks and normalises volume `index`; called on the thread that asks.
    package init(count: Int, limitBytes: Int, load: @escaping @Sendable (Int) throws -> TrainingVolume) {
        (self.count, self.limitBytes, self.load) = (count, limitBytes, load)
    }

    /// Bytes of the volumes held at most while batches are made, once every volume has been read: those kept, and where
    /// not all are, those of the samples in progress.
    package func heldBytes(threads: Int) -> Int {
        kept.withLock { kept in
            kept.volumes.count == count
                ? kept.bytes : kept.bytes + BatchAssembly.volumesHeld(threads: threads) * kept.largest
        }
    }

    /// A box that holds every volume read so far.
    package var extent: Extent3 { kept.withLock { $0.extent } }

    package func volume(_ index: Int) throws -> TrainingVolume {
        let found = kept.withLock { kept -> TrainingVolume? in
            guard let volume = kept.volumes[index] else { return nil }
            kept.order.removeAll { $0 == index }
            kept.order.append(index)
            return volume
        }
        if let found { return found }
        let volume = try load(index)
        kept.withLock { kept in
            kept.largest = max(kept.largest, volume.bytes)
            kept.extent = kept.extent.containing(volume.size)
            guard kept.volumes[index] == nil, volume.bytes <= limitBytes else { return }
            while kept.bytes + volume.bytes > limitBytes, let oldest = kept.order.first {
                kept.order.removeFirst()
                kept.bytes -= kept.volumes.removeValue(forKey: oldest)?.bytes ?? 0
            }
            kept.volumes[index] = volume
            kept.order.append(index)
            kept.bytes += volume.bytes
        }
        return volume
    }
}

extension Extent3 {
    /// The smallest box that holds both.
    fileprivate func containing(_ other: Extent3) -> Extent3 {
        Extent3(max(depth, other.depth), max(height, other.height), max(width, other.width))
    }
}
