/// Eigenvalues of small symmetric matrices: Householder reduction to tridiagonal form, then implicit QL steps (Golub & Van
/// Loan, Matrix Computations, chapter 8).
package enum SymmetricEigenvalues {
    /// Ascending eigenvalues of a matrix whose squares neither overflow nor vanish; NaN in all places when the iteration does not end.
    ///
    /// - Parameter matrix: n × n, row by row; only the lower triangle is read.
    package static func of(_ matrix: [Double], order n: Int) -> [Double] {
        precondition(matrix.count == n * n, "\(matrix.count) values for a matrix of order \(n)")
        guard n > 1 else { return matrix }
        var a = matrix
        var diagonal = [Double](repeating: 0, count: n)
        var off = [Double](repeating: 0, count: n)
        tridiagonalise(&a, n, &diagonal, &off)
        return iterate(&diagonal, &off) ? diagonal.sorted() : [Double](repeating: .nan, count: n)
    }

    /// `off[i]` couples i − 1 and i.
    private static func tridiagonalise(_ a: inout [Double], _ n: Int, _ diagonal: inout [Double], _ off: inout [Double])
    {
        a.withUnsafeMutableBufferPointer { a in
            var p = [Double](repeating: 0, count: n)
            for i in stride(from: n - 1, to: 0, by: -1) {
                // A reflection that leaves of row i only the entry beside the diagonal.
                var norm = 0.0
                for k in 0..<i { norm += a[i * n + k] * a[i * n + k] }
                diagonal[i] = a[i * n + i]
                let last = a[i * n + i - 1]
                let tail = norm - last * last
                guard i > 1, tail > 0 else {
                    off[i] = last
                    continue
                }
                let g = last > 0 ? -norm.squareRoot() : norm.squareRoot()
                off[i] = g
                let h = norm - last * g
                a[i * n + i - 1] = last - g
                var f = 0.0
                for j in 0..<i {
                    var sum = 0.0
                    for k in 0...j { sum += a[j * n + k] * a[i * n + k] }
                    for k in j + 1..<max(i, j + 1) { sum += a[k * n + j] * a[i * n + k] }
                    p[j] = sum / h
                    f += p[j] * a[i * n + j]
                }
                let half = f / (2 * h)
                for j in 0..<i { p[j] -= half * a[i * n + j] }
                for j in 0..<i {
                    let (u, q) = (a[i * n + j], p[j])
                    for k in 0...j { a[j * n + k] -= u * p[k] + q * a[i * n + k] }
                }
            }
            diagonal[0] = a[0]
        }
    }

    private static func iterate(_ d: inout [Double], _ e: inout [Double]) -> Bool {
        let n = d.count
        for i in 1..<n { e[i - 1] = e[i] }
        e[n - 1] = 0
        for l in 0..<n {
            var rounds = 0
            while true {
                var m = l
                while m < n - 1, abs(e[m]) > Double.ulpOfOne * (abs(d[m]) + abs(d[m + 1])) { m += 1 }
                if m == l { break }
                rounds += 1
                if rounds > 60 { return false }
                var g = (d[l + 1] - d[l]) / (2 * e[l])
                var r = (g * g + 1).squareRoot()
                g = d[m] - d[l] + e[l] / (g + (g >= 0 ? r : -r))
                var (s, c, p) = (1.0, 1.0, 0.0)
                var i = m - 1
                var isSplit = false
                while i >= l {
                    let f = s * e[i]
                    let b = c * e[i]
                    r = (f * f + g * g).squareRoot()
                    e[i + 1] = r
                    if r == 0 {
                        d[i + 1] -= p
                        e[m] = 0
                        isSplit = true
                        break
                    }
                    (s, c) = (f / r, g / r)
                    g = d[i + 1] - p
                    r = (d[i] - g) * s + 2 * c * b
                    p = s * r
                    d[i + 1] = g + p
                    g = c * r - b
                    i -= 1
                }
                if isSplit { continue }
                d[l] -= p
                e[l] = g
                e[m] = 0
            }
        }
        return true
    }
}
