import Foundation

/// Random numbers that depend on a seed and a path of names alone, so that adding a subject or a step never shifts the
/// numbers of another, and the order in which subjects are made does not matter.
struct RandomStream {
    private var state: UInt64
    private var spare: Double?

    /// - Parameter path: what the numbers are for, for example subject number and step.
    init(seed: UInt64, _ path: String...) {
        state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 0x1234_5678_9ABC_DEF1
        // FNV-1a over the path, with a separator, then one round of mixing.
        for part in path {
            for byte in part.utf8 { state = (state ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
            state = (state ^ 0xFF) &* 0x0000_0100_0000_01B3
        }
        _ = next()
    }

    /// SplitMix64.
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// Uniform in 0 ..< 1.
    mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

    mutating func uniform(_ low: Double, _ high: Double) -> Double { low + (high - low) * uniform() }

    /// Normal by Box and Muller.
    mutating func normal(_ mean: Double = 0, _ deviation: Double = 1) -> Double {
        if let value = spare {
            spare = nil
            return mean + deviation * value
        }
        let radius = (-2 * log(1 - uniform())).squareRoot()
        let angle = 2 * Double.pi * uniform()
        spare = radius * sin(angle)
        return mean + deviation * radius * cos(angle)
    }

    mutating func normalVector(_ deviation: Double) -> SIMD3<Double> {
        let x = normal()
        let y = normal()
        return SIMD3(x, y, normal()) * deviation
    }

    /// Fills with standard normal values.
    mutating func normals(_ count: Int) -> [Float] {
        var values = [Float](repeating: 0, count: count)
        for place in values.indices { values[place] = Float(normal()) }
        return values
    }
}
