import Foundation
import Kernels

/// Wavelets that depend on the length of a frequency alone (LODD), as factors on the transform of the image. With |ν| in units
/// of the highest frequency of an axis, level n passes the band below f = 2^(1 − n).
///
/// The n frequencies of an axis are taken to be n numbers evenly from −1 to 1 with both ends, as those who made the
/// reference values did: with the exact 2k/n a reference value (9.B, minimum) is missed by more than its tolerance. Of an
/// even n none of them is 0; the factors of opposite frequencies then differ a little, and their mean counts.
package struct RadialWavelet: SingleFilter, Hashable {
    package enum Family: String, Sendable, Hashable, CaseIterable {
        /// 1 from f / 2 up to f.
        case shannon
        /// cos(π/2 · log₂(2 |ν| / f)) from f / 4 to f (PRT7).
        case simoncelli

        func factor(_ frequency: Double, below top: Double) -> Double {
            switch self {
            case .shannon: return frequency >= top / 2 && frequency < top ? 1 : 0
            case .simoncelli:
                return frequency > top / 4 && frequency < top ? cos(Double.pi / 2 * log2(2 * frequency / top)) : 0
            }
        }
    }

    package let family: Family
    /// From 1.
    package let level: Int
    package let dimensions: FilterDimensions
    /// Periodic images are transformed as they are, others with a margin of `margin` voxels.
    package let edge: EdgeRule

    package init(_ family: Family, level: Int = 1, dimensions: FilterDimensions, edge: EdgeRule = .periodic) {
        precondition(level >= 1, "wavelets of level \(level)")
        (self.family, self.level, self.dimensions, self.edge) = (family, level, dimensions, edge)
    }

    package var name: String { "\(family.rawValue)-\(level)-\(dimensions.suffix)" }

    /// The magnitude of the frequency at a place of a transform, in units of the highest.
    package static func frequency(_ place: Int, of count: Int) -> Double {
        guard count > 1 else { return 0 }
        if count % 2 == 1 { return Double(2 * min(place, count - place)) / Double(count - 1) }
        return Double(place < count / 2 ? 2 * place + 1 : 2 * (count - place) - 1) / Double(count - 1)
    }

    /// Beyond it less than a thousandth of the energy of the wavelet is left.
    private var margin: Int { 8 << level }

    package func reach(_ spacing: SIMD3<Double>) -> (x: Int?, y: Int?, z: Int?) {
        (nil, nil, dimensions == .volume ? nil : 0)
    }

    package func response(
        of image: FilterImage, spacingMillimetres spacing: SIMD3<Double>, threads: Int
    ) -> FilterImage {
        let padded = dimensions.axes.map { axis -> PaddedAxis in
            PaddedAxis(count: image.size[axis], margin: edge == .periodic ? 0 : margin, edge: edge)
        }
        let size = SIMD3(padded[0].count, padded[1].count, dimensions == .volume ? padded[2].count : 1)
        let transform = FourierTransform(size: size)
        let scale = 1 / Double(transform.count)
        let factors = factors(size).map { $0 * scale }
        var result = FilterImage(size: image.size, values: [Double](repeating: 0, count: image.count))
        if dimensions == .volume {
            let third = padded[2]
            filter(image, padded, third, 0, transform, factors, threads, into: &result)
        } else {
            // Slices one by one, each on all threads that it can use.
            for k in 0..<image.size.z {
                filter(image, padded, PaddedAxis(only: k), k, transform, factors, threads, into: &result)
            }
        }
        return result
    }

    /// The factors of all frequencies, i fastest. Each magnitude along an axis occurs twice; it is computed once.
    private func factors(_ size: SIMD3<Int>) -> [Double] {
        let axes = (0..<3).map { axis in (0..<size[axis]).map { Self.frequency($0, of: size[axis]) } }
        let distinct = axes.map { Set($0).sorted() }
        let places = zip(axes, distinct).map { axis, distinct in
            let place = Dictionary(uniqueKeysWithValues: distinct.enumerated().map { ($1, $0) })
            return axis.map { place[$0] ?? 0 }
        }
        let top = exp2(Double(1 - level))
        var octant: [Double] = []
        for c in distinct[2] {
            for b in distinct[1] {
                for a in distinct[0] { octant.append(family.factor((a * a + b * b + c * c).squareRoot(), below: top)) }
            }
        }
        var result: [Double] = []
        result.reserveCapacity(size.x * size.y * size.z)
        for k in places[2] {
            for j in places[1] {
                let row = distinct[0].count * (j + distinct[1].count * k)
                for i in places[0] { result.append(octant[row + i]) }
            }
        }
        return result
    }

    private func filter(
        _ image: FilterImage, _ padded: [PaddedAxis], _ third: PaddedAxis, _ slice: Int,
        _ transform: FourierTransform, _ factors: [Double], _ threads: Int, into result: inout FilterImage
    ) {
        var real = PaddedAxis.copy(image, padded[0], padded[1], third, threads: threads)
        var imaginary = [Double](repeating: 0, count: real.count)
        transform.transform(&real, &imaginary, threads: threads)
        for n in factors.indices {
            real[n] *= factors[n]
            imaginary[n] *= factors[n]
        }
        transform.transform(&real, &imaginary, inverse: true, threads: threads)
        let size = image.size
        let slices = dimensions == .volume ? 0..<size.z : slice..<slice + 1
        for k in slices {
            for j in 0..<size.y {
                let target = size.x * (j + size.y * k)
                let depth = third.margin + k - (dimensions == .volume ? 0 : slice)
                let source = padded[0].margin + padded[0].count * (padded[1].margin + j + padded[1].count * depth)
                for i in 0..<size.x {
                    // Values that are not finite were left out of the transform; there is no response at them.
                    result.values[target + i] = image.values[target + i].isFinite ? real[source + i] : .nan
                }
            }
        }
    }
}
