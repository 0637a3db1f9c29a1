import KernelsBase
import KernelsV3
import KernelsV4

typealias Doubles = UnsafePointer<Double>
typealias MutableDoubles = UnsafeMutablePointer<Double>
typealias Words = UnsafePointer<UInt32>
typealias WholeNumbers = UnsafePointer<Int32>

let elementaryFunction: @Sendable (Int, Floats, MutableFloats, Int) -> Void =
    InstructionSet.select(KernelsBase.elementaryFunction, KernelsV3.elementaryFunction, KernelsV4.elementaryFunction)

let activate: @Sendable (Int, Float, Words, Floats, MutableFloats, Int) -> Void =
    InstructionSet.select(KernelsBase.activate, KernelsV3.activate, KernelsV4.activate)

let activateBackward: @Sendable (Int, Float, Floats, Floats, Floats, MutableFloats, Int) -> Void =
    InstructionSet.select(KernelsBase.activateBackward, KernelsV3.activateBackward, KernelsV4.activateBackward)

let activateWithSlopes: @Sendable (Floats, Floats, MutableFloats, Int) -> Void =
    InstructionSet.select(KernelsBase.activateWithSlopes, KernelsV3.activateWithSlopes, KernelsV4.activateWithSlopes)

let activateWithSlopesBackward: @Sendable (Floats, Floats, Floats, MutableFloats, MutableDoubles, Int) -> Void =
    InstructionSet.select(
        KernelsBase.activateWithSlopesBackward, KernelsV3.activateWithSlopesBackward,
        KernelsV4.activateWithSlopesBackward)

let maximumPoolRows: @Sendable (UnsafePointer<Int>, Floats, MutableFloats, Int, Int) -> Void =
    InstructionSet.select(KernelsBase.maximumPoolRows, KernelsV3.maximumPoolRows, KernelsV4.maximumPoolRows)

let averagePoolRows: @Sendable (UnsafePointer<Int>, Floats, MutableFloats, Int, Int) -> Void =
    InstructionSet.select(KernelsBase.averagePoolRows, KernelsV3.averagePoolRows, KernelsV4.averagePoolRows)

let maximumPoolBackward:
    @Sendable (UnsafePointer<Int>, Floats, Floats, Floats, MutableFloats, Int, Int, Int, Int) -> Void =
        InstructionSet.select(
            KernelsBase.maximumPoolBackward, KernelsV3.maximumPoolBackward, KernelsV4.maximumPoolBackward)

let averagePoolBackwardRows: @Sendable (UnsafePointer<Int>, Floats, MutableFloats, Int, Int) -> Void =
    InstructionSet.select(
        KernelsBase.averagePoolBackwardRows, KernelsV3.averagePoolBackwardRows, KernelsV4.averagePoolBackwardRows)

let poolAll: @Sendable (Int, Floats, MutableDoubles, Int) -> Void =
    InstructionSet.select(KernelsBase.poolAll, KernelsV3.poolAll, KernelsV4.poolAll)

let giveToFirst: @Sendable (Floats, Floats, Floats, MutableFloats, Int) -> Void =
    InstructionSet.select(KernelsBase.giveToFirst, KernelsV3.giveToFirst, KernelsV4.giveToFirst)

let fillPositions: @Sendable (Floats, MutableFloats, Int) -> Void =
    InstructionSet.select(KernelsBase.fillPositions, KernelsV3.fillPositions, KernelsV4.fillPositions)

let linearUpsampleRow:
    @Sendable (
        Floats, Floats, Floats, Floats, Float, Float, Int, WholeNumbers, WholeNumbers, Floats, MutableFloats,
        MutableFloats, Int
    ) -> Void =
        InstructionSet.select(KernelsBase.linearUpsampleRow, KernelsV3.linearUpsampleRow, KernelsV4.linearUpsampleRow)

let linearUpsampleBackwardRow: @Sendable (Floats, Int, WholeNumbers, WholeNumbers, Floats, MutableFloats, Int) -> Void =
    InstructionSet.select(
        KernelsBase.linearUpsampleBackwardRow, KernelsV3.linearUpsampleBackwardRow,
        KernelsV4.linearUpsampleBackwardRow)

let addScaled: @Sendable (Floats, Float, MutableFloats, Int, Int) -> Void =
    InstructionSet.select(KernelsBase.addScaled, KernelsV3.addScaled, KernelsV4.addScaled)

let takePositions: @Sendable (Floats, WholeNumbers, MutableFloats, Int) -> Void =
    InstructionSet.select(KernelsBase.takePositions, KernelsV3.takePositions, KernelsV4.takePositions)

let sumPositions: @Sendable (Floats, WholeNumbers, MutableFloats, Int) -> Void =
    InstructionSet.select(KernelsBase.sumPositions, KernelsV3.sumPositions, KernelsV4.sumPositions)

let channelMoments: @Sendable (Floats, Int, MutableDoubles, MutableDoubles) -> Void =
    InstructionSet.select(KernelsBase.channelMoments, KernelsV3.channelMoments, KernelsV4.channelMoments)

let normalise: @Sendable (Floats, MutableFloats, Int, Floats, Floats, Floats, Int, Float) -> Void =
    InstructionSet.select(KernelsBase.normalise, KernelsV3.normalise, KernelsV4.normalise)

let normaliseBackwardSums:
    @Sendable (Floats, Floats, Int, Floats, Floats, Floats, Int, Float, MutableDoubles, MutableDoubles) -> Void =
        InstructionSet.select(
            KernelsBase.normaliseBackwardSums, KernelsV3.normaliseBackwardSums, KernelsV4.normaliseBackwardSums)

let normaliseBackward:
    @Sendable (Floats, Floats, MutableFloats, Int, Floats, Floats, Floats, Floats, Floats, Int, Float) -> Void =
        InstructionSet.select(KernelsBase.normaliseBackward, KernelsV3.normaliseBackward, KernelsV4.normaliseBackward)

let softmax: @Sendable (Int, Floats, Int, Int, MutableFloats, MutableFloats, Int) -> Void =
    InstructionSet.select(KernelsBase.softmax, KernelsV3.softmax, KernelsV4.softmax)

let softmaxBackward: @Sendable (Int, Floats, Floats, Int, Int, Words, MutableFloats, Int) -> Void =
    InstructionSet.select(KernelsBase.softmaxBackward, KernelsV3.softmaxBackward, KernelsV4.softmaxBackward)

let dropOut: @Sendable (Words, UInt32, UInt32, Float, Floats, MutableFloats, Int) -> Void =
    InstructionSet.select(KernelsBase.dropOut, KernelsV3.dropOut, KernelsV4.dropOut)

let addMaps: @Sendable (Floats, Floats, MutableFloats, Int, Int, Float) -> Void =
    InstructionSet.select(KernelsBase.addMaps, KernelsV3.addMaps, KernelsV4.addMaps)

let multiplyMaps: @Sendable (Int, Floats, Floats, MutableFloats, Int) -> Void =
    InstructionSet.select(KernelsBase.multiplyMaps, KernelsV3.multiplyMaps, KernelsV4.multiplyMaps)

let sumProductsOverChannels: @Sendable (Floats, Floats, Int, Int, MutableFloats, Int) -> Void =
    InstructionSet.select(
        KernelsBase.sumProductsOverChannels, KernelsV3.sumProductsOverChannels, KernelsV4.sumProductsOverChannels)

let sumProductsOverPositions: @Sendable (Floats, Floats, MutableDoubles, Int) -> Void =
    InstructionSet.select(
        KernelsBase.sumProductsOverPositions, KernelsV3.sumProductsOverPositions, KernelsV4.sumProductsOverPositions)

let moveLanes: @Sendable (Floats, Int, Words, Int, MutableFloats, Int) -> Void =
    InstructionSet.select(KernelsBase.moveLanes, KernelsV3.moveLanes, KernelsV4.moveLanes)

let smallProduct: @Sendable (Floats, Int, Int, Floats, Int, MutableFloats, Int, Int, Int, Int, Int) -> Void =
    InstructionSet.select(KernelsBase.smallProduct, KernelsV3.smallProduct, KernelsV4.smallProduct)

let memoryCell: @Sendable (MutableFloats, Floats, MutableFloats, MutableFloats, Int) -> Void =
    InstructionSet.select(KernelsBase.memoryCell, KernelsV3.memoryCell, KernelsV4.memoryCell)

let memoryCellBackward: @Sendable (Floats, Floats, Floats, Floats, MutableFloats, MutableFloats, Int) -> Void =
    InstructionSet.select(
        KernelsBase.memoryCellBackward, KernelsV3.memoryCellBackward, KernelsV4.memoryCellBackward)
