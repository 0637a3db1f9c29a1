/// The paired deep nuclei of the phantom.
package enum Nucleus: String, CaseIterable, Sendable {
    case caudate, putamen, pallidum, accumbens, thalamus, pulvinar
    case substantiaNigra = "substantia_nigra"
    case redNucleus = "red_nucleus"
    case dentate, hippocampus, amygdala

    var abbreviation: String {
        switch self {
        case .caudate: "CN"
        case .putamen: "PUT"
        case .pallidum: "GP"
        case .accumbens: "NAC"
        case .thalamus: "THA"
        case .pulvinar: "PUL"
        case .substantiaNigra: "SN"
        case .redNucleus: "RN"
        case .dentate: "DN"
        case .hippocampus: "HIP"
        case .amygdala: "AMY"
        }
    }

    /// Colour-blind safe families: striatum blue, pallidum and thalamus green, midbrain red, the rest violet and ochre.
    fileprivate var colours: (left: String, right: String) {
        switch self {
        case .caudate: ("#0072B2", "#3D97CC")
        case .putamen: ("#56B4E9", "#86CBF1")
        case .pallidum: ("#009E73", "#3DBB98")
        case .accumbens: ("#00506B", "#2F7890")
        case .thalamus: ("#F0E442", "#F5EC7B")
        case .pulvinar: ("#B8A800", "#CFC23D")
        case .substantiaNigra: ("#D55E00", "#E38843")
        case .redNucleus: ("#B2182B", "#CC4F5E")
        case .dentate: ("#CC79A7", "#DBA0C1")
        case .hippocampus: ("#E69F00", "#EEB945")
        case .amygdala: ("#8C510A", "#AC7A3F")
        }
    }
}

/// A labelled region of the phantom: an index in every `dseg` it writes and a row of `dseg.tsv`.
package struct Region: Sendable, Hashable {
    package let index: UInt16
    /// `left_caudate`, `white_matter`, …
    package let name: String
    package let abbreviation: String
    /// Hexadecimal RGB.
    package let colour: String
    /// Generic index of the BIDS standard (2 white matter, 3 CSF, 8 cortical grey, 9 deep grey, 10 brainstem, …).
    package let genericIndex: Int
    /// nil for tissues.
    package let nucleus: Nucleus?

    /// Left and right nuclei (1…22), then tissues (31…36).
    package static let all: [Region] = {
        var regions: [Region] = []
        for (place, nucleus) in Nucleus.allCases.enumerated() {
            let index = UInt16(2 * place + 1)
            let generic = nucleus == .dentate ? 11 : nucleus == .redNucleus || nucleus == .substantiaNigra ? 10 : 9
            regions.append(
                Region(
                    index: index, name: "left_\(nucleus.rawValue)", abbreviation: "\(nucleus.abbreviation)_L",
                    colour: nucleus.colours.left, genericIndex: generic, nucleus: nucleus))
            regions.append(
                Region(
                    index: index + 1, name: "right_\(nucleus.rawValue)", abbreviation: "\(nucleus.abbreviation)_R",
                    colour: nucleus.colours.right, genericIndex: generic, nucleus: nucleus))
        }
        let tissues: [(UInt16, String, String, String, Int)] = [
            (31, "white_matter", "WM", "#E8E8E8", 2), (32, "cortex", "CGM", "#9E9E9E", 8),
            (33, "ventricles", "LV", "#1E3A8A", 3), (34, "brainstem", "BS", "#C9B79C", 10),
            (35, "cerebellar_cortex", "CBG", "#7A7A7A", 11), (36, "cerebellar_white_matter", "CBW", "#D8D8D8", 11),
        ]
        for (index, name, short, colour, generic) in tissues {
            regions.append(
                Region(
                    index: index, name: name, abbreviation: short, colour: colour, genericIndex: generic, nucleus: nil))
        }
        return regions
    }()
}

/// What fills a point of the template. Nuclei carry the number of their region; tissues follow from 31, and what is
/// outside the brain from 40.
enum Tissue {
    static let air: UInt8 = 0
    static let white: UInt8 = 31
    static let cortex: UInt8 = 32
    static let ventricle: UInt8 = 33
    static let brainstem: UInt8 = 34
    static let cerebellarCortex: UInt8 = 35
    static let cerebellarWhite: UInt8 = 36
    /// CSF of the sulci, within the brain's hull.
    static let sulcus: UInt8 = 37
    /// CSF between hull and skull.
    static let cistern: UInt8 = 40
    static let bone: UInt8 = 41
    static let marrow: UInt8 = 42
    static let muscle: UInt8 = 43
    static let skin: UInt8 = 44
    static let eye: UInt8 = 45
    static let count = 46

    static func nucleus(_ nucleus: Nucleus, right: Bool) -> UInt8 {
        UInt8(2 * Nucleus.allCases.firstIndex(of: nucleus)! + (right ? 2 : 1))
    }

    /// Whether a tissue has no thin structures of another kind inside (cortex has sulci, bone has marrow).
    static func isSolid(_ code: UInt8) -> Bool {
        code <= white || code == brainstem || code == cistern || code == muscle || code == marrow
    }

    /// The nucleus a code stands for; nil for tissues.
    static func nucleus(of code: UInt8) -> Nucleus? {
        let place = (Int(code) - 1) / 2
        return code > 0 && place < Nucleus.allCases.count ? Nucleus.allCases[place] : nil
    }

    static func isCortex(_ code: UInt8) -> Bool { code == cortex }
    static func isVentricle(_ code: UInt8) -> Bool { code == ventricle }
    static func isCerebellum(_ code: UInt8) -> Bool {
        code == cerebellarCortex || code == cerebellarWhite || nucleus(of: code) == .dentate
    }

    /// Whether a tissue belongs to the brain mask.
    static func isBrain(_ code: UInt8) -> Bool { code > 0 && code < cistern }
}
