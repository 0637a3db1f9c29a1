/// Why two images could not be registered.
package enum RegistrationError: Error, Sendable, Equatable, CustomStringConvertible {
    /// All values of an image are equal, or none is a number. `name` says which image.
    case noContrast(name: String)
    /// A mask holds too few voxels to register with.
    case emptyMask(name: String, voxels: Int)
    /// The images share too little of their fields of view, whatever position was tried.
    case noOverlap(fraction: Double)

    package var description: String {
        switch self {
        case .noContrast(let name):
            "\(name) has no contrast (all values equal, or not a number); supply the image it was meant to be"
        case .emptyMask(let name, let voxels):
            "the mask of \(name) holds only \(voxels) voxels; supply a mask of the head or brain, or none"
        case .noOverlap(let fraction):
            "the images overlap in only \(Int((fraction * 100).rounded())) % of the fixed image in every position tried; "
                + "check that both show the same body part and that their headers are right"
        }
    }
}
