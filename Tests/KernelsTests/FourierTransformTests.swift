import Foundation
import Kernels
import Testing

@Suite struct FourierTransformTests {
    /// Lengths of every kind: 1, primes, products of 2, 3 and 5, and others.
    static let sizes = [
        SIMD3(1, 1, 1), SIMD3(2, 3, 5), SIMD3(4, 6, 9), SIMD3(7, 1, 11), SIMD3(16, 13, 1), SIMD3(25, 27, 2),
        SIMD3(30, 17, 3), SIMD3(1, 60, 14), SIMD3(128, 2, 1),
    ]

    @Test(arguments: sizes)
    func transformsFollowTheirDefinition(_ size: SIMD3<Int>) {
        var generator = SeededGenerator(seed: 7)
        let count = size.x * size.y * size.z
        let real = (0..<count).map { _ in Double.random(in: -1...1, using: &generator) }
        let imaginary = (0..<count).map { _ in Double.random(in: -1...1, using: &generator) }
        var (x, y) = (real, imaginary)
        let transform = FourierTransform(size: size)
        transform.transform(&x, &y)
        var worst = 0.0
        for f in 0..<count {
            let wave = SIMD3(f % size.x, f / size.x % size.y, f / (size.x * size.y))
            var (re, im) = (0.0, 0.0)
            for n in 0..<count {
                let place = SIMD3(n % size.x, n / size.x % size.y, n / (size.x * size.y))
                var turns = 0.0
                for axis in 0..<3 {
                    turns += Double(wave[axis] * place[axis] % size[axis]) / Double(size[axis])
                }
                let (c, s) = (cos(2 * .pi * turns), -sin(2 * .pi * turns))
                re += real[n] * c - imaginary[n] * s
                im += real[n] * s + imaginary[n] * c
            }
            worst = max(worst, abs(re - x[f]), abs(im - y[f]))
        }
        #expect(worst < 1e-11 * Double(count).squareRoot(), "\(size)")
        var (a, b) = (x, y)
        transform.transform(&a, &b, inverse: true, threads: 3)
        for n in 0..<count {
            #expect(abs(a[n] / Double(count) - real[n]) < 1e-13 && abs(b[n] / Double(count) - imaginary[n]) < 1e-13)
        }
        // The same bits for any number of threads.
        var (c, d) = (real, imaginary)
        transform.transform(&c, &d, threads: 4)
        #expect(c == x && d == y)
    }

    @Test func fastLengthsAreProductsOfSmallPrimes() {
        #expect(
            [1, 7, 11, 17, 31, 97, 211, 241].map { FourierTransform.fastCount(atLeast: $0) } == [
                1, 8, 12, 18, 32, 100, 216, 243,
            ])
    }
}
