import KernelsBase
import KernelsV3
import KernelsV4

let classLoss:
    @Sendable (
        Floats, Int, Int, UnsafePointer<UInt8>, Floats, Float, Float, MutableFloats?, Int, MutableFloats, Int,
        MutableDoubles
    ) -> Void =
        InstructionSet.select(KernelsBase.classLoss, KernelsV3.classLoss, KernelsV4.classLoss)

let diceSums:
    @Sendable (
        Int, Floats, Int, Int, UnsafePointer<UInt8>?, Int, Int, Floats?, Int, MutableFloats, Int, MutableDoubles
    ) -> Void =
        InstructionSet.select(KernelsBase.diceSums, KernelsV3.diceSums, KernelsV4.diceSums)

let diceGradient:
    @Sendable (
        Int, Floats, Int, Int, UnsafePointer<UInt8>?, Int, Int, Floats?, Int, MutableFloats, Int, Floats,
        MutableFloats, Int
    ) -> Void =
        InstructionSet.select(KernelsBase.diceGradient, KernelsV3.diceGradient, KernelsV4.diceGradient)

let binaryCrossEntropy:
    @Sendable (Floats, Floats, Floats, Words, Float, MutableFloats?, Int, Int, MutableDoubles) -> Void =
        InstructionSet.select(
            KernelsBase.binaryCrossEntropy, KernelsV3.binaryCrossEntropy, KernelsV4.binaryCrossEntropy)

let squaredError: @Sendable (Floats, Floats, Float, MutableFloats?, Int, Int, MutableDoubles) -> Void =
    InstructionSet.select(KernelsBase.squaredError, KernelsV3.squaredError, KernelsV4.squaredError)
