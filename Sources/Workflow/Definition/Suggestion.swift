/// Finds the word that was probably meant.
package enum Suggestion {
    /// The nearest of `candidates` to `word`, when it is near enough to be a slip of the keyboard.
    package static func nearest(to word: String, among candidates: some Sequence<String>) -> String? {
        let lower = Array(word.lowercased())
        var best: (distance: Int, candidate: String)?
        for candidate in candidates {
            let distance = distance(lower, Array(candidate.lowercased()))
            let limit = max(1, min(lower.count, candidate.count) / 3)
            guard distance <= limit || isAbbreviation(lower, of: candidate) else { continue }
            if best.map({ (distance, candidate) < $0 }) ?? true { best = (distance, candidate) }
        }
        return best?.candidate
    }

    /// `; did you mean …?`, or else `; valid: …`; empty without candidates.
    package static func clause(for word: String, among candidates: some Collection<String>) -> String {
        if let nearest = nearest(to: word, among: candidates) { return "; did you mean \(nearest)?" }
        return candidates.isEmpty ? "" : "; valid: \(candidates.joined(separator: ", "))"
    }

    private static func isAbbreviation(_ word: [Character], of candidate: String) -> Bool {
        word.count >= 3 && candidate.lowercased().hasPrefix(String(word))
    }

    /// Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours each cost 1.
    static func distance(_ a: [Character], _ b: [Character]) -> Int {
        if a.isEmpty { return b.count }
        var beforeLast: [Int] = []
        var last = Array(0...b.count)
        for i in 1...a.count {
            var row = [i] + Array(repeating: 0, count: b.count)
            for j in stride(from: 1, through: b.count, by: 1) {
                row[j] = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1))
                if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
                    row[j] = min(row[j], beforeLast[j - 2] + 1)
                }
            }
            beforeLast = last
            last = row
        }
        return last[b.count]
    }
}
