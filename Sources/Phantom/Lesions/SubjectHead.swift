import Kernels

/// The head of one person in millimetres of its own: what is where, for lesions to be put into.
///
/// Positions are those of the template after the person's change of shape and size, before the pose in the scanner.
struct SubjectHead {
    let template: TemplateAnatomy
    let deformation: Deformation
    /// Factors on the template's axes.
    let size: SIMD3<Double>

    /// Unit vectors to the faces, edges and corners of a cube.
    static let directions: [SIMD3<Double>] = (0..<27).compactMap { n in
        let d = SIMD3(Double(n % 3 - 1), Double(n / 3 % 3 - 1), Double(n / 9 - 1))
        let length = (d * d).sum().squareRoot()
        return length > 0 ? d / length : nil
    }

    func tissue(at p: SIMD3<Double>) -> UInt8 {
        let q = p / size
        return template.code(at: q + deformation.displacement(at: q))
    }

    /// Where the head has what the template has at `p`.
    func position(ofTemplate p: SIMD3<Double>) -> SIMD3<Double> {
        var q = p
        // The displacement is smooth, so that this converges quickly.
        for _ in 0..<12 { q = p - deformation.displacement(at: q) }
        return q * size
    }

    /// Whether something is found in any of 26 directions, half way or all the way to a distance in mm.
    func reaches(_ isWanted: (UInt8) -> Bool, from p: SIMD3<Double>, within distance: Double) -> Bool {
        Self.directions.contains {
            isWanted(tissue(at: p + distance * $0)) || isWanted(tissue(at: p + distance / 2 * $0))
        }
    }

    /// In which part of 26 directions something is found at a distance in mm.
    func share(_ isWanted: (UInt8) -> Bool, around p: SIMD3<Double>, at distance: Double) -> Double {
        let found = Self.directions.count { isWanted(tissue(at: p + distance * $0)) }
        return Double(found) / Double(Self.directions.count)
    }
}
