/// Finds images stored twice: the same bytes under two sessions of a participant, or under two participants.
///
/// Only digests can tell, so this is asked once the index has them.
package enum DuplicateImages {
    package struct Item: Hashable, Sendable {
        package var file: BIDSFile
        /// SHA-256 of the file, hexadecimal.
        package var digest: String

        package init(file: BIDSFile, digest: String) { (self.file, self.digest) = (file, digest) }
    }

    /// - Parameter items: images of one dataset with their digests; empty files are left out by the caller's choice.
    /// - Returns: one problem for each session (or participant without sessions) that repeats an earlier one, naming a
    ///   pair of files. Which of the two is the right one nobody can say, so both are named and the problem is put on
    ///   each of them.
    package static func problems(_ items: [Item]) -> [DatasetProblem] {
        var byDigest: [String: [BIDSFile]] = [:]
        for item in items where item.file.stamp.sizeBytes > 0 && item.file.name.isImage {
            byDigest[item.digest, default: []].append(item.file)
        }
        struct Pair: Hashable {
            var first: String
            var second: String
        }
        var pairs: [Pair: [(BIDSFile, BIDSFile)]] = [:]
        for files in byDigest.values where files.count > 1 {
            let sorted = files.sorted { $0.path < $1.path }
            for (index, first) in sorted.enumerated() {
                for second in sorted[(index + 1)...] where Self.owner(first) != Self.owner(second) {
                    pairs[Pair(first: Self.owner(first), second: Self.owner(second)), default: []]
                        .append((first, second))
                }
            }
        }
        return pairs.sorted { ($0.key.first, $0.key.second) < ($1.key.first, $1.key.second) }.flatMap { pair, files in
            let (first, second) = files.min { $0.0.path < $1.0.path }!
            let count = files.count == 1 ? "an image" : "\(files.count) images"
            let sentence =
                "\(pair.first) and \(pair.second) share \(count) byte for byte (\(first.path), \(second.path)): "
                + "one is a copy of the other; remove or replace the copy"
            return [first, second].map {
                DatasetProblem(.error, path: $0.path, subject: $0.subject, session: $0.session, sentence)
            }
        }
    }

    private static func owner(_ file: BIDSFile) -> String {
        [file.subject.map { "sub-\($0)" }, file.session.map { "ses-\($0)" }].compactMap { $0 }.joined(separator: "_")
    }
}
