/// Why a model in the Open Neural Network Exchange format cannot be taken over.
package enum ONNXError: Error, Sendable, Equatable, CustomStringConvertible {
    /// A file that cannot be read or is no such model.
    case file(path: String, problem: String)
    /// A node that has no counterpart here. `advice` says what would be valid.
    case unsupported(path: String, node: String, operation: String, advice: String)
    /// A node that contradicts the format or the tensors it is given.
    case invalid(path: String, node: String, operation: String, problem: String)

    /// In one line, whatever the names in the file are.
    package var description: String {
        String(sentence.unicodeScalars.map { $0.properties.generalCategory == .control ? "\u{FFFD}" : Character($0) })
    }

    private var sentence: String {
        switch self {
        case .file(let path, let problem): "\(path): \(problem)"
        case .unsupported(let path, let node, let operation, let advice):
            "\(path): node \(node) (\(operation)) is not supported; \(advice)"
        case .invalid(let path, let node, let operation, let problem):
            "\(path): node \(node) (\(operation)) \(problem)"
        }
    }
}

/// What is wrong with the node at hand; the importer adds the file and the node.
enum NodeProblem: Error {
    case unsupported(String)
    case invalid(String)
}
