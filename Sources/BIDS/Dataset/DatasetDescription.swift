/// `dataset_description.json`: what a dataset says of itself.
package struct DatasetDescription: Codable, Hashable, Sendable {
    package struct GeneratedBy: Codable, Hashable, Sendable {
        package var name: String
        package var version: String?
        package var codeURL: String?
        package var container: JSONValue?
        package var description: String?

        package init(
            name: String, version: String? = nil, codeURL: String? = nil, container: JSONValue? = nil,
            description: String? = nil
        ) {
            self.name = name
            self.version = version
            self.codeURL = codeURL
            self.container = container
            self.description = description
        }
    }

    package static let fileName = "dataset_description.json"

    package var name: String
    package var bidsVersion: String
    /// `raw`, `derivative`, `study` or `atlas`; raw when the file does not say.
    package var datasetType: String
    package var license: String?
    package var generatedBy: [GeneratedBy]
    package var datasetLinks: [String: String]
    package var keywords: [String]

    package var isDerivative: Bool { datasetType == "derivative" }

    package init(
        name: String, bidsVersion: String = "1.11.1", datasetType: String = "raw", license: String? = nil,
        generatedBy: [GeneratedBy] = [], datasetLinks: [String: String] = [:], keywords: [String] = []
    ) {
        self.name = name
        self.bidsVersion = bidsVersion
        self.datasetType = datasetType
        self.license = license
        self.generatedBy = generatedBy
        self.datasetLinks = datasetLinks
        self.keywords = keywords
    }

    /// Reads what is there; each thing the standard asks for and does not find becomes a problem, never a stop.
    ///
    /// - Parameter path: how to name the file in problems.
    package static func read(_ json: JSONValue, path: String) -> (DatasetDescription, [DatasetProblem]) {
        var problems: [DatasetProblem] = []
        func text(_ key: String, required: Bool) -> String? {
            if let value = json[key]?.stringValue { return value }
            if let value = json[key] {
                problems.append(.init(.warning, path: path, "\(path): \(key) is \(value.kindName); write a text"))
            } else if required {
                problems.append(.init(.warning, path: path, "\(path) lacks \(key); add it, the standard requires it"))
            }
            return nil
        }
        var description = DatasetDescription(
            name: text("Name", required: true) ?? "", bidsVersion: text("BIDSVersion", required: true) ?? "",
            datasetType: text("DatasetType", required: false) ?? "raw", license: text("License", required: false))
        for entry in json["GeneratedBy"]?.arrayValue ?? [] {
            guard let name = entry["Name"]?.stringValue else {
                problems.append(.init(.warning, path: path, "\(path): an entry of GeneratedBy lacks Name; add it"))
                continue
            }
            description.generatedBy.append(
                GeneratedBy(
                    name: name, version: entry["Version"]?.stringValue, codeURL: entry["CodeURL"]?.stringValue,
                    container: entry["Container"], description: entry["Description"]?.stringValue))
        }
        // Written by BIDS before 1.4.
        if description.generatedBy.isEmpty, let name = json["PipelineDescription"]?["Name"]?.stringValue {
            description.generatedBy.append(
                GeneratedBy(name: name, version: json["PipelineDescription"]?["Version"]?.stringValue))
            if json["DatasetType"] == nil { description.datasetType = "derivative" }
        }
        if description.isDerivative, description.generatedBy.isEmpty {
            problems.append(
                .init(.warning, path: path, "\(path) is of a derivative but lacks GeneratedBy; say what made it"))
        }
        description.keywords = (json["Keywords"]?.arrayValue ?? []).compactMap(\.stringValue)
        for (name, value) in json["DatasetLinks"]?.objectValue ?? [:] {
            if let target = value.stringValue { description.datasetLinks[name] = target }
        }
        return (description, problems)
    }

    /// As the file's content.
    package var json: JSONValue {
        var value: JSONValue = [
            "Name": .string(name), "BIDSVersion": .string(bidsVersion), "DatasetType": .string(datasetType),
        ]
        if let license { value["License"] = .string(license) }
        if !generatedBy.isEmpty {
            value["GeneratedBy"] = .array(
                generatedBy.map { entry in
                    var object: JSONValue = ["Name": .string(entry.name)]
                    if let version = entry.version { object["Version"] = .string(version) }
                    if let codeURL = entry.codeURL { object["CodeURL"] = .string(codeURL) }
                    if let container = entry.container { object["Container"] = container }
                    if let description = entry.description { object["Description"] = .string(description) }
                    return object
                })
        }
        if !keywords.isEmpty { value["Keywords"] = .array(keywords.map { .string($0) }) }
        if !datasetLinks.isEmpty { value["DatasetLinks"] = .object(datasetLinks.mapValues { .string($0) }) }
        return value
    }
}
