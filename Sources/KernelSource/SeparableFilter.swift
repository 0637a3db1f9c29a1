// Symmetric separable convolution. Beyond the edge the outermost value repeats.

/// Convolves rows along the fastest axis.
///
/// - Parameters:
///   - source, target: `rows` rows of `width` values; they may be the same memory.
///   - taps: weights at distance 0…radius.
///   - padded: scratch of width + 2·radius + 16 values.
@inline(never)
package func convolveRows(
    _ source: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>, width: Int, rows: Int,
    taps: UnsafePointer<Float>, radius: Int, padded: UnsafeMutablePointer<Float>
) {
    for row in 0..<rows {
        let s = source + row * width
        let t = target + row * width
        for x in 0..<radius {
            padded[x] = s[0]
            padded[radius + width + x] = s[width - 1]
        }
        (padded + radius).update(from: s, count: width)
        let middle = padded + radius
        var x = 0
        while x + 16 <= width {
            var sum = load(middle + x) * taps[0]
            for d in 1..<(radius + 1) {
                sum = fused(load(middle + x - d) + load(middle + x + d), Lanes(repeating: taps[d]), sum)
            }
            store(sum, t + x)
            x += 16
        }
        while x < width {
            var sum = middle[x] * taps[0]
            for d in 1..<(radius + 1) {
                sum = fused(middle[x - d] + middle[x + d], taps[d], sum)
            }
            t[x] = sum
            x += 1
        }
    }
}

/// Convolves across planes: line `a` of the target is the weighted sum of lines a − radius … a + radius of the source.
///
/// - Parameters:
///   - source, target: `length` lines, `step` values apart; not the same memory.
///   - first, end: which lines of the target to write.
///   - width: values per line; contiguous.
@inline(never)
package func convolveLines(
    _ source: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>, width: Int, length: Int, step: Int,
    first: Int, end: Int, taps: UnsafePointer<Float>, radius: Int
) {
    let last = length - 1
    var x = 0
    // Blocks of 64 values keep all the source lines of one sum in the first cache level.
    while x + 64 <= width {
        for a in first..<end {
            let centre = source + a * step + x
            let t0 = Lanes(repeating: taps[0])
            var (s0, s1, s2, s3) = (
                load(centre) * t0, load(centre + 16) * t0, load(centre + 32) * t0, load(centre + 48) * t0
            )
            for d in 1..<(radius + 1) {
                let before = source + clamp(a - d, last) * step + x
                let after = source + clamp(a + d, last) * step + x
                let tap = Lanes(repeating: taps[d])
                s0 = fused(load(before) + load(after), tap, s0)
                s1 = fused(load(before + 16) + load(after + 16), tap, s1)
                s2 = fused(load(before + 32) + load(after + 32), tap, s2)
                s3 = fused(load(before + 48) + load(after + 48), tap, s3)
            }
            let t = target + a * step + x
            store(s0, t)
            store(s1, t + 16)
            store(s2, t + 32)
            store(s3, t + 48)
        }
        x += 64
    }
    while x + 16 <= width {
        for a in first..<end {
            var sum = load(source + a * step + x) * taps[0]
            for d in 1..<(radius + 1) {
                let before = source + clamp(a - d, last) * step + x
                let after = source + clamp(a + d, last) * step + x
                sum = fused(load(before) + load(after), Lanes(repeating: taps[d]), sum)
            }
            store(sum, target + a * step + x)
        }
        x += 16
    }
    while x < width {
        for a in first..<end {
            var sum = source[a * step + x] * taps[0]
            for d in 1..<(radius + 1) {
                let before = source[clamp(a - d, last) * step + x]
                let after = source[clamp(a + d, last) * step + x]
                sum = fused(before + after, taps[d], sum)
            }
            target[a * step + x] = sum
        }
        x += 1
    }
}
