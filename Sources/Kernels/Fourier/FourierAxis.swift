#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Discrete Fourier transforms of one length, eight lines at a time. Lengths whose prime factors are 2, 3 and 5 are
/// transformed directly; others as a convolution with a chirp, of a longer such length (Bluestein 1970).
final class FourierAxis: Sendable {
    let count: Int
    /// Values that each of the four buffers must hold.
    let bufferCount: Int
    private let factors: [Int]
    private let cosines: [Double]
    private let sines: [Double]
    private let chirp: Chirp?

    private struct Chirp: Sendable {
        let inner: FourierAxis
        /// exp(−iπ n² / count).
        let cosines: [Double]
        let sines: [Double]
        /// Transform of the conjugate, wrapped around, by the inner length.
        let spectrumCosines: [Double]
        let spectrumSines: [Double]
    }

    init(count: Int) {
        precondition(count > 0, "a transform of no values")
        self.count = count
        if let factors = Self.factors(of: count) {
            self.factors = factors
            let angle = -2 * Double.pi / Double(count)
            cosines = (0..<count).map { cos(angle * Double($0)) }
            sines = (0..<count).map { sin(angle * Double($0)) }
            chirp = nil
            bufferCount = 8 * count
        } else {
            factors = []
            (cosines, sines) = ([], [])
            let chirp = Self.chirp(count)
            bufferCount = 8 * chirp.inner.count
            self.chirp = chirp
        }
    }

    /// The smallest length of at least this many values that is transformed directly.
    static func directCount(atLeast count: Int) -> Int {
        var result = count
        while factors(of: result) == nil { result += 1 }
        return result
    }

    private static func factors(of count: Int) -> [Int]? {
        var rest = count
        var result: [Int] = []
        for radix in [4, 2, 3, 5] {
            while rest % radix == 0 {
                result.append(radix)
                rest /= radix
            }
        }
        return rest == 1 ? result : nil
    }

    private static func chirp(_ count: Int) -> Chirp {
        let inner = FourierAxis(count: directCount(atLeast: 2 * count - 1))
        // n² modulo 2 · count keeps the angles small and exact.
        let angles = (0..<count).map { -Double.pi * Double($0 * $0 % (2 * count)) / Double(count) }
        let (cosines, sines) = (angles.map { cos($0) }, angles.map { sin($0) })
        let size = inner.bufferCount
        var (real, imaginary) = ([Double](repeating: 0, count: size), [Double](repeating: 0, count: size))
        for n in 0..<count {
            for place in Set([n, (inner.count - n) % inner.count]) {
                real[8 * place] = cosines[n]
                imaginary[8 * place] = -sines[n]
            }
        }
        var (otherReal, otherImaginary) = (real, imaginary)
        let isOther = inner.transform(&real, &imaginary, &otherReal, &otherImaginary)
        let scale = 1 / Double(inner.count)
        return Chirp(
            inner: inner, cosines: cosines, sines: sines,
            spectrumCosines: (0..<inner.count).map { (isOther ? otherReal : real)[8 * $0] * scale },
            spectrumSines: (0..<inner.count).map { (isOther ? otherImaginary : imaginary)[8 * $0] * scale })
    }

    /// Transforms eight lines (value n of line l at 8 n + l); not scaled. The inverse is the same with real and imaginary
    /// parts exchanged.
    ///
    /// - Parameters: the lines, and other buffers; `bufferCount` values each.
    /// - Returns: whether the result is in the other buffers.
    func transform(
        _ real: MutableDoubles, _ imaginary: MutableDoubles, _ otherReal: MutableDoubles,
        _ otherImaginary: MutableDoubles
    ) -> Bool {
        guard let chirp else {
            return transformEightLines(
                real, imaginary, otherReal, otherImaginary, count, factors, factors.count, cosines, sines)
        }
        let inner = chirp.inner
        multiplyEightLines(real, imaginary, count, chirp.cosines, chirp.sines)
        (real + 8 * count).update(repeating: 0, count: 8 * (inner.count - count))
        (imaginary + 8 * count).update(repeating: 0, count: 8 * (inner.count - count))
        let isOther = inner.transform(real, imaginary, otherReal, otherImaginary)
        let (r, i) = isOther ? (otherReal, otherImaginary) : (real, imaginary)
        let (s, j) = isOther ? (real, imaginary) : (otherReal, otherImaginary)
        multiplyEightLines(r, i, inner.count, chirp.spectrumCosines, chirp.spectrumSines)
        let isSwapped = inner.transform(i, r, j, s)
        let (endReal, endImaginary) = isSwapped ? (s, j) : (r, i)
        multiplyEightLines(endReal, endImaginary, count, chirp.cosines, chirp.sines)
        return isOther != isSwapped
    }
}
