/// A key of a description that means nothing there: a slip that would otherwise leave a setting at its default.
package struct UnknownKey: Error, CustomStringConvertible {
    package let key: String
    /// The object it is in, such as `channels.0`; empty for the outermost.
    package let place: String
    package let known: [String]

    /// The end of a sentence that begins with what was read.
    package var description: String {
        let advice = nearest.map { "did you mean \($0)?" } ?? "valid: \(known.joined(separator: ", "))"
        return "has the unknown key \(key)\(place.isEmpty ? "" : " in \(place)"); \(advice)"
    }

    /// The known key that differs in the fewest letters, where these are few.
    var nearest: String? {
        func distance(_ a: [Character], _ b: [Character]) -> Int {
            var last = Array(0...b.count)
            for (i, letter) in a.enumerated() {
                var row = [i + 1]
                for j in b.indices { row.append(min(last[j + 1] + 1, row[j] + 1, last[j] + (letter == b[j] ? 0 : 1))) }
                last = row
            }
            return last[b.count]
        }
        let word = Array(key.lowercased())
        // What is begun alike is meant, such as spacing for spacing_mm.
        if word.count >= 3, let longer = known.first(where: { $0.hasPrefix(String(word)) }) { return longer }
        let best = known.map { (distance: distance(word, Array($0)), key: $0) }.min { $0.distance < $1.distance }
        return best.flatMap { $0.distance <= max(1, word.count / 3) ? $0.key : nil }
    }
}

enum KnownKeys {
    private struct AnyKey: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    /// - Throws: `UnknownKey`, the first in the order of the alphabet.
    static func check(_ decoder: any Decoder, among known: [String]) throws {
        let keys = try decoder.container(keyedBy: AnyKey.self).allKeys.map(\.stringValue)
        guard let key = keys.filter({ !known.contains($0) }).min() else { return }
        let place = decoder.codingPath.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: ".")
        throw UnknownKey(key: key, place: place, known: known)
    }
}
