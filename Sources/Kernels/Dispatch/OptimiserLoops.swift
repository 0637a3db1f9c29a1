import KernelsBase
import KernelsV3
import KernelsV4

let adamStep:
    @Sendable (
        Int, MutableFloats, Floats, MutableFloats, MutableFloats, Float, Float, Float, Float, Float, Float, Float, Float
    ) -> Void =
        InstructionSet.select(KernelsBase.adamStep, KernelsV3.adamStep, KernelsV4.adamStep)
