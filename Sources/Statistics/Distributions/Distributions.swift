import Foundation

/// Student's t distribution.
package enum StudentT {
    /// Probability that |T| exceeds |t|, with `degreesOfFreedom` above 0. Keeps its relative accuracy in the far tail.
    package static func twoSided(_ t: Double, degreesOfFreedom df: Double) -> Double {
        if t.isNaN { return .nan }
        if t.isInfinite { return 0 }
        // Scaled so that neither t² nor the sum overflows.
        let u = t / df.squareRoot()
        let x = 1 / (1 + u * u)
        let y = abs(u) > 1 ? 1 / (1 + 1 / (u * u)) : u * u * x
        return IncompleteBeta.regularised(x: x, y: y, a: df / 2, b: 0.5).lower
    }

    /// P(T ≤ t).
    package static func cumulative(_ t: Double, degreesOfFreedom df: Double) -> Double {
        let tail = twoSided(t, degreesOfFreedom: df) / 2
        return t > 0 ? 1 - tail : tail
    }

    /// The t above zero that |T| exceeds with probability `probability`, 0 < probability < 1.
    ///
    /// A 95 % confidence interval uses `twoSidedCritical(0.05, …)`.
    package static func twoSidedCritical(_ probability: Double, degreesOfFreedom df: Double) -> Double {
        solveTail(at: probability) { twoSided($0, degreesOfFreedom: df) }
    }
}

/// Fisher's F distribution.
package enum FisherF {
    /// P(F > f) with the given numerator and denominator degrees of freedom, both above 0.
    package static func upperTail(_ f: Double, numerator d1: Double, denominator d2: Double) -> Double {
        if f.isNaN { return .nan }
        if f <= 0 { return 1 }
        if f.isInfinite { return 0 }
        let x = d2 / (d2 + d1 * f)
        let y = d1 * f / (d2 + d1 * f)
        return IncompleteBeta.regularised(x: x, y: y, a: d2 / 2, b: d1 / 2).lower
    }

    /// The f that F exceeds with probability `probability`, 0 < probability < 1.
    package static func critical(_ probability: Double, numerator d1: Double, denominator d2: Double) -> Double {
        solveTail(at: probability) { upperTail($0, numerator: d1, denominator: d2) }
    }
}

/// The standard normal distribution.
package enum Normal {
    /// P(Z ≤ z).
    package static func cumulative(_ z: Double) -> Double { 0.5 * erfc(-z / 2.0.squareRoot()) }

    /// P(|Z| > |z|).
    package static func twoSided(_ z: Double) -> Double { erfc(abs(z) / 2.0.squareRoot()) }

    /// The z above zero that |Z| exceeds with probability `probability`, 0 < probability < 1: 1.96 for 0.05.
    package static func twoSidedCritical(_ probability: Double) -> Double {
        solveTail(at: probability) { twoSided($0) }
    }
}

/// The argument above zero at which a falling tail probability equals `probability`, by bisection to the last bit.
private func solveTail(at probability: Double, _ tail: (Double) -> Double) -> Double {
    precondition(probability > 0 && probability < 1, "a tail probability is between 0 and 1, not \(probability)")
    var (low, high) = (0.0, 1.0)
    while tail(high) > probability, high < 1e300 { (low, high) = (high, high * 2) }
    while true {
        let middle = low + (high - low) / 2
        if middle <= low || middle >= high { return middle }
        if tail(middle) > probability { low = middle } else { high = middle }
    }
}
