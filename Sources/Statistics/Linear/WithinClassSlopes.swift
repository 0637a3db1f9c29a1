/// Slopes of values on covariates among cases of the same class, by least squares over all classes together.
///
/// What the classes differ in takes no part: where patients are older than controls, the slope on age is still that of
/// people of one kind. Of covariates that say the same the later ones have no slope, as those that do not vary.
package enum WithinClassSlopes {
    /// - Parameters:
    ///   - values: one per case, finite.
    ///   - covariates: by covariate, one value per case each, finite.
    ///   - classes: of each case.
    /// - Returns: one slope per covariate, in units of the values per unit of the covariate.
    package static func fit(values: [Double], covariates: [[Double]], classes: [Int]) -> [Double] {
        precondition(
            values.count == classes.count && covariates.allSatisfy { $0.count == values.count },
            "values, covariates and classes are of the same cases")
        let places = Dictionary(grouping: classes.indices) { classes[$0] }.values
        func centred(_ values: [Double]) -> [Double] {
            var result = values
            for own in places {
                let mean = own.reduce(0.0) { $0 + values[$1] } / Double(own.count)
                for place in own { result[place] -= mean }
            }
            return result
        }
        func largest(_ values: [Double]) -> Double { values.reduce(0) { max($0, abs($1)) } }
        let columns = covariates.map(centred)
        // What is left of a constant by rounding is no variation.
        let varying = columns.indices.filter { largest(columns[$0]) > 1e-9 * largest(covariates[$0]) }
        let qr = HouseholderQR(columns: varying.map { columns[$0] }, rows: values.count)
        let solution = qr.solve(qr.transposedProduct(centred(values)))
        var slopes = [Double](repeating: 0, count: covariates.count)
        for (place, slope) in zip(qr.order, solution) { slopes[varying[place]] = slope }
        return slopes
    }
}
