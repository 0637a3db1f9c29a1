/// A file name in parts: `sub-01_ses-2_echo-1_part-mag_MEGRE.nii.gz`.
///
/// Entities that the standard does not list are kept: pipelines add their own.
package struct BIDSName: Hashable, Sendable {
    package struct Entity: Hashable, Sendable {
        package var key: String
        package var label: String

        package init(_ key: String, _ label: String) { (self.key, self.label) = (key, label) }
    }

    /// In the order of the name it came from.
    package var entities: [Entity]
    /// What the file holds: `T1w`, `Chimap`, `dseg`.
    package var suffix: String
    /// From the first dot on, dot included (`.nii.gz`, `.surf.gii`); empty when there is none.
    package var fileExtension: String

    package init(entities: [Entity] = [], suffix: String, fileExtension: String) {
        self.entities = entities
        self.suffix = suffix
        self.fileExtension = fileExtension
    }

    package subscript(key: String) -> String? {
        get { entities.first { $0.key == key }?.label }
        set {
            if let index = entities.firstIndex(where: { $0.key == key }) {
                if let newValue { entities[index].label = newValue } else { entities.remove(at: index) }
            } else if let newValue {
                entities.append(Entity(key, newValue))
            }
        }
    }

    package var subject: String? { self["sub"] }
    package var session: String? { self["ses"] }

    /// The name with its entities in the standard's order.
    package var fileName: String {
        EntityOrder.sorted(entities).map { "\($0.key)-\($0.label)_" }.joined() + suffix + fileExtension
    }

    package var isImage: Bool { fileExtension == ".nii.gz" || fileExtension == ".nii" }
}

extension BIDSName: CustomStringConvertible {
    package var description: String { fileName }
}

// A name is stored as its text: short, and readable in a database.
extension BIDSName: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        do throws(BIDSNameError) {
            self = try BIDSName(parsing: text)
        } catch {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: error.description)
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(
            entities.map { "\($0.key)-\($0.label)_" }.joined() + suffix + fileExtension)
    }
}
