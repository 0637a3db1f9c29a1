/// Words of sixteen counters: those of even and of odd counters apart, each in the lower half of 64 bits, because the
/// product of two halves is one instruction; what the upper halves hold does not matter.
typealias WordPairs = (even: SIMD8<UInt64>, odd: SIMD8<UInt64>)

@inline(always)
func apart(_ v: LaneBits) -> WordPairs {
    let pairs = unsafeBitCast(v, to: SIMD8<UInt64>.self)
    return (pairs, pairs &>> 32)
}

@inline(always)
func joined(_ w: WordPairs) -> LaneBits {
    unsafeBitCast((w.even & 0xffff_ffff) | (w.odd &<< 32), to: LaneBits.self)
}

@inline(always)
func product(_ w: WordPairs, _ factor: UInt64) -> WordPairs {
    ((w.even & 0xffff_ffff) &* factor, (w.odd & 0xffff_ffff) &* factor)
}

/// High words of products, mixed with two others.
@inline(always)
func mixed(_ product: WordPairs, _ w: WordPairs, _ key: UInt32) -> WordPairs {
    let k = SIMD8<UInt64>(repeating: UInt64(key))
    return ((product.even &>> 32) ^ w.even ^ k, (product.odd &>> 32) ^ w.odd ^ k)
}

/// Zero where a random half word is below the threshold.
@inline(always)
func dropped(_ p: UnsafeMutablePointer<Float>, _ words: LaneBits, _ limit: LaneBits) {
    store(load(p).replacing(with: 0, where: words .< limit), p)
}

/// y = x·scale where a random number of sixteen bits is `threshold` or more, else 0; y may be x.
///
/// Philox4x32-10 for counters (n, place), n = firstCounter, firstCounter + 1, …: lane l takes counter l of sixteen, whose
/// four words have the numbers of eight positions, upper halves first.
///
/// - Parameters:
///   - key: two words of the key, then three of the place.
///   - firstCounter: of the first position; eight positions use sixteen counters.
///   - threshold: 0 … 65535.
@inline(never)
package func dropOut(
    _ key: UnsafePointer<UInt32>, _ firstCounter: UInt32, _ threshold: UInt32, _ scale: Float,
    _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ count: Int
) {
    let limit = LaneBits(repeating: threshold &<< 16)
    var counter = firstCounter
    var i = 0
    while i < count {
        // Scaled in stretches that stay in the first-level cache: the generator's long chains would keep the loads
        // of values from running ahead.
        if i % 256 == 0 {
            var n = i * 16
            while n < min(count, i + 256) * 16 {
                store(load(x + n) * scale, y + n)
                n += 16
            }
        }
        var c0 = apart(unsafeBitCast(ramp(), to: LaneBits.self) &+ counter)
        var c1 = apart(LaneBits(repeating: key[2]))
        var c2 = apart(LaneBits(repeating: key[3]))
        var c3 = apart(LaneBits(repeating: key[4]))
        var (k0, k1) = (key[0], key[1])
        for _ in 0..<10 {
            let first = product(c0, 0xD251_1F53)
            let second = product(c2, 0xCD9E_8D57)
            c0 = mixed(second, c1, k0)
            c2 = mixed(first, c3, k1)
            c1 = second
            c3 = first
            k0 = k0 &+ 0x9E37_79B9
            k1 = k1 &+ 0xBB67_AE85
        }
        let (w0, w1, w2, w3) = (joined(c0), joined(c1), joined(c2), joined(c3))
        let q = y + i * 16
        let n = count - i
        dropped(q, w0, limit)
        if n > 1 { dropped(q + 16, w1, limit) }
        if n > 2 { dropped(q + 32, w2, limit) }
        if n > 3 { dropped(q + 48, w3, limit) }
        if n > 4 { dropped(q + 64, w0 &<< 16, limit) }
        if n > 5 { dropped(q + 80, w1 &<< 16, limit) }
        if n > 6 { dropped(q + 96, w2 &<< 16, limit) }
        if n > 7 { dropped(q + 112, w3 &<< 16, limit) }
        counter = counter &+ 16
        i += 8
    }
}
