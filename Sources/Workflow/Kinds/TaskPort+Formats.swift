extension TaskPort.Format {
    /// Whether bytes of this format can feed a port of `wanted`.
    ///
    /// Masks and label maps are volumes too; a file of unknown content (an output of a command) is taken at its word.
    package func fits(_ wanted: TaskPort.Format) -> Bool {
        if self == wanted || self == .file || wanted == .file { return true }
        switch wanted {
        case .volume: return self == .mask || self == .labelMap
        case .labelMap: return self == .mask
        case .json: return self == .transform
        default: return false
        }
    }

    /// The format that a file name promises. Any image may be in a NIfTI file, any JSON in a JSON file: those stay open.
    package static func ofFile(named name: String) -> TaskPort.Format {
        if name.hasSuffix(".tsv") { return .table }
        if name.hasSuffix(".png") { return .picture }
        if name.hasSuffix(".safetensors") { return .model }
        return .file
    }

    /// As a message says it: `a volume`.
    package var words: String {
        switch self {
        case .volume: "an image volume"
        case .labelMap: "a label map"
        case .mask: "a mask"
        case .displacement: "a displacement field"
        case .transform: "a transform"
        case .json: "JSON"
        case .table: "a table"
        case .picture: "a picture"
        case .model: "a model"
        case .file: "a file"
        }
    }
}
