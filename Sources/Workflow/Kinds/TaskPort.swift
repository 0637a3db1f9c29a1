/// An input or output of a task kind.
package struct TaskPort: Codable, Hashable, Sendable {
    /// What the bytes are.
    package enum Format: String, Codable, Hashable, Sendable, CaseIterable {
        /// NIfTI, scalar values.
        case volume
        /// NIfTI, region numbers.
        case labelMap = "label_map"
        /// NIfTI, 0 and 1.
        case mask
        /// NIfTI, displacements in mm (5-D, vector intent).
        case displacement
        /// JSON, an affine map between two worlds.
        case transform
        /// JSON.
        case json
        /// TSV with a header row.
        case table
        /// PNG.
        case picture
        /// safetensors, a network's weights with its card.
        case model
        /// Any bytes.
        case file

        /// File extension of an output of this format.
        package var fileExtension: String {
            switch self {
            case .volume, .labelMap, .mask, .displacement: "nii.gz"
            case .transform, .json: "json"
            case .table: "tsv"
            case .picture: "png"
            case .model: "safetensors"
            case .file: "dat"
            }
        }

        package var mediaType: String {
            switch self {
            case .volume, .labelMap, .mask, .displacement: "application/x-nifti"
            case .transform, .json: "application/json"
            case .table: "text/tab-separated-values"
            case .picture: "image/png"
            case .model: "application/vnd.safetensors"
            case .file: "application/octet-stream"
            }
        }
    }

    package enum Cardinality: String, Codable, Hashable, Sendable {
        case one, optional
        /// One item per gathered task or file, told apart by their context.
        case many
        /// As `many`, or nothing at all.
        case any

        /// Takes more than one item.
        package var gathers: Bool { self == .many || self == .any }
        package var isRequired: Bool { self == .one || self == .many }
    }

    package let name: String
    package let format: Format
    package let cardinality: Cardinality
    package let summary: String

    package init(_ name: String, _ format: Format, _ cardinality: Cardinality = .one, _ summary: String) {
        (self.name, self.format, self.cardinality, self.summary) = (name, format, cardinality, summary)
    }

    /// The output that a step's name by itself means: the one that is always there, or the only one.
    static func main(_ outputs: [TaskPort]) -> TaskPort? {
        let certain = outputs.filter(\.cardinality.isRequired)
        return certain.count == 1 ? certain[0] : outputs.count == 1 ? outputs[0] : nil
    }
}
