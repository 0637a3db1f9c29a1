/// Decisions against the truth, for two or more classes.
package struct ConfusionMatrix: Sendable, Equatable {
    package let classes: [String]
    /// `counts[truth][decision]`.
    package private(set) var counts: [[Int]]

    package init(classes: [String]) {
        self.classes = classes
        counts = classes.map { _ in [Int](repeating: 0, count: classes.count) }
    }

    /// - Parameters:
    ///   - truth: indices into `classes`.
    ///   - decisions: likewise, one per case.
    package init(classes: [String], truth: [Int], decisions: [Int]) throws(StatisticsError) {
        guard truth.count == decisions.count else {
            throw .pairing("truths", truth.count, "decisions", decisions.count)
        }
        self.init(classes: classes)
        for (t, d) in zip(truth, decisions) { add(truth: t, decision: d) }
    }

    package mutating func add(truth: Int, decision: Int, cases: Int = 1) { counts[truth][decision] += cases }

    /// The cases of both, of a cross-validation's folds say.
    package static func + (a: ConfusionMatrix, b: ConfusionMatrix) -> ConfusionMatrix {
        precondition(a.classes == b.classes, "matrices of other classes cannot be added")
        var sum = a
        for t in b.counts.indices {
            for d in b.counts[t].indices { sum.counts[t][d] += b.counts[t][d] }
        }
        return sum
    }

    package var cases: Int { counts.reduce(0) { $0 + $1.reduce(0, +) } }

    /// Share of right decisions; nil without a case.
    package var accuracy: Double? {
        cases == 0 ? nil : Double(counts.indices.reduce(0) { $0 + counts[$1][$1] }) / Double(cases)
    }

    /// Mean recall over the classes that occur; nil without a case.
    package var balancedAccuracy: Double? {
        let recalls = classes.indices.compactMap { recall($0) }
        return recalls.isEmpty ? nil : recalls.reduce(0, +) / Double(recalls.count)
    }

    /// Of the cases of a class, the share that was found; nil where it does not occur.
    package func recall(_ index: Int) -> Double? {
        let all = counts[index].reduce(0, +)
        return all == 0 ? nil : Double(counts[index][index]) / Double(all)
    }

    /// Of the decisions for a class, the share that was right; nil where it was never decided for.
    package func precision(_ index: Int) -> Double? {
        let all = counts.reduce(0) { $0 + $1[index] }
        return all == 0 ? nil : Double(counts[index][index]) / Double(all)
    }

    /// 2TP / (2TP + FP + FN); nil where the class neither occurs nor is decided for.
    package func f1(_ index: Int) -> Double? {
        let occurring = counts[index].reduce(0, +)
        let decided = counts.reduce(0) { $0 + $1[index] }
        return occurring + decided == 0 ? nil : 2 * Double(counts[index][index]) / Double(occurring + decided)
    }

    /// Agreement beyond chance (Cohen, Educ Psychol Meas 20 (1960) 37–46); nil without a case or where chance is certain.
    package var cohensKappa: Double? {
        guard let accuracy else { return nil }
        let n = Double(cases)
        let chance = classes.indices.reduce(0.0) { sum, index in
            let truth = Double(counts[index].reduce(0, +))
            let decided = Double(counts.reduce(0) { $0 + $1[index] })
            return sum + truth * decided / (n * n)
        }
        return chance == 1 ? nil : (accuracy - chance) / (1 - chance)
    }
}
