import Foundation
import Kernels

/// Gabor filters (Q88H): a wave of length λ along the direction θ under a Gaussian whose standard deviation is σ along the
/// wave and σ/γ across it: exp(−(x̃² + γ² ỹ²) / 2σ² + 2πi x̃/λ), with x̃ = x cos θ + y sin θ and ỹ = y cos θ − x sin θ. They work in
/// planes: in the slices, or in all planes of the three axes, whose responses are averaged.
package struct GaborFilter: SingleFilter, Hashable {
    /// What is taken of the complex response.
    package enum Part: String, Sendable, Hashable, CaseIterable {
        case modulus, real, imaginary
    }

    /// σ (41LN).
    package let sigmaMillimetres: Double
    /// λ (S4N6).
    package let wavelengthMillimetres: Double
    /// γ (GDR5).
    package let ellipticity: Double
    /// θ (FQER) of each response, radians, from the first axis of the plane towards its second.
    package let orientations: [Double]
    /// How the responses of the orientations are pooled.
    package let pooling: ResponsePooling
    package let part: Part
    /// In the slices, or in the planes ij, ik and jk of the volume.
    package let dimensions: FilterDimensions
    package let edge: EdgeRule
    /// Where the kernel ends, in the larger of the two standard deviations; the Gaussian is below 4 · 10⁻⁶ there.
    private static let cutoff = 5.0

    package init(
        sigmaMillimetres: Double, wavelengthMillimetres: Double, ellipticity: Double, orientations: [Double],
        pooling: ResponsePooling = .mean, part: Part = .modulus, dimensions: FilterDimensions,
        edge: EdgeRule = .mirror
    ) {
        precondition(
            sigmaMillimetres > 0 && wavelengthMillimetres > 0 && ellipticity > 0 && !orientations.isEmpty,
            "a Gabor filter without width, wave or direction")
        (self.sigmaMillimetres, self.wavelengthMillimetres) = (sigmaMillimetres, wavelengthMillimetres)
        (self.ellipticity, self.orientations, self.pooling) = (ellipticity, orientations, pooling)
        (self.part, self.dimensions, self.edge) = (part, dimensions, edge)
    }

    /// Orientations in equal steps around the circle, for a response that hardly depends on how the image lies (O1AQ).
    package static func orientations(step: Double) -> [Double] {
        let count = max(1, Int((2 * Double.pi / step).rounded()))
        return (0..<count).map { Double($0) * step }
    }

    package var name: String {
        var parts = [
            "gabor-sigma-\(nameOfNumber(sigmaMillimetres))-mm-lambda-\(nameOfNumber(wavelengthMillimetres))-mm"
        ]
        parts.append("gamma-\(nameOfNumber(ellipticity))")
        let degrees = orientations.map { ($0 * 180 / .pi * 1000).rounded() / 1000 }
        if degrees.count == 1 {
            parts.append("theta-\(nameOfNumber(degrees[0]))")
        } else {
            parts.append("\(pooling.rawValue)-\(degrees.count)")
        }
        if part != .modulus { parts.append(part.rawValue) }
        return parts.joined(separator: "-") + "-" + dimensions.suffix
    }

    private func radius(_ spacing: Double) -> Int {
        Int((Self.cutoff * sigmaMillimetres * max(1, 1 / ellipticity) / spacing).rounded(.up))
    }

    package func reach(_ spacing: SIMD3<Double>) -> (x: Int?, y: Int?, z: Int?) {
        (radius(spacing.x), radius(spacing.y), dimensions == .volume ? radius(spacing.z) : 0)
    }

    package func response(
        of image: FilterImage, spacingMillimetres spacing: SIMD3<Double>, threads: Int
    ) -> FilterImage {
        let planes = dimensions == .slice ? [(0, 1, 2)] : [(0, 1, 2), (0, 2, 1), (1, 2, 0)]
        var sum = FilterImage(size: image.size, values: [Double](repeating: 0, count: image.count))
        for (first, second, across) in planes {
            addResponse(of: image, first, second, across, spacing, 1 / Double(planes.count), threads, to: &sum)
        }
        return sum
    }

    /// The orientations whose responses differ, and how often each counts. Waves of opposite directions have conjugate
    /// responses, as the image is real.
    private var distinctOrientations: [(angle: Double, count: Int)] {
        guard part != .imaginary else { return orientations.map { ($0, 1) } }
        var result: [(angle: Double, count: Int)] = []
        for angle in orientations {
            let same = result.firstIndex { other in
                let turns = (angle - other.angle) / .pi
                return abs(turns - turns.rounded()) < 1e-9
            }
            if let same { result[same].count += 1 } else { result.append((angle, 1)) }
        }
        return result
    }

    /// Adds the pooled response in all planes of two axes, times a weight.
    private func addResponse(
        of image: FilterImage, _ first: Int, _ second: Int, _ across: Int, _ spacing: SIMD3<Double>, _ weight: Double,
        _ threads: Int, to sum: inout FilterImage
    ) {
        let size = image.size
        let steps = [1, size.x, size.x * size.y]
        let (u, v) = (
            PaddedAxis(count: size[first], margin: radius(spacing[first]), edge: edge),
            PaddedAxis(count: size[second], margin: radius(spacing[second]), edge: edge)
        )
        let transform = FourierTransform(size: SIMD3(u.count, v.count, 1))
        let kernels = distinctOrientations.map { orientation in
            (
                spectrum: spectrum(orientation.angle, transform, spacing[first], spacing[second], threads),
                share: Double(orientation.count) / Double(orientations.count)
            )
        }
        let (pooling, part) = (pooling, part)
        sum.values.withUnsafeMutableBufferPointer { target in
            image.values.withUnsafeBufferPointer { source in
                Parallel.forEach(size[across], threads: threads) { plane in
                    let base = plane * steps[across]
                    let (real, imaginary) = Self.transformed(source, base, steps[first], steps[second], u, v, transform)
                    var (r, i) = (real, imaginary)
                    var pooled = [Double](repeating: 0, count: size[first] * size[second])
                    for (number, kernel) in kernels.enumerated() {
                        for n in r.indices {
                            r[n] = real[n] * kernel.spectrum[n]
                            i[n] = imaginary[n] * kernel.spectrum[n]
                        }
                        transform.transform(&r, &i, inverse: true)
                        for b in 0..<size[second] {
                            let row = u.margin + u.count * (v.margin + b)
                            for a in 0..<size[first] {
                                let value: Double
                                switch part {
                                case .modulus: value = (r[row + a] * r[row + a] + i[row + a] * i[row + a]).squareRoot()
                                case .real: value = r[row + a]
                                case .imaginary: value = i[row + a]
                                }
                                let place = a + size[first] * b
                                let old = pooled[place]
                                switch pooling {
                                case .mean: pooled[place] = old + value * kernel.share
                                case .max: pooled[place] = number == 0 || value > old ? value : old
                                case .min: pooled[place] = number == 0 || value < old ? value : old
                                }
                            }
                        }
                    }
                    for b in 0..<size[second] {
                        for a in 0..<size[first] {
                            let place = base + a * steps[first] + b * steps[second]
                            // There is no response at values that were left out of the transform.
                            target[place] += source[place].isFinite ? pooled[a + size[first] * b] * weight : .nan
                        }
                    }
                }
            }
        }
    }

    /// The transform of one plane.
    private static func transformed(
        _ source: UnsafeBufferPointer<Double>, _ base: Int, _ stepU: Int, _ stepV: Int, _ u: PaddedAxis,
        _ v: PaddedAxis, _ transform: FourierTransform
    ) -> ([Double], [Double]) {
        var real = [Double](repeating: 0, count: transform.count)
        var imaginary = real
        for b in 0..<v.count where v.places[b] >= 0 {
            let row = base + v.places[b] * stepV
            for a in 0..<u.count where u.places[a] >= 0 {
                let value = source[row + u.places[a] * stepU]
                real[a + u.count * b] = value.isFinite ? value : 0
            }
        }
        transform.transform(&real, &imaginary)
        return (real, imaginary)
    }

    /// The transform of the kernel around the origin, by the count of the grid: real, as opposite values of the kernel are
    /// conjugate.
    private func spectrum(
        _ angle: Double, _ transform: FourierTransform, _ spacingU: Double, _ spacingV: Double, _ threads: Int
    ) -> [Double] {
        let size = transform.size
        var real = [Double](repeating: 0, count: transform.count)
        var imaginary = real
        let (radiusU, radiusV) = (radius(spacingU), radius(spacingV))
        let spread = 1 / (2 * sigmaMillimetres * sigmaMillimetres)
        for b in -radiusV...radiusV {
            for a in -radiusU...radiusU {
                let (x, y) = (Double(a) * spacingU, Double(b) * spacingV)
                let along = x * cos(angle) + y * sin(angle)
                let across = (y * cos(angle) - x * sin(angle)) * ellipticity
                let height = exp(-(along * along + across * across) * spread)
                let place = (a + size.x) % size.x + size.x * ((b + size.y) % size.y)
                real[place] = height * cos(2 * .pi * along / wavelengthMillimetres)
                imaginary[place] = height * sin(2 * .pi * along / wavelengthMillimetres)
            }
        }
        transform.transform(&real, &imaginary, threads: threads)
        return real.map { $0 / Double(transform.count) }
    }
}
