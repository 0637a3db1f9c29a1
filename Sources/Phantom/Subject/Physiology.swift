import Foundation

/// Numbers per tissue: susceptibility by age and group, relaxation, relative brightness.
///
/// Susceptibilities, slopes and spreads follow published tables of healthy adults (anchored at ages 30 and 62); the shifts
/// in hemochromatosis are a design choice calibrated so that simple methods tell the groups apart as well as published
/// ones do. They describe this phantom, not patients.
enum Physiology {
    /// Mean χ at age 50, change per decade from 40 on and below 40, spread between people, shift in hemochromatosis at
    /// unit severity. All in ppb against the whole brain.
    struct Susceptibility {
        let at50: Double
        let slopeOld: Double
        let slopeYoung: Double
        let spread: Double
        let shift: Double

        init(_ at50: Double, _ slopeOld: Double, _ slopeYoung: Double, _ spread: Double, _ shift: Double = 0) {
            (self.at50, self.slopeOld, self.slopeYoung) = (at50, slopeOld, slopeYoung)
            (self.spread, self.shift) = (spread, shift)
        }

        /// The expected value for an age and group.
        func mean(age: Double, severity: Double) -> Double {
            at50 + slopeOld * (max(age, 40) - 50) / 10 + slopeYoung * (min(age, 40) - 40) / 10 + severity * shift
        }
    }

    static func susceptibility(of nucleus: Nucleus) -> Susceptibility {
        switch nucleus {
        case .caudate: Susceptibility(41, 0.5, 3, 9, 9)
        case .putamen: Susceptibility(57, 7.9, 9, 16, 16)
        case .pallidum: Susceptibility(122, 0, 3, 13, 9)
        case .accumbens: Susceptibility(22, 0, 0, 14)
        // Whole thalamus 9 ppb, of which the pulvinar is a quarter.
        case .thalamus: Susceptibility(-4, -7.3, 0.7, 5.5, 2.7)
        case .pulvinar: Susceptibility(48, 0, 2, 12, 12)
        case .substantiaNigra: Susceptibility(102, 3.5, 4, 15, 12)
        case .redNucleus: Susceptibility(98, 4.5, 6, 15, 15)
        case .dentate: Susceptibility(105, 5, 6, 20, 22)
        case .hippocampus: Susceptibility(0, 0, 0, 8)
        case .amygdala: Susceptibility(-5, 0, 0, 8)
        }
    }

    static let tissueSusceptibility: [UInt8: Susceptibility] = [
        Tissue.white: Susceptibility(-20, 0.5, -1, 3), Tissue.cortex: Susceptibility(12, 1, 1, 4),
        Tissue.ventricle: Susceptibility(12, 0, 0, 3), Tissue.sulcus: Susceptibility(12, 0, 0, 3),
        Tissue.brainstem: Susceptibility(-8, 0, 0, 4), Tissue.cerebellarCortex: Susceptibility(8, 0.5, 0, 4),
        Tissue.cerebellarWhite: Susceptibility(-14, 0, 0, 3),
    ]

    /// Signal in a T1w image with white matter at 1, proton density, and T2 in ms.
    static func contrast(of code: UInt8) -> (t1w: Double, density: Double, t2Milliseconds: Double) {
        if code >= 1, code <= 2 * UInt8(Nucleus.allCases.count) {
            switch Nucleus.allCases[Int(code - 1) / 2] {
            case .caudate: return (0.70, 0.83, 88)
            case .putamen: return (0.74, 0.82, 78)
            case .pallidum: return (0.88, 0.78, 64)
            case .accumbens: return (0.70, 0.83, 88)
            case .thalamus: return (0.82, 0.80, 87)
            case .pulvinar: return (0.80, 0.80, 87)
            case .substantiaNigra: return (0.84, 0.78, 73)
            case .redNucleus: return (0.86, 0.78, 68)
            case .dentate: return (0.84, 0.78, 90)
            case .hippocampus, .amygdala: return (0.66, 0.84, 95)
            }
        }
        return switch code {
        case Tissue.white: (1, 0.70, 70)
        case Tissue.cortex: (0.66, 0.83, 93)
        case Tissue.ventricle, Tissue.sulcus, Tissue.cistern: (0.18, 1, 1500)
        case Tissue.brainstem: (0.92, 0.72, 72)
        case Tissue.cerebellarCortex: (0.66, 0.84, 93)
        case Tissue.cerebellarWhite: (0.98, 0.70, 70)
        case Tissue.bone: (0.06, 0.05, 5)
        case Tissue.marrow: (0.72, 0.5, 40)
        case Tissue.muscle: (0.52, 0.7, 40)
        case Tissue.skin: (0.95, 0.6, 45)
        case Tissue.eye: (0.20, 1, 900)
        default: (0, 0, 50)
        }
    }

    /// R2* per ppm of |χ| (1/s), on top of 1/T2.
    static let relaxationPerPPM = 137.0
}
