// Exponential, logarithm and what follows from them, sixteen values at a time and to about one unit in the last place.
// Polynomials of the Cephes library (S. Moshier, single precision). Rounding and exponents go through the bits of the
// values: conversions of whole vectors between integers and floats call a slow generic path on some levels.

typealias LaneBits = SIMD16<UInt32>

@inline(always)
func bits(_ v: Lanes) -> LaneBits { unsafeBitCast(v, to: LaneBits.self) }

@inline(always)
func lanes(_ b: LaneBits) -> Lanes { unsafeBitCast(b, to: Lanes.self) }

@inline(always)
func load(_ p: UnsafePointer<UInt32>) -> LaneBits { UnsafeRawPointer(p).loadUnaligned(as: LaneBits.self) }

/// `v` where the mask has ones, zero elsewhere.
@inline(always)
func kept(_ v: Lanes, _ mask: LaneBits) -> Lanes { lanes(bits(v) & mask) }

@inline(always)
func magnitude(_ v: Lanes) -> Lanes { lanes(bits(v) & 0x7fff_ffff) }

@inline(always)
func larger(_ a: Lanes, _ b: Lanes) -> Lanes { a.replacing(with: b, where: b .> a) }

@inline(always)
func sumOfLanes(_ v: Lanes) -> Float {
    let eight = v.lowHalf + v.highHalf
    let four = eight.lowHalf + eight.highHalf
    let two = four.lowHalf + four.highHalf
    return two.x + two.y
}

/// eˣ; 0 below −104, +∞ above 88.8, denormal results included.
@inline(always)
func exponential(_ x: Lanes) -> Lanes {
    var c = x.replacing(with: 89, where: x .> 89)
    c.replace(with: -104, where: c .< -104)
    // Adding 1.5·2²³ rounds to a whole number and leaves it in the low bits.
    let shifter = Lanes(repeating: 12_582_912)
    let t = fused(c, Lanes(repeating: 1.442_695_04), shifter)
    let n = t - shifter
    var r = fused(n, Lanes(repeating: -0.693_359_375), c)
    r = fused(n, Lanes(repeating: 2.121_944_4e-4), r)
    var p = fused(Lanes(repeating: 1.987_569_15e-4), r, Lanes(repeating: 1.398_199_95e-3))
    p = fused(p, r, Lanes(repeating: 8.333_451_9e-3))
    p = fused(p, r, Lanes(repeating: 4.166_579_6e-2))
    p = fused(p, r, Lanes(repeating: 1.666_666_55e-1))
    p = fused(p, r, Lanes(repeating: 0.5))
    p = fused(p, r * r, r) + 1
    // 2ⁿ in two factors: n reaches −150 and 128, beyond the exponents of normal numbers.
    let whole = unsafeBitCast(bits(t) &- 0x4b40_0000, to: WholeLanes.self)
    let half = whole &>> 1
    let rest = whole &- half
    let first = unsafeBitCast((half &+ 127) &<< 23, to: Lanes.self)
    let second = unsafeBitCast((rest &+ 127) &<< 23, to: Lanes.self)
    return p * first * second
}

/// Natural logarithm; −∞ at 0, not a number below.
@inline(always)
func logarithm(_ x: Lanes) -> Lanes {
    let isSmall = x .< 0x1p-126
    let scaled = x.replacing(with: x * 8_388_608, where: isSmall)
    let b = unsafeBitCast(scaled, to: WholeLanes.self)
    let exponent = (b &- 0x3f35_04f3) &>> 23
    let f = unsafeBitCast(b &- (exponent &<< 23), to: Lanes.self) - 1
    // A whole number of this size becomes a float through the low bits of 1.5·2²³.
    var e = unsafeBitCast(exponent &+ 0x4b40_0000, to: Lanes.self) - 12_582_912
    e.replace(with: e - 23, where: isSmall)
    let z = f * f
    var p = fused(Lanes(repeating: 7.037_683_6e-2), f, Lanes(repeating: -1.151_461_03e-1))
    p = fused(p, f, Lanes(repeating: 1.167_699_87e-1))
    p = fused(p, f, Lanes(repeating: -1.242_014_08e-1))
    p = fused(p, f, Lanes(repeating: 1.424_932_28e-1))
    p = fused(p, f, Lanes(repeating: -1.666_805_77e-1))
    p = fused(p, f, Lanes(repeating: 2.000_071_48e-1))
    p = fused(p, f, Lanes(repeating: -2.499_999_4e-1))
    p = fused(p, f, Lanes(repeating: 3.333_333_12e-1))
    p = p * f * z
    p = fused(e, Lanes(repeating: -2.121_944_4e-4), p)
    p = fused(z, Lanes(repeating: -0.5), p)
    var y = fused(e, Lanes(repeating: 0.693_359_375), f + p)
    y.replace(with: -.infinity, where: x .== 0)
    y.replace(with: .nan, where: x .< 0)
    y.replace(with: x, where: (x .== .infinity) .| (x .!= x))
    return y
}

/// log(1 + e) for e in 0 … 1, accurate for small e too: 2·artanh(e/(2 + e)) as a series.
@inline(always)
func logarithmOfOnePlus(_ e: Lanes) -> Lanes {
    let s = e / (e + 2)
    let z = s * s
    var p = fused(Lanes(repeating: 1 / 15), z, Lanes(repeating: 1 / 13))
    p = fused(p, z, Lanes(repeating: 1 / 11))
    p = fused(p, z, Lanes(repeating: 1 / 9))
    p = fused(p, z, Lanes(repeating: 1 / 7))
    p = fused(p, z, Lanes(repeating: 1 / 5))
    p = fused(p, z, Lanes(repeating: 1 / 3))
    return 2 * fused(p * z, s, s)
}

/// 1/(1 + e⁻ˣ)
@inline(always)
func logistic(_ x: Lanes) -> Lanes {
    let e = exponential(lanes(bits(x) | 0x8000_0000))
    let numerator = Lanes(repeating: 1).replacing(with: e, where: x .< 0)
    return numerator / (e + 1)
}

@inline(always)
func hyperbolicTangent(_ x: Lanes) -> Lanes {
    let a = magnitude(x)
    let z = x * x
    var p = fused(Lanes(repeating: -5.704_988_7e-3), z, Lanes(repeating: 2.063_908_9e-2))
    p = fused(p, z, Lanes(repeating: -5.373_971_5e-2))
    p = fused(p, z, Lanes(repeating: 1.333_144_2e-1))
    p = fused(p, z, Lanes(repeating: -3.333_328_2e-1))
    let near = fused(p * z, x, x)
    let far = 1 - 2 / (exponential(a + a) + 1)
    let signed = lanes(bits(far) | (bits(x) & 0x8000_0000))
    return signed.replacing(with: near, where: a .< 0.625)
}

/// One of the functions above for `count` values, a multiple of 16.
///
/// - Parameter function: 0 eˣ, 1 log x, 2 log(1 + x) for 0 … 1, 3 logistic, 4 hyperbolic tangent.
@inline(never)
package func elementaryFunction(
    _ function: Int, _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ count: Int
) {
    var i = 0
    while i < count {
        let v = load(x + i)
        switch function {
        case 0: store(exponential(v), y + i)
        case 1: store(logarithm(v), y + i)
        case 2: store(logarithmOfOnePlus(v), y + i)
        case 3: store(logistic(v), y + i)
        default: store(hyperbolicTangent(v), y + i)
        }
        i += 16
    }
}
