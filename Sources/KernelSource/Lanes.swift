// Small building blocks of the hot loops. Everything here is inlined: these modules are compiled once per instruction
// set level and may hold nothing but free functions on pointers, so that no symbol of theirs can ever be merged with
// code that runs on an older processor.

typealias Lanes = SIMD16<Float>
typealias WholeLanes = SIMD16<Int32>

/// a·b + c, fused where the level has the instruction. (At the baseline `addingProduct` would call libm per lane.)
@inline(always)
func fused(_ a: Lanes, _ b: Lanes, _ c: Lanes) -> Lanes {
    #if QSM_FMA || arch(arm64)
        return c.addingProduct(a, b)
    #else
        return a * b + c
    #endif
}

/// a·b + c for one value, rounded as `fused` rounds.
@inline(always)
func fused(_ a: Float, _ b: Float, _ c: Float) -> Float {
    #if QSM_FMA || arch(arm64)
        return c.addingProduct(a, b)
    #else
        return a * b + c
    #endif
}

@inline(always)
func load(_ p: UnsafePointer<Float>) -> Lanes {
    UnsafeRawPointer(p).loadUnaligned(as: Lanes.self)
}

@inline(always)
func load(_ p: UnsafeMutablePointer<Float>) -> Lanes {
    UnsafeRawPointer(p).loadUnaligned(as: Lanes.self)
}

@inline(always)
func store(_ v: Lanes, _ p: UnsafeMutablePointer<Float>) {
    UnsafeMutableRawPointer(p).storeBytes(of: v, as: Lanes.self)
}

@inline(always)
func clamp(_ x: Int, _ last: Int) -> Int { x < 0 ? 0 : (x > last ? last : x) }

/// Values with negative ones times `slope`; with a slope of 0 these become zero, the infinite ones too.
@inline(always)
func scaledIfNegative(_ v: Lanes, _ slope: Float) -> Lanes {
    v.replacing(with: slope == 0 ? Lanes() : v * slope, where: v .< 0)
}

/// One over square roots of positive values, to single precision: an estimate from the bits, then three Newton steps.
/// (The square root of the vector type calls libm once per lane.)
@inline(always)
func inverseSquareRoot(_ v: Lanes) -> Lanes {
    let bits = unsafeBitCast(v, to: SIMD16<UInt32>.self)
    var y = unsafeBitCast(SIMD16<UInt32>(repeating: 0x5f37_59df) &- (bits &>> 1), to: Lanes.self)
    let half = v * 0.5
    y *= 1.5 - half * y * y
    y *= 1.5 - half * y * y
    y *= 1.5 - half * y * y
    return y
}
