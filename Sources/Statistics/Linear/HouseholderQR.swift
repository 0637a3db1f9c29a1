/// QR factorisation of a tall matrix by Householder reflections, with columns that depend on earlier ones set aside.
///
/// Pivoting is limited: a column stays where it is unless what remains of it after the earlier columns is below
/// `tolerance` of its length; then it moves to the end and counts as aliased. So the reader finds the *later* of two
/// confounded covariates reported, and the order of coefficients is the order of the design.
///
/// - Source: the strategy of LINPACK's dqrdc2 as used by R's `lm`; reflections as in Golub and Van Loan §5.2.
struct HouseholderQR {
    let rows: Int
    /// Design columns in factor order: the first `rank` are estimable, the rest are aliased.
    private(set) var order: [Int]
    private(set) var rank: Int
    /// Column-major; upper triangle holds R, below it the reflection vectors without their first element.
    private var factor: [[Double]]
    private var heads: [Double] = []

    /// - Parameter columns: design columns, all of length `rows`; `rows` ≥ number of columns is not needed.
    init(columns: [[Double]], rows: Int, tolerance: Double = 1e-10) {
        self.rows = rows
        order = Array(columns.indices)
        rank = columns.count
        factor = columns
        let lengths = columns.map { norm($0, from: 0) }
        var k = 0
        while k < rank {
            let column = order[k]
            let remaining = k < rows ? norm(factor[column], from: k) : 0
            if !(remaining > tolerance * lengths[column]) {
                order.append(order.remove(at: k))
                rank -= 1
                continue
            }
            // Reflect so that the diagonal gets the sign that does not cancel.
            let alpha = factor[column][k] > 0 ? -remaining : remaining
            heads.append(factor[column][k] - alpha)
            factor[column][k] = alpha
            for other in order[(k + 1)...] { reflect(&factor[other], with: k) }
            k += 1
        }
    }

    /// Multiplies by Qᵀ.
    func transposedProduct(_ vector: [Double]) -> [Double] {
        var result = vector
        for k in 0..<rank { reflect(&result, with: k) }
        return result
    }

    /// The inverse of the leading `rank` × `rank` triangle of R; `result[i][j]` with row i, column j, in factor order.
    func inverseTriangle() -> [[Double]] {
        var inverse = [[Double]](repeating: [Double](repeating: 0, count: rank), count: rank)
        for j in 0..<rank {
            inverse[j][j] = 1 / factor[order[j]][j]
            for i in stride(from: j - 1, through: 0, by: -1) {
                var sum = 0.0
                for m in (i + 1)...j { sum += factor[order[m]][i] * inverse[m][j] }
                inverse[i][j] = -sum / factor[order[i]][i]
            }
        }
        return inverse
    }

    /// Solves R b = the first `rank` elements of `qty`; result in factor order.
    func solve(_ qty: [Double]) -> [Double] {
        var b = [Double](repeating: 0, count: rank)
        for i in stride(from: rank - 1, through: 0, by: -1) {
            var sum = qty[i]
            for j in (i + 1)..<max(rank, i + 1) { sum -= factor[order[j]][i] * b[j] }
            b[i] = sum / factor[order[i]][i]
        }
        return b
    }

    /// Applies reflection k to a vector in place.
    private func reflect(_ vector: inout [Double], with k: Int) {
        let source = factor[order[k]]
        let head = heads[k]
        var dot = head * vector[k]
        var square = head * head
        for row in (k + 1)..<max(rows, k + 1) {
            dot += source[row] * vector[row]
            square += source[row] * source[row]
        }
        let scale = 2 * dot / square
        vector[k] -= scale * head
        for row in (k + 1)..<max(rows, k + 1) { vector[row] -= scale * source[row] }
    }
}

/// Length of the part of a vector from `start` on.
private func norm(_ vector: [Double], from start: Int) -> Double {
    var largest = 0.0
    for value in vector[start...] { largest = max(largest, abs(value)) }
    if largest == 0 { return 0 }
    var sum = 0.0
    for value in vector[start...] { sum += (value / largest) * (value / largest) }
    return largest * sum.squareRoot()
}
