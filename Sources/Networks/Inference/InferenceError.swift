import Kernels

/// Why a volume cannot be run through a network.
package enum InferenceError: Error, Sendable, Equatable, CustomStringConvertible {
    case options(String)
    case windowSize(window: Extent3, multiple: Extent3)
    case channels(given: Int, expected: Int)
    case channelLength(channel: Int, values: Int, expected: Int)
    case members(String)
    case network(String)
    case memory(neededBytes: Int, limitBytes: Int)
    case notFinite(slice: Int)

    package var description: String {
        switch self {
        case .options(let problem): "sliding window: \(problem)"
        case .windowSize(let window, let multiple):
            "a window of \(window) voxels does not fit the network; each edge must be a multiple of \(multiple)"
        case .channels(let given, let expected):
            "the input has \(given) channels but the network takes \(expected); supply every image of its model card"
        case .channelLength(let channel, let values, let expected):
            "channel \(channel) has \(values) values but the grid has \(expected) voxels"
        case .members(let problem): "the networks of an ensemble must agree: \(problem)"
        case .network(let problem): "the network cannot segment images: \(problem)"
        case .memory(let needed, let limit):
            "inference would take \(ByteCount(needed)), more than the limit of \(ByteCount(limit)); "
                + "choose a smaller window or batch, or raise the limit"
        case .notFinite(let slice):
            "the network gave values that are not numbers in slice \(slice); its weights or its input are unusable"
        }
    }
}

/// Bytes for people: three digits and a binary unit.
package struct ByteCount: CustomStringConvertible, Sendable, Hashable {
    package let bytes: Int

    package init(_ bytes: Int) { self.bytes = bytes }

    package var description: String {
        var value = Double(bytes)
        var unit = 0
        let units = ["bytes", "KiB", "MiB", "GiB", "TiB"]
        while value >= 1024, unit < units.count - 1 {
            value /= 1024
            unit += 1
        }
        if unit == 0 { return "\(bytes) bytes" }
        let scale: Double = value < 10 ? 100 : (value < 100 ? 10 : 1)
        let rounded = (value * scale).rounded() / scale
        return rounded == rounded.rounded() ? "\(Int(rounded)) \(units[unit])" : "\(rounded) \(units[unit])"
    }
}
