import Statistics

/// The line shown in a value-against-age plot: value = intercept + age + group, with its 95 % band per group.
struct AgeFit {
    struct Band {
        /// Place of the group in the plot's series.
        let series: Int
        let points: [(age: Double, value: Double, lower: Double, upper: Double)]
    }

    let bands: [Band]

    /// nil when too few participants have an age, or all have the same.
    init?(ages: [Double?], values: [Double?], groups: [String?], series: Series) {
        let isGrouped = series.names.count > 1
        var covariates: [Covariate] = [.numeric("age", ages, centring: .mean)]
        if isGrouped { covariates.append(.categorical("group", groups.map { $0 ?? Series.absent })) }
        // Too few values, or all equal, is not an error of the reader's: the plot then has no line.
        guard let model = try? LinearModel(response: values, covariates: covariates),
            model.coefficient("age") != nil, model.residualDegreesOfFreedom >= 3
        else { return nil }
        let levels = model.terms.first { $0.name == "group" }?.levels ?? []
        bands = (isGrouped ? levels : [""]).compactMap { level in
            let members = model.rowsUsed.filter { !isGrouped || (groups[$0] ?? Series.absent) == level }
            let span = members.compactMap { ages[$0] }
            guard let low = span.min(), let high = span.max(), high > low else { return nil }
            let points = (0...12).compactMap { step -> (Double, Double, Double, Double)? in
                let age = low + (high - low) * Double(step) / 12
                // Names come from the model itself, so the prediction cannot fail.
                guard
                    let p = try? model.prediction(numeric: ["age": age], levels: isGrouped ? ["group": level] : [:])
                else { return nil }
                return (age, p.estimate, p.confidenceLower, p.confidenceUpper)
            }
            return Band(series: series.place(isGrouped ? level : nil), points: points)
        }
    }
}
