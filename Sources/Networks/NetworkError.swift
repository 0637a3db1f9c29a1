/// What can be wrong with a network, its weights or what is fed to it.
package enum NetworkError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Layers that do not fit together, or sizes a layer cannot take. `layer` is the name of the layer.
    case shape(layer: String, problem: String)

    package var description: String {
        switch self {
        case .shape(let layer, let problem): "layer \(layer): \(problem)"
        }
    }
}
