/// Why a phantom cohort cannot be written.
package enum PhantomError: Error, Sendable, Equatable, CustomStringConvertible {
    /// An option is outside its range.
    case badOption(name: String, value: String, allowed: String)
    /// The output folder has something in it already.
    case outputNotEmpty(String)
    /// A file or folder cannot be written.
    case cannotWrite(path: String, reason: String)

    package var description: String {
        switch self {
        case .badOption(let name, let value, let allowed):
            "phantom option \(name) is \(value); it must be \(allowed)"
        case .outputNotEmpty(let path):
            "\(path) is not empty; choose a new folder for the phantom cohort or empty this one"
        case .cannotWrite(let path, let reason):
            "\(path) cannot be written: \(reason); check free space and permissions"
        }
    }
}
