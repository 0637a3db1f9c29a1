/// A lesion, or what may be taken for one: an analytic shape in the head of its person, and what it does to images.
struct Lesion: Sendable {
    enum Kind: String, CaseIterable, Sendable {
        case microbleed
        case ironDeposit = "iron_deposit"
        case calcification
        case vein
        case flowVoid = "flow_void"
        case rimPositive = "rim_positive"
        case rimNegative = "rim_negative"

        /// Whether χ is added to that of the tissue, rather than taking its place.
        var adds: Bool { self == .ironDeposit || isDemyelination }
        var isDemyelination: Bool { self == .rimPositive || self == .rimNegative }

        /// What covers what where two overlap; the higher wins.
        var layer: Int {
            switch self {
            case .vein: 0
            case .flowVoid: 1
            case .ironDeposit: 2
            case .rimNegative, .rimPositive: 3
            case .calcification: 4
            case .microbleed: 5
            }
        }
    }

    /// The paramagnetic edge of a lesion.
    struct Rim: Sendable {
        let thicknessMillimetres: Double
        /// Part of the surface that it covers, 0…1; it fades out towards the rest.
        let coverage: Double
        /// On top of the core.
        let chiPPB: Double
        /// Unit vector to the middle of the covered part, in the axes of the ellipsoid.
        let axis: SIMD3<Double>
    }

    let kind: Kind
    /// Where, in a word: `periventricular`, `left_pallidum`, …
    let place: String
    let shape: LesionShape
    /// Of kinds that add the difference to the tissue, of the others their own.
    let chiPPB: Double
    /// How much wider it looks where T2* weights the image.
    var bloom = 1.0
    var rim: Rim?
}
