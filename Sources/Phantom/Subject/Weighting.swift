import Foundation

/// Contrast of an anatomical image.
enum Weighting: String, Sendable {
    case t1w = "T1w"
    case t2w = "T2w"
    case flair = "FLAIR"

    /// Echo, repetition and inversion times in seconds, as the sidecar has them.
    var timesSeconds: (echo: Double, repetition: Double, inversion: Double?) {
        switch self {
        case .t1w: (0.003, 2.3, 0.9)
        case .t2w: (0.09, 5, nil)
        case .flair: (0.09, 9, 2.5)
        }
    }

    /// Brightness of a tissue with white matter at 1.
    ///
    /// T2w follows from proton density and T2 at an echo of 90 ms. In FLAIR fluid is suppressed, and T1 takes about half of
    /// what T2 tells apart.
    func brightness(of code: UInt8) -> Double {
        let contrast = Physiology.contrast(of: code)
        if self == .t1w { return contrast.t1w }
        let white = Physiology.contrast(of: Tissue.white)
        func echo(_ c: (t1w: Double, density: Double, t2Milliseconds: Double)) -> Double {
            c.density * exp(-90 / c.t2Milliseconds)
        }
        let t2w = echo(contrast) / echo(white)
        if self == .t2w { return t2w }
        let isFluid = [Tissue.ventricle, Tissue.sulcus, Tissue.cistern, Tissue.eye].contains(code)
        return isFluid ? 0.15 : t2w.squareRoot()
    }

    /// By which part of itself a voxel filled by a lesion is brighter than the tissue was.
    func change(by kind: Lesion.Kind) -> Float {
        switch (self, kind) {
        case (.t1w, .rimPositive): -0.25
        case (.t1w, .rimNegative): -0.18
        case (.flair, .rimPositive), (.flair, .rimNegative): 0.35
        case (.t2w, .rimPositive), (.t2w, .rimNegative): 0.55
        case (.t1w, .microbleed): -0.03
        case (.t2w, .microbleed): -0.4
        case (.flair, .microbleed): -0.3
        case (.t2w, .ironDeposit): -0.3
        case (.flair, .ironDeposit): -0.25
        case (.t1w, .calcification): -0.2
        case (.t2w, .calcification), (.flair, .calcification): -0.4
        case (.t1w, .flowVoid): 0.3
        case (.t2w, .flowVoid): -0.7
        case (.flair, .flowVoid): -0.5
        case (.t1w, .ironDeposit), (_, .vein): 0
        }
    }
}
