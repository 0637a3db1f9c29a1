import BIDS
import Kernels
import NIfTI
import Segmentation
import Workflow

/// A brain mask on the T1w grid: extracted, or a supplied one brought there.
enum BrainMaskTask: TaskImplementation {
    static let kind = "brain.mask"

    static func run(_ environment: TaskEnvironment) throws -> TaskResult {
        let t1w = try NIfTIFile.readVolume(try environment.input("t1w").path)
        var mask: Mask
        var stripped = false
        if let supplied = environment.optionalInput("supplied") {
            mask = try NIfTIFile.readMask(supplied.path).resampled(to: t1w.grid, threads: environment.threads)
            guard mask.voxels > 0 else {
                throw TaskResult.Failure.permanent(
                    "\(supplied.input.name) does not overlap the T1-weighted image; supply a mask of the same scanner space"
                )
            }
        } else {
            let found = try BrainExtraction.mask(of: t1w, threads: environment.threads)
            mask = found.mask
            stripped = found.wasStripped
        }
        let widening = environment.number("dilation_mm")
        if widening > 0 { mask = mask.dilated(radiusMillimetres: widening, threads: environment.threads) }
        let (path, entry) = environment.output("mask")
        try NIfTIFile.write(mask, to: path)
        let volume = Double(mask.voxels) * mask.grid.voxelVolumeCubicMillimetres
        return TaskResult(
            outputs: [entry],
            measurements: [
                MeasuredValue(metric: "brain_volume", value: volume, unit: "mm3"),
                MeasuredValue(metric: "stripped", value: stripped ? 1 : 0, unit: "1"),
            ])
    }
}
