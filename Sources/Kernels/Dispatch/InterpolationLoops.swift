import KernelsBase
import KernelsV3
import KernelsV4

let sampleLinear: @Sendable (Floats, Int, Int, Int, Floats, Floats, Floats, Int, Float, MutableFloats) -> Void =
    InstructionSet.select(KernelsBase.sampleLinear, KernelsV3.sampleLinear, KernelsV4.sampleLinear)

let addDisplacement:
    @Sendable (
        Floats, Floats, Floats, Int, Int, Int, Floats, Floats, Floats, Int, MutableFloats, MutableFloats, MutableFloats
    ) -> Void =
        InstructionSet.select(KernelsBase.addDisplacement, KernelsV3.addDisplacement, KernelsV4.addDisplacement)

let fillLine:
    @Sendable (
        Int, Float, Float, Float, Float, Float, Float, MutableFloats, MutableFloats, MutableFloats
    ) -> Void =
        InstructionSet.select(KernelsBase.fillLine, KernelsV3.fillLine, KernelsV4.fillLine)

let transformPositions:
    @Sendable (
        Floats, Int, Floats, Floats, Floats, MutableFloats, MutableFloats, MutableFloats
    ) -> Void =
        InstructionSet.select(
            KernelsBase.transformPositions, KernelsV3.transformPositions, KernelsV4.transformPositions)

let sampleCubic: @Sendable (Floats, Int, Int, Int, Floats, Floats, Floats, Int, Float, MutableFloats) -> Void =
    InstructionSet.select(KernelsBase.sampleCubic, KernelsV3.sampleCubic, KernelsV4.sampleCubic)
