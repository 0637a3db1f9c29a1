import CProcessor

/// Which of the three builds of the hot loops runs here. Decided once per process.
package enum InstructionSet: Int, Sendable, CaseIterable {
    case baseline = 1
    /// AVX2 and fused multiply-add.
    case v3 = 3
    /// AVX-512.
    case v4 = 4

    package static let active = InstructionSet(rawValue: Int(qsm_processor_level())) ?? .baseline

    /// Picks the build of one function for this processor.
    static func select<Function: Sendable>(_ baseline: Function, _ v3: Function, _ v4: Function) -> Function {
        switch active {
        case .baseline: baseline
        case .v3: v3
        case .v4: v4
        }
    }
}
