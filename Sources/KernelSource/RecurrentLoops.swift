// Loops of the recurrent layer: a product of small matrices and the step of a long short-term memory cell.

/// C = A·B, or C += A·B: `rows` × `columns`, columns a multiple of 16.
///
/// - Parameters:
///   - rowStep, innerStep: A's value for row m and inner index k lies at m·rowStep + k·innerStep.
///   - b: inner × columns, rows `bStep` apart.
///   - c: rows `cStep` apart.
@inline(never)
package func smallProduct(
    _ a: UnsafePointer<Float>, _ rowStep: Int, _ innerStep: Int, _ b: UnsafePointer<Float>, _ bStep: Int,
    _ c: UnsafeMutablePointer<Float>, _ cStep: Int, _ rows: Int, _ inner: Int, _ columns: Int, _ adds: Int
) {
    var n = 0
    while n < columns {
        let isPair = n + 32 <= columns
        var m = 0
        while m < rows {
            if isPair && m + 4 <= rows {
                var (c00, c01, c10, c11) = (Lanes(), Lanes(), Lanes(), Lanes())
                var (c20, c21, c30, c31) = (Lanes(), Lanes(), Lanes(), Lanes())
                var p = a + m * rowStep
                var q = b + n
                for _ in 0..<inner {
                    let (b0, b1) = (load(q), load(q + 16))
                    let (a0, a1) = (Lanes(repeating: p[0]), Lanes(repeating: p[rowStep]))
                    let (a2, a3) = (Lanes(repeating: p[2 * rowStep]), Lanes(repeating: p[3 * rowStep]))
                    c00 = fused(a0, b0, c00)
                    c01 = fused(a0, b1, c01)
                    c10 = fused(a1, b0, c10)
                    c11 = fused(a1, b1, c11)
                    c20 = fused(a2, b0, c20)
                    c21 = fused(a2, b1, c21)
                    c30 = fused(a3, b0, c30)
                    c31 = fused(a3, b1, c31)
                    p += innerStep
                    q += bStep
                }
                let r = c + m * cStep + n
                storeOrAdd(c00, r, adds)
                storeOrAdd(c01, r + 16, adds)
                storeOrAdd(c10, r + cStep, adds)
                storeOrAdd(c11, r + cStep + 16, adds)
                storeOrAdd(c20, r + 2 * cStep, adds)
                storeOrAdd(c21, r + 2 * cStep + 16, adds)
                storeOrAdd(c30, r + 3 * cStep, adds)
                storeOrAdd(c31, r + 3 * cStep + 16, adds)
                m += 4
            } else {
                var (c0, c1) = (Lanes(), Lanes())
                var p = a + m * rowStep
                var q = b + n
                for _ in 0..<inner {
                    let a0 = Lanes(repeating: p.pointee)
                    c0 = fused(a0, load(q), c0)
                    if isPair { c1 = fused(a0, load(q + 16), c1) }
                    p += innerStep
                    q += bStep
                }
                let r = c + m * cStep + n
                storeOrAdd(c0, r, adds)
                if isPair { storeOrAdd(c1, r + 16, adds) }
                m += 1
            }
        }
        n += isPair ? 32 : 16
    }
}

@inline(always)
func storeOrAdd(_ v: Lanes, _ p: UnsafeMutablePointer<Float>, _ adds: Int) {
    store(adds == 0 ? v : load(p) + v, p)
}

/// One step of a cell.
///
/// - Parameters:
///   - gates: input, forget, cell and output gate, `width` values each (a multiple of 16); sums in, activations out.
///   - before: state of the previous step.
@inline(never)
package func memoryCell(
    _ gates: UnsafeMutablePointer<Float>, _ before: UnsafePointer<Float>, _ state: UnsafeMutablePointer<Float>,
    _ output: UnsafeMutablePointer<Float>, _ width: Int
) {
    var i = 0
    while i < width {
        let (input, forget) = (logistic(load(gates + i)), logistic(load(gates + width + i)))
        let (cell, out) = (hyperbolicTangent(load(gates + 2 * width + i)), logistic(load(gates + 3 * width + i)))
        let c = fused(forget, load(before + i), input * cell)
        store(input, gates + i)
        store(forget, gates + width + i)
        store(cell, gates + 2 * width + i)
        store(out, gates + 3 * width + i)
        store(c, state + i)
        store(out * hyperbolicTangent(c), output + i)
        i += 16
    }
}

/// The step backwards.
///
/// - Parameters:
///   - gates, before, state: what the step forwards left.
///   - outputGradient: of the output of this step.
///   - stateGradient: of the state of this step from later ones; becomes that of the state before.
///   - gateGradient: of the four sums; overwritten.
@inline(never)
package func memoryCellBackward(
    _ gates: UnsafePointer<Float>, _ before: UnsafePointer<Float>, _ state: UnsafePointer<Float>,
    _ outputGradient: UnsafePointer<Float>, _ stateGradient: UnsafeMutablePointer<Float>,
    _ gateGradient: UnsafeMutablePointer<Float>, _ width: Int
) {
    var i = 0
    while i < width {
        let (input, forget) = (load(gates + i), load(gates + width + i))
        let (cell, out) = (load(gates + 2 * width + i), load(gates + 3 * width + i))
        let squashed = hyperbolicTangent(load(state + i))
        let dh = load(outputGradient + i)
        let dc = fused(dh * out, 1 - squashed * squashed, load(stateGradient + i))
        store(dc * cell * (input * (1 - input)), gateGradient + i)
        store(dc * load(before + i) * (forget * (1 - forget)), gateGradient + width + i)
        store(dc * input * (1 - cell * cell), gateGradient + 2 * width + i)
        store(dh * squashed * (out * (1 - out)), gateGradient + 3 * width + i)
        store(dc * forget, stateGradient + i)
        i += 16
    }
}
