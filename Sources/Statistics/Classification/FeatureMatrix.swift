/// Numbers that cases are told apart by: one column per feature, one row per case.
package struct FeatureMatrix: Sendable, Equatable {
    package let names: [String]
    package let rows: Int
    /// By feature, then by case.
    package let columns: [[Double]]

    /// - Parameter columns: by feature, every one with a value per case.
    /// - Throws: `StatisticsError` for columns of other lengths or values that are not finite.
    package init(names: [String], columns: [[Double]]) throws(StatisticsError) {
        guard names.count == columns.count else {
            throw .pairing("feature names", names.count, "columns", columns.count)
        }
        rows = columns.first?.count ?? 0
        for (name, column) in zip(names, columns) {
            guard column.count == rows else {
                throw .rowCount(covariate: name, rows: column.count, expected: rows)
            }
            if let place = column.firstIndex(where: { !$0.isFinite }) {
                throw .notFinite("feature '\(name)' of case \(place + 1)")
            }
        }
        (self.names, self.columns) = (names, columns)
    }

    package func row(_ n: Int) -> [Double] { columns.map { $0[n] } }

    /// Some of the cases, in this order; one may come several times.
    package func selecting(_ cases: [Int]) -> FeatureMatrix {
        FeatureMatrix(names: names, rows: cases.count, columns: columns.map { column in cases.map { column[$0] } })
    }

    private init(names: [String], rows: Int, columns: [[Double]]) {
        (self.names, self.rows, self.columns) = (names, rows, columns)
    }
}

/// Weights of the classes in what a classifier minimises.
package enum ClassWeights: Sendable, Equatable {
    /// Every case counts alike.
    case equal
    /// Every class counts alike: cases ÷ (classes × cases of the class).
    case balanced
    /// By class.
    case given([Double])

    /// One weight per class.
    func values(counts: [Int]) -> [Double] {
        switch self {
        case .equal: return counts.map { _ in 1 }
        case .given(let weights): return weights
        case .balanced:
            let total = Double(counts.reduce(0, +))
            return counts.map { $0 == 0 ? 0 : total / (Double(counts.count) * Double($0)) }
        }
    }
}

/// Cases of known classes, checked: what classifiers learn from.
struct ClassifiedCases {
    let features: FeatureMatrix
    /// Index of the class of each case.
    let classes: [Int]
    /// Cases per class.
    let counts: [Int]

    /// - Throws: `StatisticsError` where lists do not pair up, or fewer than two classes have cases.
    init(_ features: FeatureMatrix, classes: [Int], of number: Int) throws(StatisticsError) {
        guard features.rows == classes.count, classes.count > 1 else {
            throw .pairing("rows of features", features.rows, "classes", classes.count)
        }
        precondition(classes.allSatisfy { (0..<number).contains($0) }, "classes are 0 ..< \(number)")
        var counts = [Int](repeating: 0, count: number)
        for index in classes { counts[index] += 1 }
        guard counts.count(where: { $0 > 0 }) > 1 else {
            throw .oneClass("a classifier", positives: counts.max() ?? 0, negatives: 0)
        }
        (self.features, self.classes, self.counts) = (features, classes, counts)
    }
}
