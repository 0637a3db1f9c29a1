import Statistics
import Workflow

/// What is done with the features of a case before a classifier sees them: what covariates explain is taken away, and what
/// is missing becomes the median. Learned from the cases of a training, and part of what it makes.
struct FeaturePreparation: Codable, Equatable {
    /// Numbers that belong to a case beside its features, such as the age of its person.
    struct Covariates: Codable, Equatable {
        /// Columns of participants.tsv.
        let names: [String]
        /// Over the cases trained on, each counted once; what nobody knows of a case is taken as this.
        let means: [Double]
        /// By feature, then by covariate: change of the feature per unit.
        let slopes: [[Double]]
    }

    /// Of the features, in order.
    let names: [String]
    /// nil where nothing is taken away.
    let covariates: Covariates?
    /// What a missing value becomes, by feature, after that; nil: missing values are refused.
    let medians: [Double]?

    /// Cases beside those that classes and covariates take up, from which a slope is learned.
    private static let leastFreedom = 3

    /// A case as it comes: by feature its value, by covariate its value; nil for what is missing.
    struct Case {
        var features: [Double?]
        var covariates: [Double?]
    }

    /// - Parameters:
    ///   - covariateNames: of the numbers to take away; empty: none.
    ///   - classes: of each case, so that what the classes differ in is not taken for what covariates explain.
    init(
        _ cases: [Case], names: [String], covariates covariateNames: [String], classes: [Int], refusesMissing: Bool
    ) {
        var found: Covariates?
        if !covariateNames.isEmpty {
            let means = covariateNames.indices.map { place in
                let known = cases.compactMap { $0.covariates[place] }
                return known.isEmpty ? 0 : known.reduce(0, +) / Double(known.count)
            }
            let slopes = names.indices.map { feature -> [Double] in
                // Of whom all is known. Where hardly anybody is left beside classes and covariates, a slope would be
                // chance, and far from the mean much of it.
                let known = cases.indices.filter { n in
                    cases[n].features[feature] != nil && cases[n].covariates.allSatisfy { $0 != nil }
                }
                let free = known.count - Set(known.map { classes[$0] }).count - covariateNames.count
                guard free >= Self.leastFreedom else { return means.map { _ in 0 } }
                return WithinClassSlopes.fit(
                    values: known.map { cases[$0].features[feature]! },
                    covariates: covariateNames.indices.map { place in known.map { cases[$0].covariates[place]! } },
                    classes: known.map { classes[$0] })
            }
            found = Covariates(names: covariateNames, means: means, slopes: slopes)
        }
        let adjustment = found
        (self.names, covariates) = (names, adjustment)
        medians =
            refusesMissing
            ? nil
            : names.indices.map { feature in
                Self.median(cases.compactMap { Self.adjusted($0, feature, adjustment) })
            }
    }

    /// The features of a case as the classifier sees them.
    ///
    /// - Returns: nil for what is missing where that is refused.
    func values(_ one: Case) -> [Double?] {
        names.indices.map { Self.adjusted(one, $0, covariates) ?? medians?[$0] }
    }

    private static func adjusted(_ one: Case, _ feature: Int, _ covariates: Covariates?) -> Double? {
        guard let value = one.features[feature], let covariates else { return one.features[feature] }
        return covariates.slopes[feature].indices.reduce(value) { rest, place in
            let own = one.covariates[place] ?? covariates.means[place]
            return rest - covariates.slopes[feature][place] * (own - covariates.means[place])
        }
    }

    /// 0 where there is no value at all: the feature then says nothing.
    private static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        guard !sorted.isEmpty else { return 0 }
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
}
