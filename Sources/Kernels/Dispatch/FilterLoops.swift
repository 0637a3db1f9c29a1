import KernelsBase
import KernelsV3
import KernelsV4

// One name per hot loop, bound to the build for this processor. Argument order as documented in KernelSource.

typealias Floats = UnsafePointer<Float>
typealias MutableFloats = UnsafeMutablePointer<Float>

let convolveRows: @Sendable (Floats, MutableFloats, Int, Int, Floats, Int, MutableFloats) -> Void =
    InstructionSet.select(KernelsBase.convolveRows, KernelsV3.convolveRows, KernelsV4.convolveRows)

let convolveLines: @Sendable (Floats, MutableFloats, Int, Int, Int, Int, Int, Floats, Int) -> Void =
    InstructionSet.select(KernelsBase.convolveLines, KernelsV3.convolveLines, KernelsV4.convolveLines)

let convolveAlongRows:
    @Sendable (
        Doubles, MutableDoubles, Int, Int, UnsafePointer<Int>, Int, Int, Doubles, Int, Int, Int, Bool, MutableDoubles
    ) -> Void =
        InstructionSet.select(
            KernelsBase.convolveAlongRows, KernelsV3.convolveAlongRows, KernelsV4.convolveAlongRows)

let convolveAcrossLines:
    @Sendable (
        Doubles, MutableDoubles, Int, Int, Int, UnsafePointer<Int>, Int, Doubles, Int, Int, Int, Bool, MutableDoubles
    ) -> Void =
        InstructionSet.select(
            KernelsBase.convolveAcrossLines, KernelsV3.convolveAcrossLines, KernelsV4.convolveAcrossLines)
