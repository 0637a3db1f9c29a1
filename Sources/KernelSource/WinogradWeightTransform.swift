// Weights of fast convolutions. See WinogradInput.swift.

/// Transform of three kernel elements of an axis for tiles of two outputs.
@inline(__always)
private func winogradWeight4(_ g0: Lanes, _ g1: Lanes, _ g2: Lanes) -> (Lanes, Lanes, Lanes, Lanes) {
    let even = (g0 + g2) * 0.5
    return (g0, fused(g1, Lanes(repeating: 0.5), even), fused(g1, Lanes(repeating: -0.5), even), g2)
}

/// Transform of three kernel elements of an axis for tiles of four outputs.
@inline(__always)
private func winogradWeight6(
    _ g0: Lanes, _ g1: Lanes, _ g2: Lanes
) -> (Lanes, Lanes, Lanes, Lanes, Lanes, Lanes) {
    let evenA = fused(g2, Lanes(repeating: 0.5), g0) * -0.666_666_7
    let oddA = g1 * -0.471_404_52
    let evenB = fused(g2, Lanes(repeating: 2), g0) * 0.166_666_67
    let oddB = g1 * 0.235_702_26
    return (g0, evenA + oddA, evenA - oddA, evenB + oddB, evenB - oddB, g2)
}

/// Writes the 4 or 6 frequencies of three kernel elements, `step` values apart.
@inline(__always)
private func storeFrequencies(
    _ frequencies: Int, _ g0: Lanes, _ g1: Lanes, _ g2: Lanes, _ t: UnsafeMutablePointer<Float>, _ step: Int
) {
    if frequencies == 4 {
        let y = winogradWeight4(g0, g1, g2)
        store(y.0, t)
        store(y.1, t + step)
        store(y.2, t + step &* 2)
        store(y.3, t + step &* 3)
    } else {
        let y = winogradWeight6(g0, g1, g2)
        store(y.0, t)
        store(y.1, t + step)
        store(y.2, t + step &* 2)
        store(y.3, t + step &* 3)
        store(y.4, t + step &* 4)
        store(y.5, t + step &* 5)
    }
}

/// Weights of input channels and 16 output channels along one axis: `outer` × 3 × `inner` vectors become `outer` ×
/// `frequencies` × `inner`, of 4 or 6 frequencies.
@inline(never)
package func winogradWeights(
    _ frequencies: Int, _ outer: Int, _ inner: Int, _ source: UnsafePointer<Float>,
    _ target: UnsafeMutablePointer<Float>
) {
    let step = inner &* 16
    for o in 0..<outer {
        for i in 0..<inner {
            let s = source + (o &* 3 &* inner &+ i) &* 16
            let t = target + (o &* frequencies &* inner &+ i) &* 16
            storeFrequencies(frequencies, load(s), load(s + step), load(s + step &* 2), t, step)
        }
    }
}

/// Weights of 16 input and 16 output channels, of a kernel of 3×3 or 3×3×3 elements, along all axes for one frequency of
/// depth.
///
/// - Parameters:
///   - depthFrequencies: 4 or 6; 1 for a kernel of 3×3 elements.
///   - source: element, input channel, output channel.
///   - target: height · width frequencies, `frequencyStride` values apart, of input channel, output channel.
@inline(never)
package func winogradWeightPlane(
    _ depthFrequencies: Int, _ depthFrequency: Int, _ heightFrequencies: Int, _ widthFrequencies: Int,
    _ source: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>, _ frequencyStride: Int
) {
    // The depth's transform as factors of its three elements.
    var (c0, c1, c2) = (Float(1), Float(0), Float(0))
    if depthFrequencies > 1 && depthFrequency &+ 1 == depthFrequencies {
        (c0, c2) = (0, 1)
    } else if depthFrequencies == 4 && depthFrequency > 0 {
        (c0, c1, c2) = (0.5, depthFrequency == 1 ? 0.5 : -0.5, 0.5)
    } else if depthFrequencies == 6 && depthFrequency > 0 {
        if depthFrequency < 3 {
            (c0, c1, c2) = (-0.666_666_7, depthFrequency == 1 ? -0.471_404_52 : 0.471_404_52, -0.333_333_34)
        } else {
            (c0, c1, c2) = (0.166_666_67, depthFrequency == 3 ? 0.235_702_26 : -0.235_702_26, 0.333_333_34)
        }
    }
    let (v0, v1, v2) = (Lanes(repeating: c0), Lanes(repeating: c1), Lanes(repeating: c2))
    let element: Int = 256
    let plane: Int = 9 * 256
    let column = heightFrequencies
    let step = widthFrequencies &* frequencyStride
    for n in 0..<16 {
        let s = source + n &* 16
        let t = target + n &* 16
        @inline(__always)
        func value(_ e: Int) -> Lanes {
            let p = s + e &* element
            if depthFrequencies == 1 { return load(p) }
            return fused(load(p + plane &* 2), v2, fused(load(p + plane), v1, load(p) * v0))
        }
        if widthFrequencies == 4 {
            let a = winogradWeight4(value(0), value(1), value(2))
            let b = winogradWeight4(value(3), value(4), value(5))
            let c = winogradWeight4(value(6), value(7), value(8))
            storeFrequencies(column, a.0, b.0, c.0, t, step)
            storeFrequencies(column, a.1, b.1, c.1, t + frequencyStride, step)
            storeFrequencies(column, a.2, b.2, c.2, t + frequencyStride &* 2, step)
            storeFrequencies(column, a.3, b.3, c.3, t + frequencyStride &* 3, step)
        } else {
            let a = winogradWeight6(value(0), value(1), value(2))
            let b = winogradWeight6(value(3), value(4), value(5))
            let c = winogradWeight6(value(6), value(7), value(8))
            storeFrequencies(column, a.0, b.0, c.0, t, step)
            storeFrequencies(column, a.1, b.1, c.1, t + frequencyStride, step)
            storeFrequencies(column, a.2, b.2, c.2, t + frequencyStride &* 2, step)
            storeFrequencies(column, a.3, b.3, c.3, t + frequencyStride &* 3, step)
            storeFrequencies(column, a.4, b.4, c.4, t + frequencyStride &* 4, step)
            storeFrequencies(column, a.5, b.5, c.5, t + frequencyStride &* 5, step)
        }
    }
}
