/// Discrete Fourier transform of complex values on a grid, in double precision. Axes of any length; fast where their prime
/// factors are 2, 3 and 5.
package struct FourierTransform: Sendable {
    package let size: SIMD3<Int>
    private let axes: [FourierAxis]

    package init(size: SIMD3<Int>) {
        self.size = size
        axes = (0..<3).map { FourierAxis(count: size[$0]) }
    }

    /// The smallest length of at least this many values that is transformed fast.
    package static func fastCount(atLeast count: Int) -> Int { FourierAxis.directCount(atLeast: count) }

    package var count: Int { size.x * size.y * size.z }

    /// In place, i fastest, real and imaginary parts apart. Not scaled: forward and inverse together multiply by `count`.
    ///
    /// - Parameter threads: how many threads to use; the result does not depend on it.
    package func transform(
        real: UnsafeMutablePointer<Double>, imaginary: UnsafeMutablePointer<Double>, inverse: Bool = false,
        threads: Int = 1
    ) {
        let (a, b) = inverse ? (imaginary, real) : (real, imaginary)
        for axis in 0..<3 where size[axis] > 1 { transformLines(a, b, axis, threads) }
    }

    /// The same for arrays.
    package func transform(
        _ real: inout [Double], _ imaginary: inout [Double], inverse: Bool = false, threads: Int = 1
    ) {
        precondition(real.count == count && imaginary.count == count, "values for another grid")
        real.withUnsafeMutableBufferPointer { real in
            imaginary.withUnsafeMutableBufferPointer { imaginary in
                transform(
                    real: real.baseAddress!, imaginary: imaginary.baseAddress!, inverse: inverse, threads: threads)
            }
        }
    }

    private func transformLines(_ real: MutableDoubles, _ imaginary: MutableDoubles, _ axis: Int, _ threads: Int) {
        let plan = axes[axis]
        let length = plan.count
        // Neighbouring lines of an axis are `next` apart, and their values `step`.
        let step = axis == 0 ? 1 : axis == 1 ? size.x : size.x * size.y
        let next = axis == 0 ? size.x : 1
        let lines = axis == 0 ? size.y * size.z : step
        let groups = axis == 1 ? size.z : 1
        let blocks = (lines + 7) / 8
        Parallel.forRanges(blocks * groups, piece: 16, threads: threads) { range in
            let buffer = MutableDoubles.allocate(capacity: 4 * plan.bufferCount)
            defer { buffer.deallocate() }
            buffer.initialize(repeating: 0, count: 4 * plan.bufferCount)
            let (r, i) = (buffer, buffer + plan.bufferCount)
            let (otherR, otherI) = (buffer + 2 * plan.bufferCount, buffer + 3 * plan.bufferCount)
            for block in range {
                let line = block % blocks * 8
                let start = block / blocks * step * length + line * next
                let width = min(8, lines - line)
                let (a, b) = (real + start, imaginary + start)
                Self.gather(a, r, length, step, next, width)
                Self.gather(b, i, length, step, next, width)
                let isOther = plan.transform(r, i, otherR, otherI)
                Self.scatter(isOther ? otherR : r, a, length, step, next, width)
                Self.scatter(isOther ? otherI : i, b, length, step, next, width)
            }
        }
    }

    private static func gather(
        _ source: MutableDoubles, _ target: MutableDoubles, _ length: Int, _ step: Int, _ next: Int, _ width: Int
    ) {
        if width == 8 && next == 1 {
            for n in 0..<length { (target + 8 * n).update(from: source + n * step, count: 8) }
        } else if width == 8 && step == 1 {
            turnEightLines(source, target, length, next, 8, false)
        } else {
            for lane in 0..<width {
                let line = source + lane * next
                for n in 0..<length { target[8 * n + lane] = line[n * step] }
            }
        }
    }

    private static func scatter(
        _ source: MutableDoubles, _ target: MutableDoubles, _ length: Int, _ step: Int, _ next: Int, _ width: Int
    ) {
        if width == 8 && next == 1 {
            for n in 0..<length { (target + n * step).update(from: source + 8 * n, count: 8) }
        } else if width == 8 && step == 1 {
            turnEightLines(source, target, length, 8, next, true)
        } else {
            for lane in 0..<width {
                let line = target + lane * next
                for n in 0..<length { line[n * step] = source[8 * n + lane] }
            }
        }
    }
}
