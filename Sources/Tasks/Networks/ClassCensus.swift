/// How many there are of each class to learn from and to judge by: people, or lesions.
struct ClassCensus {
    /// Name of a class → how many distinct people or lesions.
    let learned: [String: Int]
    let judged: [String: Int]

    init(learned: [String], judged: [String]) {
        func counts(_ names: [String]) -> [String: Int] {
            names.reduce(into: [:]) { $0[$1, default: 0] += 1 }
        }
        (self.learned, self.judged) = (counts(learned), counts(judged))
    }

    private var all: [String: Int] { learned.merging(judged, uniquingKeysWith: +) }

    /// Why the levels of a column are no classes; nil where they may be.
    ///
    /// Most levels of a column that measures something, or numbers people, have one person each.
    ///
    /// - Parameter isNumeric: whether every level is a number.
    func refusal(column: String, isNumeric: Bool) -> String? {
        let all = all
        let lone = all.values.count { $0 == 1 }
        guard all.count >= (isNumeric ? 3 : 5), 2 * lone > all.count else { return nil }
        let people = all.values.reduce(0, +)
        return
            "the column \(column) has \(all.count) levels for \(people) people, \(lone) of them of one person each: "
            + (isNumeric ? "it looks continuous" : "it names people rather than groups")
            + "; name a column of groups with several people each, such as ranges of \(column)"
    }

    /// What cannot be learned well, or not be judged.
    ///
    /// - Parameter unit: one of those counted, and several: `person`, `people`.
    func warnings(unit: (one: String, several: String)) -> [String] {
        let absent = judged.keys.filter { learned[$0] == nil }.sorted()
        let lone = learned.filter { $0.value == 1 }.map(\.key).sorted()
        let unjudged = judged.isEmpty ? [] : learned.keys.filter { judged[$0] == nil }.sorted()
        var warnings: [String] = []
        func add(_ names: [String], _ sentence: (String) -> String) {
            guard !names.isEmpty else { return }
            let shown =
                names.prefix(5).joined(separator: ", ") + (names.count > 5 ? " and \(names.count - 5) more" : "")
            warnings.append(sentence("\(names.count == 1 ? "class" : "classes") \(shown)"))
        }
        add(absent) {
            "No \(unit.one) of \($0) is trained on: the model cannot learn it; another “seed” splits otherwise."
        }
        add(lone) { "Of \($0) only one \(unit.one) is trained on, which says little of others." }
        add(unjudged) { "The \(unit.several) that are only judged by have none of \($0), of which nothing is judged." }
        return warnings
    }
}
