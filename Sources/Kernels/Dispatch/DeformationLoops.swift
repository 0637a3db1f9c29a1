import KernelsBase
import KernelsV3
import KernelsV4

let warpRow:
    @Sendable (
        Floats, Int, Int, Int, Floats, Floats, Floats, Floats, Int, Int, Int, Float, MutableFloats
    ) -> Void =
        InstructionSet.select(KernelsBase.warpRow, KernelsV3.warpRow, KernelsV4.warpRow)

let composeRow:
    @Sendable (
        Floats, Floats, Floats, Int, Int, Int, Floats, Floats, Floats, Float, Int, Int, MutableFloats, MutableFloats,
        MutableFloats
    ) -> Void =
        InstructionSet.select(KernelsBase.composeRow, KernelsV3.composeRow, KernelsV4.composeRow)

let invertRow:
    @Sendable (
        Floats, Floats, Floats, Int, Int, Int, MutableFloats, MutableFloats, MutableFloats, Float, Int, Int
    ) -> Float =
        InstructionSet.select(KernelsBase.invertRow, KernelsV3.invertRow, KernelsV4.invertRow)

let largestSquare: @Sendable (Floats, Floats, Floats, Int) -> Float =
    InstructionSet.select(KernelsBase.largestSquare, KernelsV3.largestSquare, KernelsV4.largestSquare)

let jacobianRow: @Sendable (Floats, Floats, Floats, Int, Int, Int, Int, Int, MutableFloats) -> Void =
    InstructionSet.select(KernelsBase.jacobianRow, KernelsV3.jacobianRow, KernelsV4.jacobianRow)

let sumOfSquares: @Sendable (Floats, Floats, Floats, Int) -> Double =
    InstructionSet.select(KernelsBase.sumOfSquares, KernelsV3.sumOfSquares, KernelsV4.sumOfSquares)

let sumOfValues: @Sendable (Floats, Int) -> Double =
    InstructionSet.select(KernelsBase.sumOfValues, KernelsV3.sumOfValues, KernelsV4.sumOfValues)

let forceToStep: @Sendable (MutableFloats, MutableFloats, MutableFloats, Floats, Int, Float, Float, Float) -> Void =
    InstructionSet.select(KernelsBase.forceToStep, KernelsV3.forceToStep, KernelsV4.forceToStep)

let scaleRow: @Sendable (MutableFloats, MutableFloats, MutableFloats, Int, Floats, Float) -> Void =
    InstructionSet.select(KernelsBase.scaleRow, KernelsV3.scaleRow, KernelsV4.scaleRow)
