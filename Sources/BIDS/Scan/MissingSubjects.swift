/// What to say of a dataset without any subject.
package enum MissingSubjects {
    /// A sentence without its end, naming the folder that was probably meant.
    ///
    /// Datasets often stand as `rawdata` beside `derivatives` in a folder of the study, which is easily named instead.
    package static func sentence(root: String) -> String {
        let start = "\(root) holds no subject (no folder sub-…); name the folder that contains the sub- folders"
        return folder(in: root).map { "\(start): \(root)/\($0)" } ?? start
    }

    /// The first folder within the root that holds subjects, where it is no other part of a study.
    private static func folder(in root: String) -> String? {
        let others: Set = ["derivatives", "sourcedata", "code", "phenotype", "stimuli"]
        let names = folders(root).filter { !others.contains($0) && !$0.hasPrefix(".") }
        let nearest = names.sorted { ($0 == "rawdata" ? 0 : 1, $0) < ($1 == "rawdata" ? 0 : 1, $1) }
        return nearest.prefix(20).first { folders("\(root)/\($0)").contains { $0.hasPrefix("sub-") } }
    }

    private static func folders(_ path: String) -> [String] {
        // Of what cannot be read there is nothing to suggest.
        guard let listing = try? FileSystem.list(path) else { return [] }
        return listing.entries.compactMap { if case .folder = $0.kind { $0.name } else { nil } }
    }
}
