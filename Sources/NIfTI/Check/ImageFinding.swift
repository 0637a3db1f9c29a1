/// Something a reader of the results should know about an image: one sentence, how bad it is, and a name for counting.
package struct ImageFinding: Sendable, Equatable, CustomStringConvertible {
    package enum Severity: String, Sendable, Comparable, CaseIterable {
        /// Worth recording.
        case note
        /// Results can be computed, but someone should look.
        case warning
        /// Results would be wrong.
        case error

        package static func < (a: Severity, b: Severity) -> Bool {
            let order = Severity.allCases
            return order.firstIndex(of: a)! < order.firstIndex(of: b)!
        }
    }

    package enum Kind: String, Sendable, CaseIterable {
        case noFiniteValues = "no_finite_values"
        case allZero = "all_zero"
        case constant
        case missingValues = "missing_values"
        case zeroInsideMask = "zero_inside_mask"
        case probablyPPB = "probably_ppb"
        case probablyPPM = "probably_ppm"
        case implausibleUnits = "implausible_units"
        case gridMismatch = "grid_mismatch"
        case placedApart = "placed_apart"
        case emptyMask = "empty_mask"
        case maskVolume = "mask_volume"
        case header
    }

    package var kind: Kind
    package var severity: Severity
    /// One sentence: which image, what is wrong, what to do.
    package var description: String

    package init(_ kind: Kind, _ severity: Severity, _ description: String) {
        (self.kind, self.severity, self.description) = (kind, severity, description)
    }
}
