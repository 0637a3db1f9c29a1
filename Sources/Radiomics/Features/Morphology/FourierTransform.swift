import Foundation

/// Discrete Fourier transform of complex values on a grid whose axes are powers of two: radix 2, double precision.
struct FourierTransform {
    let size: SIMD3<Int>
    private let roots: [[SIMD2<Double>]]

    /// - Parameter size: powers of two.
    init(size: SIMD3<Int>) {
        self.size = size
        roots = (0..<3).map { axis in
            let n = size[axis]
            precondition(n > 0 && n & (n - 1) == 0, "an axis of \(n) is not a power of two")
            return (0..<max(1, n / 2)).map {
                SIMD2(cos(2 * .pi * Double($0) / Double(n)), -sin(2 * .pi * Double($0) / Double(n)))
            }
        }
    }

    /// In place, i fastest; (real, imaginary) per voxel. Not scaled: forward and inverse together multiply by the count.
    func transform(_ values: inout [SIMD2<Double>], inverse: Bool = false) {
        values.withUnsafeMutableBufferPointer { values in
            for axis in 0..<3 {
                let n = size[axis]
                let stride = axis == 0 ? 1 : axis == 1 ? size.x : size.x * size.y
                var line = [SIMD2<Double>](repeating: .zero, count: n)
                for outer in 0..<values.count / (stride * n) {
                    for inner in 0..<stride {
                        let start = inner + stride * n * outer
                        for index in 0..<n { line[index] = values[start + stride * index] }
                        transformLine(&line, roots[axis], inverse)
                        for index in 0..<n { values[start + stride * index] = line[index] }
                    }
                }
            }
        }
    }

    private func transformLine(_ line: inout [SIMD2<Double>], _ roots: [SIMD2<Double>], _ inverse: Bool) {
        let n = line.count
        line.withUnsafeMutableBufferPointer { line in
            roots.withUnsafeBufferPointer { roots in
                var reversed = 0
                for index in 1..<max(n, 1) {
                    var bit = n >> 1
                    while reversed & bit != 0 {
                        reversed ^= bit
                        bit >>= 1
                    }
                    reversed |= bit
                    if index < reversed { line.swapAt(index, reversed) }
                }
                var length = 2
                while length <= n {
                    let half = length / 2
                    let step = n / length
                    for block in stride(from: 0, to: n, by: length) {
                        for k in 0..<half {
                            let root = roots[k * step]
                            let imaginary = inverse ? -root.y : root.y
                            let (a, b) = (line[block + k], line[block + k + half])
                            let turned = SIMD2(b.x * root.x - b.y * imaginary, b.x * imaginary + b.y * root.x)
                            line[block + k] = a + turned
                            line[block + k + half] = a - turned
                        }
                    }
                    length *= 2
                }
            }
        }
    }
}
