/// Intensity-based statistics (IBSI family UHIW): values as they are, in the unit of the image.
package enum IntensityStatistics {
    package static let tags = [
        "stat_mean", "stat_var", "stat_skew", "stat_kurt", "stat_median", "stat_min", "stat_p10", "stat_p90",
        "stat_max",
        "stat_iqr", "stat_range", "stat_mad", "stat_rmad", "stat_medad", "stat_cov", "stat_qcod", "stat_energy",
        "stat_rms",
    ]

    /// In the order of `tags`; NaN where a feature does not exist.
    package static func measure(_ values: [Double]) -> [Double] {
        guard !values.isEmpty else { return [Double](repeating: .nan, count: tags.count) }
        let d = Distribution(values)
        return [
            d.mean, d.variance, d.skewness, d.kurtosis - 3, d.median, d.minimum, d.percentile(10), d.percentile(90),
            d.maximum, d.interquartileRange, d.range, d.meanAbsoluteDeviation(from: d.mean),
            d.robustMeanAbsoluteDeviation, d.meanAbsoluteDeviation(from: d.median), d.coefficientOfVariation,
            d.quartileCoefficientOfDispersion, d.energy(), (d.energy() / Double(values.count)).squareRoot(),
        ]
    }
}
