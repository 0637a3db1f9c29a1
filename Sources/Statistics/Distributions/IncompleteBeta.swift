import Foundation

/// The regularised incomplete beta function, both tails, from which the t and F distributions follow.
///
/// The tail away from the mean is a continued fraction (modified Lentz); its factor xᵃ(1−x)ᵇ/B(a,b) is computed in
/// deviance form, so that relative accuracy stays near 1e-14 for small shapes and 1e-12 for shapes of 1e5, where a difference
/// of log-gammas would lose six digits.
///
/// - Source: Numerical recipe of the continued fraction: DLMF 8.17.22. Deviance form: C. Loader, Fast and accurate
///   computation of binomial probabilities (2000).
package enum IncompleteBeta {
    /// Iₓ(a, b) and 1 − Iₓ(a, b), each without cancellation.
    ///
    /// - Parameters:
    ///   - x: 0…1.
    ///   - y: 1 − x, given apart because the caller usually knows it more accurately.
    ///   - a: shape, above 0.
    ///   - b: shape, above 0.
    package static func regularised(x: Double, y: Double, a: Double, b: Double) -> (lower: Double, upper: Double) {
        precondition(a > 0 && b > 0, "the shapes of the beta distribution are above zero, not \(a) and \(b)")
        if x.isNaN || y.isNaN { return (.nan, .nan) }
        if x <= 0 { return (0, 1) }
        if y <= 0 { return (1, 0) }
        // The fraction converges fast on the near side of the mean only.
        if x <= (a + 1) / (a + b + 2) {
            let lower = min(1, power(x: x, y: y, a: a, b: b) * fraction(x: x, a: a, b: b) / a)
            return (lower, 1 - lower)
        }
        let upper = min(1, power(x: y, y: x, a: b, b: a) * fraction(x: y, a: b, b: a) / b)
        return (1 - upper, upper)
    }

    /// xᵃ yᵇ / B(a, b) with y = 1 − x.
    package static func power(x: Double, y: Double, a: Double, b: Double) -> Double {
        let n = a + b
        let exponent =
            stirlingError(n) - stirlingError(a) - stirlingError(b) - deviance(a, n * x) - deviance(b, n * y)
        return exp(exponent) * (a * b / (2 * Double.pi * n)).squareRoot()
    }

    /// The continued fraction of DLMF 8.17.22, by Lentz's method. Needs about √max(a, b) steps.
    private static func fraction(x: Double, a: Double, b: Double) -> Double {
        let tiny = 1e-300
        var c = 1.0
        var d = 1 - (a + b) * x / (a + 1)
        d = 1 / (abs(d) < tiny ? tiny : d)
        var h = d
        for step in 1...100_000 {
            let m = Double(step)
            let even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
            d = 1 + even * d
            c = 1 + even / c
            d = 1 / (abs(d) < tiny ? tiny : d)
            c = abs(c) < tiny ? tiny : c
            h *= d * c
            let odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
            d = 1 + odd * d
            c = 1 + odd / c
            d = 1 / (abs(d) < tiny ? tiny : d)
            c = abs(c) < tiny ? tiny : c
            let change = d * c
            h *= change
            if abs(change - 1) < 1e-16 { break }
        }
        return h
    }

    /// ln Γ(z+1) − [(z+½) ln z − z + ½ ln 2π]: what Stirling's formula leaves out.
    private static func stirlingError(_ z: Double) -> Double {
        if z < 16 { return lgamma(z + 1) - (z + 0.5) * log(z) + z - 0.918_938_533_204_672_741_780_329_736_406 }
        let s = 1 / (z * z)
        // Bernoulli numbers over 2k(2k−1); the first term left out is below 1e-17 from z = 16 on.
        var sum = 43867.0 / 244_188
        sum = -3617.0 / 122_400 + s * sum
        sum = 1.0 / 156 + s * sum
        sum = -691.0 / 360_360 + s * sum
        sum = 1.0 / 1188 + s * sum
        sum = -1.0 / 1680 + s * sum
        sum = 1.0 / 1260 + s * sum
        sum = -1.0 / 360 + s * sum
        sum = 1.0 / 12 + s * sum
        return sum / z
    }

    /// z ln(z/m) + m − z, without cancellation where z and m are close.
    private static func deviance(_ z: Double, _ m: Double) -> Double {
        let difference = z - m
        if abs(difference) < 0.1 * (z + m) {
            let v = difference / (z + m)
            var sum = difference * v
            var term = 2 * z * v
            for k in 1..<1000 {
                term *= v * v
                let next = sum + term / Double(2 * k + 1)
                if next == sum { return next }
                sum = next
            }
            return sum
        }
        return z * log(z / m) + m - z
    }
}
