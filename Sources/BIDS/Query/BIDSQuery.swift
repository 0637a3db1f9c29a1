/// Which files of a subject (and session) an input of a step wants.
///
/// What the query does not mention is free: `{suffix: T1w}` matches every T1w image, and two of them make the query
/// ambiguous rather than one of them the winner.
package struct BIDSQuery: Codable, Hashable, Sendable {
    package enum Match: Codable, Hashable, Sendable {
        /// One of these labels.
        case anyOf([String])
        /// The entity must not be there.
        case absent
        /// The entity must be there, with whatever label.
        case present
    }

    package enum Source: Codable, Hashable, Sendable {
        case any
        case raw
        case anyDerivative
        /// The derivative dataset whose folder, or whose maker in `GeneratedBy`, has this name.
        case derivative(String)
    }

    package var source: Source
    /// One of these; empty accepts every suffix.
    package var suffixes: [String]
    /// One of these, each with its dot; the default accepts NIfTI images.
    package var extensions: [String]
    /// One of these; empty accepts every folder.
    package var datatypes: [String]
    /// By entity key. `sub` and `ses` are not for queries: the subject and session come from the task.
    package var entities: [String: Match]

    package static let imageExtensions = [".nii.gz", ".nii"]

    package init(
        source: Source = .any, suffixes: [String], extensions: [String] = BIDSQuery.imageExtensions,
        datatypes: [String] = [], entities: [String: Match] = [:]
    ) {
        self.source = source
        self.suffixes = suffixes
        self.extensions = extensions
        self.datatypes = datatypes
        self.entities = entities
    }

    package func matches(_ file: BIDSFile) -> Bool { firstMismatch(file) == nil }

    /// The files that match, in the order of their echo, part, run and path.
    package func matches(in files: [BIDSFile]) -> [BIDSFile] {
        let found = files.filter(matches)
        return found.count < 2 ? found : found.sorted { Self.order($0, $1) }
    }

    /// The one file that matches.
    ///
    /// - Parameters:
    ///   - files: the files of one subject, or of one session of it.
    ///   - owner: how to name whose files these are, e.g. `sub-01_ses-2`.
    /// - Returns: the file, or the sentence that says why there is not exactly one.
    package func single(in files: [BIDSFile], owner: String) -> Result<BIDSFile, BIDSQueryProblem> {
        let found = matches(in: files)
        if found.count == 1 { return .success(found[0]) }
        return .failure(found.isEmpty ? none(in: files, owner: owner) : several(found, owner: owner))
    }

    // MARK: - One file

    enum Criterion: Hashable {
        case source
        case suffix
        case fileExtension
        case datatype
        case entity(String)
    }

    /// The first criterion that `file` does not meet; nil when it meets all.
    func firstMismatch(_ file: BIDSFile) -> Criterion? {
        // The suffix first: it turns away most files at the price of one short comparison.
        if !suffixes.isEmpty, !suffixes.contains(file.name.suffix) { return .suffix }
        if !extensions.isEmpty, !extensions.contains(file.name.fileExtension) { return .fileExtension }
        if !accepts(file.dataset) { return .source }
        if !datatypes.isEmpty, !datatypes.contains(file.datatype ?? "") { return .datatype }
        for (key, match) in entities where !Self.accepts(match, key: key, label: file.name[key]) { return .entity(key) }
        return nil
    }

    func mismatches(_ file: BIDSFile) -> [Criterion] {
        var found: [Criterion] = []
        if !suffixes.isEmpty, !suffixes.contains(file.name.suffix) { found.append(.suffix) }
        if !extensions.isEmpty, !extensions.contains(file.name.fileExtension) { found.append(.fileExtension) }
        if !accepts(file.dataset) { found.append(.source) }
        if !datatypes.isEmpty, !datatypes.contains(file.datatype ?? "") { found.append(.datatype) }
        for (key, match) in entities.sorted(by: { $0.key < $1.key })
        where !Self.accepts(match, key: key, label: file.name[key]) {
            found.append(.entity(key))
        }
        return found
    }

    private func accepts(_ dataset: DatasetRole) -> Bool {
        switch (source, dataset) {
        case (.any, _), (.raw, .raw), (.anyDerivative, .derivative): true
        case (.derivative(let wanted), .derivative(let name, let pipeline)): wanted == name || wanted == pipeline
        default: false
        }
    }

    private static func accepts(_ match: Match, key: String, label: String?) -> Bool {
        switch match {
        case .absent: return label == nil
        case .present: return label != nil
        case .anyOf(let wanted):
            guard let label else { return false }
            if wanted.contains(label) { return true }
            // run-01 and run-1 are the same run.
            guard EntityOrder.indexKeys.contains(key), let number = Int(label) else { return false }
            return wanted.contains { Int($0) == number }
        }
    }

    private static func order(_ a: BIDSFile, _ b: BIDSFile) -> Bool {
        for key in ["echo", "part", "run"] {
            let (left, right) = (a.name[key] ?? "", b.name[key] ?? "")
            if left == right { continue }
            if let leftNumber = Int(left), let rightNumber = Int(right), leftNumber != rightNumber {
                return leftNumber < rightNumber
            }
            return left < right
        }
        return a.path < b.path
    }
}
