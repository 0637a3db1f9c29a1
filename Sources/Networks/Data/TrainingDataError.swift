import Kernels

/// What is wrong with data a network is to be trained on.
package enum TrainingDataError: Error, Sendable, Equatable, CustomStringConvertible {
    case grid(volume: String, image: String, found: String, expected: String)
    case channelCount(volume: String, found: Int, expected: Int)
    case notFinite(volume: String, channel: Int, voxels: Int)
    case label(volume: String, label: Int, classes: Int)
    case labelsMissing(volume: String)
    case maskMissing(volume: String, channel: Int)
    case constant(volume: String, channel: Int)
    case settings(String)
    case empty(String)

    package var description: String {
        switch self {
        case .grid(let volume, let image, let found, let expected):
            "\(volume): \(image) lies on \(found), the first channel on \(expected); resample them onto one grid"
        case .channelCount(let volume, let found, let expected):
            "\(volume): \(found) channels where \(expected) are expected"
        case .notFinite(let volume, let channel, let voxels):
            "\(volume): channel \(channel) has \(voxels) values that are not numbers; mask or repair the image"
        case .label(let volume, let label, let classes):
            "\(volume): label \(label) is not among the \(classes) classes 0 to \(classes - 1); map the labels first"
        case .labelsMissing(let volume): "\(volume): there is no label map to train with"
        case .maskMissing(let volume, let channel):
            "\(volume): channel \(channel) is normalised inside a mask, and there is none or it is empty"
        case .constant(let volume, let channel):
            "\(volume): channel \(channel) has the same value everywhere, which no normalisation can scale"
        case .settings(let problem): "training data: \(problem)"
        case .empty(let what): "training data: \(what)"
        }
    }
}
