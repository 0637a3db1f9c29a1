import BIDS
import Foundation

/// Who is in which fold: a function of the labels, the strata and the seed, and of nothing else.
///
/// People stand in a row, stratum after stratum, and are dealt to the folds in turn. A stratum is a stretch of that row, so
/// that the folds differ by at most one person of it, and by at most one in total. Within a stratum people are in the order
/// of a hash of seed and label: neither the order of files nor the machine matters.
package struct FoldAssignment: Hashable, Sendable {
    package let definition: FoldDefinition
    /// Folds count from 1 to this.
    package let count: Int
    /// Fold by label without `sub-`; whoever is not here is in none.
    package let folds: [String: Int]
    /// The groups that the columns made, as the document states them.
    package let strata: [JSONValue]
    /// Why somebody is in no fold who would be in one, by label: what is wrong with the file that decides it.
    package let reasons: [String: String]

    /// Deals a cohort's people out.
    ///
    /// Whoever cannot be used at all (every session has a problem) is in no fold.
    ///
    /// - Parameters:
    ///   - participants: `participants.tsv`; needed where the definition names columns of it.
    ///   - counts: by what is counted in tables of people's own, and by label.
    /// - Throws: `WorkflowError.folds` where there are too few people, or a column cannot be stratified by.
    package init(
        _ definition: FoldDefinition, cohort: Cohort, participants: CovariateTable?,
        counts: [FoldDefinition.Stratification: [String: Int]] = [:]
    ) throws(WorkflowError) {
        self.definition = definition
        let people = cohort.subjects.filter { Self.takesPart($0, among: definition.among) }.map(\.label).sorted()
        let members = Set(people)
        var reasons: [String: String] = [:]
        for subject in cohort.subjects where !members.contains(subject.label) {
            reasons[subject.label] = Self.files(of: subject, among: definition.among).lazy.compactMap(\.problem).first
        }
        self.reasons = reasons
        // Where files are damaged, that is what is to be mended.
        let damaged = Self.damage(reasons)
        let strata = try Strata(definition.stratify, of: people, participants, counts)
        self.strata = strata.description
        guard !definition.isMembership || !people.isEmpty else {
            throw .folds(
                Self.number(people, definition)
                    + (damaged ?? "; name the dataset that has such files with --derivatives, or add people"))
        }
        switch definition.count {
        case .eachPerson:
            guard people.count > 1 || definition.isMembership else {
                throw .folds(
                    "a fold for each person wants at least 2 people, and \(Self.number(people, definition))"
                        + (damaged ?? "; name the dataset that has such files with --derivatives, or add people"))
            }
            count = people.count
            folds = Dictionary(uniqueKeysWithValues: people.enumerated().map { ($1, $0 + 1) })
        case .folds(let stated):
            let count = definition.isMembership ? min(stated, people.count) : stated
            guard people.count >= count else {
                throw .folds(
                    "\(count) folds want at least \(count) people, and \(Self.number(people, definition))"
                        + (damaged
                            ?? (people.count < 2
                                ? "; name the dataset that has such files with --derivatives, or add people"
                                : "; take fewer folds, or each-person, which leaves one person out at a time"))
                )
            }
            self.count = count
            let row = people.map { (stratum: strata.stratum(of: $0), key: Self.key($0, definition.seed), label: $0) }
                .sorted { a, b in
                    if a.stratum != b.stratum { return a.stratum.lexicographicallyPrecedes(b.stratum) }
                    return (a.key, a.label) < (b.key, b.label)
                }
            folds = Dictionary(uniqueKeysWithValues: row.enumerated().map { ($1.label, $0 % count + 1) })
        }
    }

    /// Fold of a person; nil for whoever is in none.
    package func fold(of label: String) -> Int? { folds[label] }

    /// Whether a step that reads `people` reads this person's files.
    package func isAmong(_ people: FoldPeople, of fold: Int?, _ label: String) -> Bool {
        guard let own = folds[label] else { return false }
        return switch people {
        case .training: own != fold
        case .test: own == fold
        case .folds: true
        }
    }

    /// Sizes of the folds, the first first.
    package var sizes: [Int] {
        var sizes = [Int](repeating: 0, count: count)
        for fold in folds.values { sizes[fold - 1] += 1 }
        return sizes
    }

    /// What is stored: `{"folds": 5, "seed": 1, "stratify": […], "people": {"01": 3, …}}`.
    package var document: JSONValue {
        [
            "folds": .integer(Int64(count)), "seed": .integer(definition.seed), "stratify": .array(strata),
            "people": .object(folds.mapValues { .integer(Int64($0)) }),
        ]
    }

    private static func takesPart(_ subject: Cohort.Subject, among queries: [DatasetQuery]) -> Bool {
        guard queries.isEmpty else { return files(of: subject, among: queries).contains { $0.problem == nil } }
        return subject.sessions.contains { $0.problem == nil }
    }

    /// The files by which somebody is in a fold, damaged ones among them.
    private static func files(of subject: Cohort.Subject, among queries: [DatasetQuery]) -> [BIDSFile] {
        subject.sessions.filter { $0.problem == nil }.flatMap { session in
            queries.flatMap { query in
                var fileQuery = query.query
                if let other = query.session { fileQuery.entities["ses"] = other }
                return fileQuery.matches(in: query.session == nil ? session.files : subject.files)
            }
        }
    }

    /// The first of what is wrong, with its remedy.
    private static func damage(_ reasons: [String: String]) -> String? {
        reasons.min { $0.key < $1.key }.map { first in
            (reasons.count == 1
                ? ", besides 1 whose file is damaged: " : ", besides \(reasons.count) whose files are damaged: ")
                + first.value
        }
    }

    private static func number(_ people: [String], _ definition: FoldDefinition) -> String {
        let who =
            definition.among.isEmpty ? "" : " with \(definition.among.map { "\($0.query)" }.joined(separator: " or "))"
        return people.count == 1 ? "there is 1\(who)" : "there are \(people.count)\(who)"
    }

    private static func key(_ label: String, _ seed: Int64) -> String {
        ArtifactDigest(of: Data("fold \(seed) \(label)".utf8)).hex
    }
}

/// Some of the people in the folds, as steps read them: of which fold, where it is about one.
package struct FoldPart: Hashable, Sendable {
    package var people: FoldPeople
    package var fold: Int?

    package init(people: FoldPeople, fold: Int?) { (self.people, self.fold) = (people, fold) }
}

extension WorkflowDefinition {
    /// The parts of the folds whose covariates steps read.
    package func partsWithCovariates(folds: Int) -> [FoldPart] {
        var parts: Set<FoldPart> = []
        for step in steps where step.inputs.contains(where: { $0.source == .covariates }) {
            guard let people = step.people else { continue }
            if step.isPerFold {
                for fold in 1...max(1, folds) { parts.insert(FoldPart(people: people, fold: fold)) }
            } else {
                parts.insert(FoldPart(people: people, fold: nil))
            }
        }
        return parts.sorted { ($0.people.rawValue, $0.fold ?? 0) < ($1.people.rawValue, $1.fold ?? 0) }
    }
}
