/// One explanatory variable of a linear model, one value per row, nil where it is missing.
package struct Covariate: Sendable, Equatable {
    /// What zero means for a numeric covariate, and so where the intercept is read.
    package enum Centring: Sendable, Equatable {
        /// Zero is zero.
        case none
        /// Zero is the mean over the rows that enter the model.
        case mean
        /// Zero is this value, for example age 50.
        case value(Double)
    }

    package enum Values: Sendable, Equatable {
        case numeric([Double?], centring: Centring)
        /// Levels in treatment coding against `reference`, or against the first level in sorted order.
        case categorical([String?], reference: String?)
    }

    package let name: String
    package let values: Values

    package static func numeric(_ name: String, _ values: [Double?], centring: Centring = .none) -> Covariate {
        Covariate(name: name, values: .numeric(values, centring: centring))
    }

    package static func categorical(_ name: String, _ values: [String?], reference: String? = nil) -> Covariate {
        Covariate(name: name, values: .categorical(values, reference: reference))
    }

    package init(name: String, values: Values) { (self.name, self.values) = (name, values) }

    var rows: Int {
        switch values {
        case .numeric(let values, _): values.count
        case .categorical(let values, _): values.count
        }
    }

    func isComplete(row: Int) -> Bool {
        switch values {
        case .numeric(let values, _): values[row].map(\.isFinite) ?? false
        case .categorical(let values, _): values[row] != nil
        }
    }
}

/// The design matrix of the complete rows, with a name for each column and the term it belongs to.
struct Design {
    struct Column {
        /// `Intercept`, the name of a numeric covariate, or `name[level]`.
        let name: String
        /// The covariate, or `Intercept`.
        let term: String
        let values: [Double]
    }

    static let intercept = "Intercept"

    let columns: [Column]
    /// Covariates in order, with the levels met (reference first) or none for numeric ones.
    let terms: [LinearModel.Term]
    /// Row numbers of the response that enter the model.
    let rowsUsed: [Int]

    init(response: [Double?], covariates: [Covariate], intercept: Bool) throws(StatisticsError) {
        var names: Set<String> = intercept ? [Self.intercept] : []
        for covariate in covariates {
            guard covariate.rows == response.count else {
                throw .rowCount(covariate: covariate.name, rows: covariate.rows, expected: response.count)
            }
            guard names.insert(covariate.name).inserted else { throw .duplicateName(covariate.name) }
        }
        let rowsUsed = response.indices.filter { row in
            guard let value = response[row], value.isFinite else { return false }
            return covariates.allSatisfy { $0.isComplete(row: row) }
        }
        var columns: [Column] = []
        var terms: [LinearModel.Term] = []
        if intercept {
            columns.append(
                Column(
                    name: Self.intercept, term: Self.intercept, values: [Double](repeating: 1, count: rowsUsed.count)))
        }
        for covariate in covariates {
            switch covariate.values {
            case .numeric(let values, let centring):
                let used = rowsUsed.compactMap { values[$0] }
                let zero: Double =
                    switch centring {
                    case .none: 0
                    case .mean: used.isEmpty ? 0 : accurateMean(used)
                    case .value(let value): value
                    }
                columns.append(Column(name: covariate.name, term: covariate.name, values: used.map { $0 - zero }))
                terms.append(LinearModel.Term(name: covariate.name, levels: [], zero: zero))
            case .categorical(let values, let reference):
                let used = rowsUsed.compactMap { values[$0] }
                var levels = Set(used).sorted()
                if let reference {
                    guard let place = levels.firstIndex(of: reference) else {
                        throw .unknownReference(covariate: covariate.name, reference: reference, levels: levels)
                    }
                    levels.insert(levels.remove(at: place), at: 0)
                }
                // Without an intercept the first factor keeps all its levels, so that the model spans the group means.
                let spansMean = intercept || columns.contains { $0.name.hasSuffix("]") }
                for level in levels.dropFirst(spansMean ? 1 : 0) {
                    columns.append(
                        Column(
                            name: "\(covariate.name)[\(level)]", term: covariate.name,
                            values: used.map { $0 == level ? 1 : 0 }))
                }
                terms.append(LinearModel.Term(name: covariate.name, levels: levels, zero: 0))
            }
        }
        (self.columns, self.terms, self.rowsUsed) = (columns, terms, rowsUsed)
    }
}

/// Mean with one correction step, exact to rounding also for values with a large common part.
func accurateMean(_ values: [Double]) -> Double {
    guard !values.isEmpty else { return .nan }
    let first = values.reduce(0, +) / Double(values.count)
    return first + values.reduce(0) { $0 + ($1 - first) } / Double(values.count)
}
