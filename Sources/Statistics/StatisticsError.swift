/// Why a statistic cannot be computed from the values at hand.
package enum StatisticsError: Error, Sendable, Equatable, CustomStringConvertible {
    /// A covariate has another number of rows than the response.
    case rowCount(covariate: String, rows: Int, expected: Int)
    /// Two covariates, or a covariate and the intercept, have the same name.
    case duplicateName(String)
    /// The reference level asked for does not occur among the complete rows.
    case unknownReference(covariate: String, reference: String, levels: [String])
    /// Too few complete rows for the number of coefficients: no degree of freedom is left for the residual.
    case tooFewRows(complete: Int, dropped: Int, coefficients: Int)
    /// All values of the response are equal, so nothing is there to explain.
    case constantResponse(rows: Int)
    /// A contrast or test names a coefficient that the model does not have.
    case unknownCoefficient(String, available: [String])
    /// A contrast or test uses a coefficient that the data cannot tell apart from others.
    case aliasedCoefficient(String)
    /// A test names a term without estimable coefficients.
    case untestableTerm(String, available: [String])
    /// Agreement needs a full table of at least two subjects and two raters.
    case incompleteTable(subjects: Int, raters: Int)
    /// A value that must be finite is not.
    case notFinite(String)
    /// Two lists that belong together have other lengths, or are too short.
    case pairing(String, Int, String, Int)
    /// What tells two classes apart needs cases of both.
    case oneClass(String, positives: Int, negatives: Int)

    package var description: String {
        switch self {
        case .rowCount(let covariate, let rows, let expected):
            "covariate '\(covariate)' has \(rows) rows, the response has \(expected); give one value per row, "
                + "missing ones included"
        case .duplicateName(let name):
            "the name '\(name)' is used twice in the model; rename one of the covariates"
        case .unknownReference(let covariate, let reference, let levels):
            "covariate '\(covariate)' has no complete row with the reference level '\(reference)'; "
                + "choose one of: \(levels.joined(separator: ", "))"
        case .tooFewRows(let complete, let dropped, let coefficients):
            "\(complete) complete rows (\(dropped) dropped for missing values) are too few for \(coefficients) "
                + "coefficients; add subjects or leave covariates out"
        case .constantResponse(let rows):
            "all \(rows) values of the response are equal; nothing can be estimated"
        case .unknownCoefficient(let name, let available):
            "the model has no coefficient '\(name)'; it has: \(available.joined(separator: ", "))"
        case .aliasedCoefficient(let name):
            "coefficient '\(name)' cannot be estimated because it is a combination of others; "
                + "leave one of the confounded covariates out"
        case .untestableTerm(let name, let available):
            "the model has no estimable term '\(name)'; it has: \(available.joined(separator: ", "))"
        case .incompleteTable(let subjects, let raters):
            "agreement needs at least two subjects measured by at least two methods, not \(subjects) by \(raters), "
                + "and a finite value in every cell; drop incomplete subjects first"
        case .notFinite(let what):
            "\(what) is not a finite number; remove or correct the value"
        case .pairing(let first, let count, let second, let other):
            "\(count) \(first) and \(other) \(second) do not pair up; give as many of both, two or more"
        case .oneClass(let what, let positives, let negatives):
            "\(what) needs positive and negative cases, not \(positives) and \(negatives); add cases of the other class"
        }
    }
}
