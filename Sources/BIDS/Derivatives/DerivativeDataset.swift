/// The files at the root of a derivative dataset that we write.
package struct DerivativeDataset: Hashable, Sendable {
    /// Our derivatives follow this version of the standard.
    package static let bidsVersion = "1.11.1"

    package var name: String
    package var generatedBy: [DatasetDescription.GeneratedBy]
    package var license: String?
    /// Name of a linked dataset, as `bids:NAME:path` uses it, to its place relative to this dataset or its URI.
    package var links: [String: String]
    /// Where the data came from (`URL`, `DOI`, `Version`), for `SourceDatasets`.
    package var sources: [JSONValue]
    /// What the data are, among others whether they are real (`DataKind`).
    package var keywords: [String]
    /// Patterns of files that have no BIDS name.
    package var ignored: [String]

    /// - Parameters:
    ///   - variant: becomes part of the folder's name, `qsmflow-VARIANT`.
    ///   - version: of this program.
    package init(
        name: String, version: String, variant: String? = nil, codeURL: String? = nil, container: JSONValue? = nil,
        license: String? = nil, links: [String: String] = [:], sources: [JSONValue] = [], keywords: [String] = [],
        ignored: [String] = []
    ) {
        self.name = name
        generatedBy = [
            DatasetDescription.GeneratedBy(name: "qsmflow", version: version, codeURL: codeURL, container: container)
        ]
        self.license = license
        self.links = links
        self.sources = sources
        self.keywords = keywords
        self.ignored = ignored
        folderName = variant.map { "qsmflow-\($0)" } ?? "qsmflow"
    }

    /// Name of the folder below `derivatives/`; contains the pipeline's name, as the standard asks.
    package let folderName: String

    /// Content of `dataset_description.json`.
    package var descriptionJSON: JSONValue {
        var description = DatasetDescription(
            name: name, bidsVersion: Self.bidsVersion, datasetType: "derivative", license: license,
            generatedBy: generatedBy, datasetLinks: links, keywords: keywords
        ).json
        if !sources.isEmpty { description["SourceDatasets"] = .array(sources) }
        return description
    }

    /// Content of `.bidsignore`; nil when nothing is to be ignored.
    package var bidsIgnoreText: String? {
        ignored.isEmpty ? nil : ignored.map { $0 + "\n" }.joined()
    }

    /// `bids:NAME:PATH`, as `Sources` in a sidecar names a file; NAME empty is this dataset.
    package static func uri(dataset: String, path: String) -> String { "bids:\(dataset):\(path)" }

    /// The sidecar of a derived image.
    ///
    /// - Parameters:
    ///   - sources: BIDS URIs of what it was made from.
    ///   - skullStripped: required by the standard for every image that is neither mask nor segmentation; nil for those.
    ///   - spatialReference: required when `space-` names no standard template.
    ///   - further: anything else, e.g. `Units`, `Type`, `Resolution`.
    package static func sidecar(
        description: String, sources: [String], skullStripped: Bool?, spatialReference: String? = nil,
        further: [String: JSONValue] = [:]
    ) -> JSONValue {
        var object = further
        object["Description"] = .string(description)
        if !sources.isEmpty { object["Sources"] = .array(sources.map { .string($0) }) }
        if let skullStripped { object["SkullStripped"] = .bool(skullStripped) }
        if let spatialReference { object["SpatialReference"] = .string(spatialReference) }
        return .object(object)
    }
}
