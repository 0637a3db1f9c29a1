/// What is done to the values of a convolution while they are stored.
package enum Epilogue: Hashable, Sendable, Codable {
    case none
    case relu
    case leakyRelu(slope: Float)

    /// Factor of negative values.
    var slope: Float {
        switch self {
        case .none: 1
        case .relu: 0
        case .leakyRelu(let slope): slope
        }
    }
}
