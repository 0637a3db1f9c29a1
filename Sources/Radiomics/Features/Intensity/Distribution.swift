/// What intensity statistics and intensity histogram share: moments, percentiles and deviations of a set of values.
struct Distribution {
    let values: [Double]
    let sorted: [Double]
    let mean: Double
    /// With n.
    let variance: Double

    /// - Parameter values: in voxel order, at least one.
    init(_ values: [Double]) {
        precondition(!values.isEmpty, "a distribution of no values")
        self.values = values
        sorted = values.sorted()
        let count = Double(values.count)
        let mean = values.reduce(0, +) / count
        self.mean = mean
        variance =
            sorted[0] == sorted[values.count - 1] ? 0 : values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count
    }

    var minimum: Double { sorted[0] }
    var maximum: Double { sorted[sorted.count - 1] }
    var range: Double { maximum - minimum }
    var median: Double { percentile(50) }
    var interquartileRange: Double { percentile(75) - percentile(25) }

    /// Third standardised moment; NaN when all values are equal.
    var skewness: Double {
        let (second, third, _) = centralSums
        return third / (second * second.squareRoot())
    }

    /// Fourth standardised moment, 3 for a normal distribution; NaN when all values are equal.
    var kurtosis: Double {
        let (second, _, fourth) = centralSums
        return fourth / (second * second)
    }

    private var centralSums: (Double, Double, Double) {
        guard variance > 0 else { return (0, 0, 0) }
        var (third, fourth) = (0.0, 0.0)
        for value in values {
            let d = value - mean
            third += d * d * d
            fourth += d * d * d * d
        }
        let count = Double(values.count)
        return (variance, third / count, fourth / count)
    }

    /// Linear between neighbouring ranks.
    func percentile(_ p: Double) -> Double {
        let position = p / 100 * Double(sorted.count - 1)
        let rank = Int(position)
        guard rank + 1 < sorted.count else { return sorted[sorted.count - 1] }
        return sorted[rank] + (position - Double(rank)) * (sorted[rank + 1] - sorted[rank])
    }

    /// Mean of |value − centre|.
    func meanAbsoluteDeviation(from centre: Double) -> Double {
        values.reduce(0) { $0 + abs($1 - centre) } / Double(values.count)
    }

    /// Mean absolute deviation of the values from the 10th to the 90th percentile.
    var robustMeanAbsoluteDeviation: Double {
        let (low, high) = (percentile(10), percentile(90))
        var (count, sum) = (0, 0.0)
        for value in values where value >= low && value <= high {
            count += 1
            sum += value
        }
        let mean = sum / Double(count)
        var deviations = 0.0
        for value in values where value >= low && value <= high { deviations += abs(value - mean) }
        return deviations / Double(count)
    }

    var coefficientOfVariation: Double { variance.squareRoot() / mean }

    var quartileCoefficientOfDispersion: Double {
        let (low, high) = (percentile(25), percentile(75))
        return (high - low) / (high + low)
    }

    /// Sum of squares of value + shift.
    func energy(shift: Double = 0) -> Double { values.reduce(0) { $0 + ($1 + shift) * ($1 + shift) } }
}
