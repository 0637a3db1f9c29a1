import KernelsBase
import KernelsV3
import KernelsV4

let multiplyRows:
    @Sendable (
        Floats, UnsafePointer<Int>, Int, UnsafePointer<Int>, Int, Int, Floats, Int, Int, MutableFloats, Int,
        UnsafePointer<Int>, Floats?, Float
    ) -> Void =
        InstructionSet.select(KernelsBase.multiplyRows, KernelsV3.multiplyRows, KernelsV4.multiplyRows)

let multiplySets:
    @Sendable (
        Int, Floats, Int, UnsafePointer<Int>, Int, UnsafePointer<Int>, Int, Floats, Int, Int, Int, MutableFloats, Int,
        Int, UnsafePointer<Int>, Floats?
    ) -> Void =
        InstructionSet.select(KernelsBase.multiplySets, KernelsV3.multiplySets, KernelsV4.multiplySets)

let convolveLanes:
    @Sendable (
        Floats, UnsafePointer<Int>, Int, UnsafePointer<Int>, Int, Floats, MutableFloats, UnsafePointer<Int>, Floats,
        Float
    ) -> Void =
        InstructionSet.select(KernelsBase.convolveLanes, KernelsV3.convolveLanes, KernelsV4.convolveLanes)

let correlateLanes:
    @Sendable (Floats, UnsafePointer<Int>, Int, UnsafePointer<Int>, Int, Floats, MutableFloats) -> Void =
        InstructionSet.select(KernelsBase.correlateLanes, KernelsV3.correlateLanes, KernelsV4.correlateLanes)

let sumLanes: @Sendable (Floats, Int, MutableFloats) -> Void =
    InstructionSet.select(KernelsBase.sumLanes, KernelsV3.sumLanes, KernelsV4.sumLanes)

let winogradInputLines: @Sendable (Int, UnsafePointer<Floats>, Int, Int, MutableFloats, Int) -> Void =
    InstructionSet.select(
        KernelsBase.winogradInputLines, KernelsV3.winogradInputLines, KernelsV4.winogradInputLines)

let winogradInputTiles: @Sendable (Int, Floats, Int, Int, Int, MutableFloats, Int) -> Void =
    InstructionSet.select(KernelsBase.winogradInputTiles, KernelsV3.winogradInputTiles, KernelsV4.winogradInputTiles)

let winogradOutputTiles: @Sendable (Int, Floats, Int, Int, MutableFloats, Int, Int) -> Void =
    InstructionSet.select(
        KernelsBase.winogradOutputTiles, KernelsV3.winogradOutputTiles, KernelsV4.winogradOutputTiles)

let winogradOutputLines: @Sendable (Int, Floats, Int, Int, UnsafePointer<MutableFloats>, Floats, Float) -> Void =
    InstructionSet.select(
        KernelsBase.winogradOutputLines, KernelsV3.winogradOutputLines, KernelsV4.winogradOutputLines)

let winogradWeights: @Sendable (Int, Int, Int, Floats, MutableFloats) -> Void =
    InstructionSet.select(KernelsBase.winogradWeights, KernelsV3.winogradWeights, KernelsV4.winogradWeights)

let gatherLanes: @Sendable (Floats, Int, Int, MutableFloats) -> Void =
    InstructionSet.select(KernelsBase.gatherLanes, KernelsV3.gatherLanes, KernelsV4.gatherLanes)

let winogradGradientLines: @Sendable (Int, UnsafePointer<Floats>, Int, Int, MutableFloats, Int) -> Void =
    InstructionSet.select(
        KernelsBase.winogradGradientLines, KernelsV3.winogradGradientLines, KernelsV4.winogradGradientLines)

let winogradGradientTiles: @Sendable (Int, Floats, Int, Int, Int, MutableFloats, Int) -> Void =
    InstructionSet.select(
        KernelsBase.winogradGradientTiles, KernelsV3.winogradGradientTiles, KernelsV4.winogradGradientTiles)

let winogradWeightSums: @Sendable (Int, Int, Int, Floats, MutableFloats) -> Void =
    InstructionSet.select(
        KernelsBase.winogradWeightSums, KernelsV3.winogradWeightSums, KernelsV4.winogradWeightSums)

let addLanes: @Sendable (Floats, Int, MutableFloats) -> Void =
    InstructionSet.select(KernelsBase.addLanes, KernelsV3.addLanes, KernelsV4.addLanes)

let vectorsOfLines: @Sendable (Floats, Int, Int, Int, UnsafePointer<Int>, MutableFloats) -> Void =
    InstructionSet.select(KernelsBase.vectorsOfLines, KernelsV3.vectorsOfLines, KernelsV4.vectorsOfLines)

let linesOfVectors: @Sendable (Floats, UnsafePointer<Int>, Int, Int, MutableFloats, Int) -> Void =
    InstructionSet.select(KernelsBase.linesOfVectors, KernelsV3.linesOfVectors, KernelsV4.linesOfVectors)

let winogradWeightPlane: @Sendable (Int, Int, Int, Int, Floats, MutableFloats, Int) -> Void =
    InstructionSet.select(
        KernelsBase.winogradWeightPlane, KernelsV3.winogradWeightPlane, KernelsV4.winogradWeightPlane)
