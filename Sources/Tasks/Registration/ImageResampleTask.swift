import BIDS
import Kernels
import NIfTI
import Workflow

/// An image of a person on the grid of another one of theirs, in one interpolation.
enum ImageResampleTask: TaskImplementation {
    static let kind = "image.resample"

    static func run(_ environment: TaskEnvironment) throws -> TaskResult {
        let (item, targetItem) = (try environment.input("image"), try environment.input("target"))
        var image = try NIfTIFile.readVolume(item.path)
        let warning = image.replaceUnknown(in: item.input.name)
        let target = try NIfTIFile.readHeader(targetItem.path).grid
        let transform = try environment.optionalInput("transform").map {
            SpatialMap.affine(try TransformFile.decode(try $0.readJSON(), name: $0.input.name))
        }
        // Not a number beyond the image tells what it does not reach from what is dark in it.
        var moved =
            transform == nil && target.matches(image.grid)
            ? image
            : try image.resampled(
                to: target, through: transform ?? .identity, outside: .nan, threads: environment.threads)
        var covered = 0
        for n in moved.values.indices {
            if moved.values[n].isFinite { covered += 1 } else { moved.values[n] = 0 }
        }
        guard covered > 0 else {
            throw TaskResult.Failure.permanent(
                "\(item.input.name) and \(targetItem.input.name) of \(environment.request.context) have no place in common: the "
                    + "registration failed, or the images are of two worlds; look at both")
        }
        // Values stay in their unit, and a map without one would be refused.
        let units = item.input.metadata?["Units"].map { JSONValue.object(["Units": $0]) }
        let (path, entry) = environment.output("image", metadata: units)
        try NIfTIFile.write(moved, to: path)
        return TaskResult(
            outputs: [entry],
            measurements: [
                MeasuredValue(
                    metric: "covered_fraction", value: Double(covered) / Double(moved.values.count), unit: "1")
            ],
            warnings: [warning].compactMap { $0 })
    }
}
