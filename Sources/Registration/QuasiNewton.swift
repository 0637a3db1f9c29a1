/// Maximises a smooth function of a few parameters: BFGS with a backtracking line search.
struct QuasiNewton {
    /// Steps are never longer than this, in units of the parameters.
    var longestStep: Double
    /// Ends when a step gains less than this fraction of the value.
    var relativeGain = 1e-6
    /// Ends when a step is shorter than this.
    var shortestStep = 1e-3

    /// - Parameter evaluate: value and gradient; the gradient is only asked for at accepted points.
    func maximise(
        from start: [Double], iterations: Int,
        _ evaluate: (_ parameters: [Double], _ wantsGradient: Bool) -> (value: Double, gradient: [Double])
    ) -> (parameters: [Double], value: Double) {
        let n = start.count
        var p = start
        var (value, gradient) = evaluate(p, true)
        var inverseHessian = identity(n)
        var isFresh = true
        for _ in 0..<iterations {
            var direction = (0..<n).map { r in (0..<n).reduce(0) { $0 + inverseHessian[r][$1] * gradient[$1] } }
            var rise = dot(direction, gradient)
            if rise <= 0 {
                direction = gradient
                rise = dot(gradient, gradient)
                inverseHessian = identity(n)
                isFresh = true
            }
            let length = dot(direction, direction).squareRoot()
            guard length > 0 else { break }
            // Without curvature known yet the gradient gives a direction but no length.
            var step = isFresh ? longestStep / 2 / length : min(1, longestStep / length)
            var next = p
            var nextValue = value
            var isAccepted = false
            while step * length >= shortestStep {
                next = (0..<n).map { p[$0] + step * direction[$0] }
                nextValue = evaluate(next, false).value
                if nextValue > value + 1e-4 * step * rise {
                    isAccepted = true
                    break
                }
                step /= 2
            }
            guard isAccepted else {
                if isFresh { break }
                inverseHessian = identity(n)
                isFresh = true
                continue
            }
            let (_, nextGradient) = evaluate(next, true)
            let s = (0..<n).map { next[$0] - p[$0] }
            let y = (0..<n).map { gradient[$0] - nextGradient[$0] }
            let gain = nextValue - value
            (p, value, gradient) = (next, nextValue, nextGradient)
            update(&inverseHessian, s, y, isFresh)
            isFresh = false
            if gain < relativeGain * abs(value) { break }
        }
        return (p, value)
    }

    /// The BFGS update, for minimisation of the negative: s is the step, y the change of its gradient.
    private func update(_ h: inout [[Double]], _ s: [Double], _ y: [Double], _ isFresh: Bool) {
        let n = s.count
        let sy = dot(s, y)
        guard sy > 1e-12 * dot(s, s).squareRoot() * dot(y, y).squareRoot() else { return }
        if isFresh {
            let scale = sy / dot(y, y)
            for r in 0..<n { h[r][r] = scale }
        }
        let hy = (0..<n).map { r in dot(h[r], y) }
        let yhy = dot(y, hy)
        for r in 0..<n {
            for c in 0..<n {
                let outer: Double = (1 + yhy / sy) * s[r] * s[c]
                h[r][c] += (outer - hy[r] * s[c] - s[r] * hy[c]) / sy
            }
        }
    }

    private func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }

    private func identity(_ n: Int) -> [[Double]] { (0..<n).map { r in (0..<n).map { r == $0 ? 1 : 0 } } }
}
