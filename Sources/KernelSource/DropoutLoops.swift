/// High and low words of the products of sixteen words with a constant.
@inline(__always)
func wideProduct(_ v: LaneBits, _ factor: UInt32) -> (high: LaneBits, low: LaneBits) {
    let pairs = unsafeBitCast(v, to: SIMD8<UInt64>.self)
    let even = (pairs & 0xffff_ffff) &* UInt64(factor)
    let odd = (pairs &>> 32) &* UInt64(factor)
    let high = (even &>> 32) | (odd & 0xffff_ffff_0000_0000)
    let low = (even & 0xffff_ffff) | (odd &<< 32)
    return (unsafeBitCast(high, to: LaneBits.self), unsafeBitCast(low, to: LaneBits.self))
}

/// y = x·scale where a random word is `threshold` or more, else 0; y may be x.
///
/// Philox4x32-10 for counters (n, place), n = firstCounter, firstCounter + 1, …: sixteen counters give the words of four
/// positions, one position per word of the counter.
///
/// - Parameters:
///   - key: two words of the key, then three of the place.
///   - firstCounter: of the first position; four positions use sixteen counters.
@inline(never)
package func dropOut(
    _ key: UnsafePointer<UInt32>, _ firstCounter: UInt32, _ threshold: UInt32, _ scale: Float,
    _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ count: Int
) {
    let ramp = LaneBits(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
    let limit = LaneBits(repeating: threshold)
    var counter = firstCounter
    var i = 0
    while i < count {
        var c0 = ramp &+ counter
        var c1 = LaneBits(repeating: key[2])
        var c2 = LaneBits(repeating: key[3])
        var c3 = LaneBits(repeating: key[4])
        var (k0, k1) = (key[0], key[1])
        for _ in 0..<10 {
            let first = wideProduct(c0, 0xD251_1F53)
            let second = wideProduct(c2, 0xCD9E_8D57)
            c0 = second.high ^ c1 ^ k0
            c2 = first.high ^ c3 ^ k1
            c1 = second.low
            c3 = first.low
            k0 = k0 &+ 0x9E37_79B9
            k1 = k1 &+ 0xBB67_AE85
        }
        let (p, q) = (x + i * 16, y + i * 16)
        let n = count - i
        store((load(p) * scale).replacing(with: 0, where: c0 .< limit), q)
        if n > 1 { store((load(p + 16) * scale).replacing(with: 0, where: c1 .< limit), q + 16) }
        if n > 2 { store((load(p + 32) * scale).replacing(with: 0, where: c2 .< limit), q + 32) }
        if n > 3 { store((load(p + 48) * scale).replacing(with: 0, where: c3 .< limit), q + 48) }
        counter = counter &+ 16
        i += 4
    }
}
