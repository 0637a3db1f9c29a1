import Foundation

/// What can be wrong with a network, its weights or what is fed to it.
package enum NetworkError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Layers that do not fit together, or sizes a layer cannot take. `layer` is the name of the layer.
    case shape(layer: String, problem: String)
    /// An architecture asked for with hyper-parameters it cannot have.
    case architecture(String)
    /// Weights that do not belong to the network.
    case weights(String)
    /// A file that cannot be read or understood.
    case file(path: String, problem: String)
    /// A file that the system would not let be written: a full disk, a folder that is gone. `problem` says what failed.
    case system(path: String, problem: String, errorNumber: Int32)
    /// What was given to a plan or to a training does not fit it.
    case input(String)
    /// Settings of a training that contradict each other or its data.
    case training(String)

    package var description: String {
        switch self {
        case .shape(let layer, let problem): "layer \(layer): \(problem)"
        case .architecture(let problem), .weights(let problem), .input(let problem), .training(let problem): problem
        case .file(let path, let problem): "\(path): \(problem)"
        case .system(let path, let problem, let number): "\(path): \(problem): \(String(cString: strerror(number)))"
        }
    }
}
