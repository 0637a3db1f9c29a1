/// What to say of a dataset without any subject.
package enum MissingSubjects {
    /// A sentence without its end, naming the folders that were probably meant.
    ///
    /// Datasets often stand as `rawdata` or `sourcedata/raw` beside `derivatives` in a folder of the study, which is easily named
    /// instead.
    package static func sentence(root: String) -> String {
        let start = "\(root) holds no subject (no folder sub-…); name the folder that contains the sub- folders"
        let found = folders(in: root)
        return found.isEmpty ? start : "\(start): " + found.map { "\(root)/\($0)" }.joined(separator: " or ")
    }

    /// What a study's raw data are usually called; else up to three others with subjects, as long as they are all there are.
    private static func folders(in root: String) -> [String] {
        if let usual = ["rawdata", "sourcedata/raw"].first(where: { holdsSubjects("\(root)/\($0)") }) {
            return [usual]
        }
        let others: Set = ["derivatives", "sourcedata", "code", "phenotype", "stimuli"]
        let names = folders(root) { !others.contains($0) && !$0.hasPrefix(".") }.sorted()
        // A folder of very many is no study, and looking into each would take its time.
        guard names.count <= 20 else { return [] }
        let found = names.filter { holdsSubjects("\(root)/\($0)") }
        return found.count <= 3 ? found : []
    }

    private static func holdsSubjects(_ path: String) -> Bool { !folders(path) { $0.hasPrefix("sub-") }.isEmpty }

    private static func folders(_ path: String, wants: (String) -> Bool) -> [String] {
        // Of what cannot be read there is nothing to suggest.
        guard let listing = try? FileSystem.list(path, wants: wants) else { return [] }
        return listing.entries.compactMap { if case .folder = $0.kind { $0.name } else { nil } }
    }
}
