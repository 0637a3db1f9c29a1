import Kernels

/// Why images and a model do not fit, or a model is unusable. One sentence each.
package enum ModelCardError: Error, Sendable, Equatable, CustomStringConvertible {
    case inconsistent(model: String, problem: String)
    case channelCount(model: String, given: Int, expected: [String])
    case grid(image: String, found: String, first: String, expected: String)
    case spacing(model: String, image: String, found: SIMD3<Double>, expected: SIMD3<Double>)
    case orientation(model: String, image: String, found: String, expected: String)
    case notFinite(image: String, voxels: Int)
    case maskMissing(model: String, modality: String)

    package var description: String {
        switch self {
        case .inconsistent(let model, let problem): "model \(model) is unusable: \(problem)"
        case .channelCount(let model, let given, let expected):
            "model \(model) takes \(expected.count) images (\(expected.joined(separator: ", "))) and is given \(given)"
        case .grid(let image, let found, let first, let expected):
            "\(image) (\(found)) is not on the grid of \(first) (\(expected)); register or resample it first"
        case .spacing(let model, let image, let found, let expected):
            "\(image) has voxels of \(Self.text(found)) mm and model \(model) was trained on \(Self.text(expected)) mm; "
                + "resample the image, or choose a model that allows it"
        case .orientation(let model, let image, let found, let expected):
            "\(image) is oriented \(found) and model \(model) takes \(expected); reorient the image, or choose a model "
                + "that allows it"
        case .notFinite(let image, let voxels):
            "\(image) has \(voxels) values that are not numbers; repair the image or set them to 0"
        case .maskMissing(let model, let modality):
            "model \(model) normalises \(modality) inside the brain; supply a brain mask that is not empty"
        }
    }

    private static func text(_ v: SIMD3<Double>) -> String {
        func one(_ x: Double) -> String {
            let rounded = (x * 1000).rounded() / 1000
            return rounded == rounded.rounded() ? String(Int(rounded)) : String(rounded)
        }
        return "\(one(v.x))×\(one(v.y))×\(one(v.z))"
    }
}
