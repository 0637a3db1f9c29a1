/// Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror and Shaw 2011, doi 10.1145/2063384.2063405).
///
/// A number is a function of the key and of where it is used (say epoch, batch, sample), so the same bits come whatever
/// the order, the number of threads or how often the work was interrupted.
package struct Philox: Hashable, Sendable {
    package let key: SIMD2<UInt32>

    package init(seed: UInt64) {
        key = SIMD2(UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32))
    }

    /// Four independent words for one counter.
    package func words(_ counter: SIMD4<UInt32>) -> SIMD4<UInt32> {
        var c = counter
        var k = key
        for _ in 0..<10 {
            let first = UInt64(0xD251_1F53) * UInt64(c.x)
            let second = UInt64(0xCD9E_8D57) * UInt64(c.z)
            c = SIMD4(
                UInt32(truncatingIfNeeded: second >> 32) ^ c.y ^ k.x, UInt32(truncatingIfNeeded: second),
                UInt32(truncatingIfNeeded: first >> 32) ^ c.w ^ k.y, UInt32(truncatingIfNeeded: first))
            k = SIMD2(k.x &+ 0x9E37_79B9, k.y &+ 0xBB67_AE85)
        }
        return c
    }

    /// A generator that counts on from 0 in a stream of its own.
    package func stream(_ a: UInt32, _ b: UInt32 = 0, _ c: UInt32 = 0) -> Stream {
        Stream(philox: self, place: SIMD3(a, b, c))
    }

    /// Successive numbers of one place.
    package struct Stream: RandomNumberGenerator, Sendable {
        let philox: Philox
        let place: SIMD3<UInt32>
        private var position: UInt32 = 0
        private var words = SIMD4<UInt32>()

        init(philox: Philox, place: SIMD3<UInt32>) { (self.philox, self.place) = (philox, place) }

        package mutating func next32() -> UInt32 {
            let lane = Int(position & 3)
            if lane == 0 { words = philox.words(SIMD4(position >> 2, place.x, place.y, place.z)) }
            position &+= 1
            return words[lane]
        }

        package mutating func next() -> UInt64 {
            let low = UInt64(next32())
            return UInt64(next32()) << 32 | low
        }

        /// Uniform in 0 ..< 1, 24 bits.
        package mutating func uniform() -> Float { Float(next32() >> 8) * 0x1p-24 }
    }
}
