import KernelsBase
import KernelsV3
import KernelsV4

let transformEightLines:
    @Sendable (
        MutableDoubles, MutableDoubles, MutableDoubles, MutableDoubles, Int, UnsafePointer<Int>, Int, Doubles, Doubles
    ) -> Bool =
        InstructionSet.select(
            KernelsBase.transformEightLines, KernelsV3.transformEightLines, KernelsV4.transformEightLines)

let multiplyEightLines: @Sendable (MutableDoubles, MutableDoubles, Int, Doubles, Doubles) -> Void =
    InstructionSet.select(
        KernelsBase.multiplyEightLines, KernelsV3.multiplyEightLines, KernelsV4.multiplyEightLines)

let turnEightLines: @Sendable (Doubles, MutableDoubles, Int, Int, Int, Bool) -> Void =
    InstructionSet.select(KernelsBase.turnEightLines, KernelsV3.turnEightLines, KernelsV4.turnEightLines)
