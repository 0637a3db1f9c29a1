import KernelsBase
import KernelsV3
import KernelsV4

let correlationScratchCount: @Sendable (Int, Int, Int) -> Int =
    InstructionSet.select(
        KernelsBase.correlationScratchCount, KernelsV3.correlationScratchCount, KernelsV4.correlationScratchCount)

let localMoments:
    @Sendable (Floats, Int, Int, Int, Int, Int, Int, MutableFloats, MutableFloats, MutableFloats) -> Void =
        InstructionSet.select(KernelsBase.localMoments, KernelsV3.localMoments, KernelsV4.localMoments)

let correlationTerms:
    @Sendable (
        Floats, Floats, Floats, Floats, Floats, Int, Int, Int, Int, Int, Int, Float, MutableFloats, MutableFloats,
        MutableFloats, MutableFloats, UnsafeMutablePointer<Double>
    ) -> Void =
        InstructionSet.select(KernelsBase.correlationTerms, KernelsV3.correlationTerms, KernelsV4.correlationTerms)

let correlationForce:
    @Sendable (
        Floats, Floats, Floats, Floats, Floats, Int, Int, Int, Int, Int, Int, MutableFloats, MutableFloats,
        MutableFloats, MutableFloats, MutableFloats
    ) -> Void =
        InstructionSet.select(KernelsBase.correlationForce, KernelsV3.correlationForce, KernelsV4.correlationForce)

let sampleWithGradient:
    @Sendable (
        Floats, Int, Int, Int, Floats, Floats, Floats, Floats, Int, MutableFloats, MutableFloats, MutableFloats,
        MutableFloats, MutableFloats
    ) -> Void =
        InstructionSet.select(
            KernelsBase.sampleWithGradient, KernelsV3.sampleWithGradient, KernelsV4.sampleWithGradient)

let addToJointHistogram: @Sendable (UnsafePointer<UInt8>, Floats, Floats, Int, Int, MutableFloats) -> Void =
    InstructionSet.select(
        KernelsBase.addToJointHistogram, KernelsV3.addToJointHistogram, KernelsV4.addToJointHistogram)

let mutualInformationSlope:
    @Sendable (
        UnsafePointer<UInt8>, Floats, Floats, Floats, Floats, Floats, Floats, Floats, Floats, Int, Int, Floats,
        MutableFloats, UnsafeMutablePointer<Double>
    ) -> Void =
        InstructionSet.select(
            KernelsBase.mutualInformationSlope, KernelsV3.mutualInformationSlope, KernelsV4.mutualInformationSlope)
