// What an optimiser does to every parameter, in one pass over its memory.

/// A step of Adam (Kingma and Ba 2015), for `count` groups of 16 parameters.
///
/// - Parameters:
///   - scale: of the gradient; `decay` times the parameter is added to it.
///   - shrink: multiplies the parameters first.
///   - rate: the learning rate over the bias correction of the first moment.
///   - root: the inverse square root of the bias correction of the second moment.
@inline(never)
package func adamStep(
    _ count: Int, _ values: UnsafeMutablePointer<Float>, _ gradient: UnsafePointer<Float>,
    _ first: UnsafeMutablePointer<Float>, _ second: UnsafeMutablePointer<Float>, _ scale: Float, _ decay: Float,
    _ shrink: Float, _ beta1: Float, _ beta2: Float, _ rate: Float, _ root: Float, _ epsilon: Float
) {
    let (new1, new2) = (1 - beta1, 1 - beta2)
    for n in 0..<count {
        let at = n &* 16
        let old = load(values + at) * shrink
        let g = fused(old, Lanes(repeating: decay), load(gradient + at) * scale)
        let m = load(first + at)
        let mean = fused(g - m, Lanes(repeating: new1), m)
        let square = fused(load(second + at), Lanes(repeating: beta2), g * g * new2)
        store(mean, first + at)
        store(square, second + at)
        let deviation = fused(square * inverseSquareRoot(square), Lanes(repeating: root), Lanes(repeating: epsilon))
        store(old - mean * rate / deviation, values + at)
    }
}
