import BIDS
import Foundation
import Kernels
import NIfTI
import Registration
import Workflow

/// Rigid map from the space of the susceptibility map to that of the T1-weighted image of the same person.
enum WithinSubjectRegistrationTask: TaskImplementation {
    static let kind = "registration.within-subject"

    static func run(_ environment: TaskEnvironment) throws -> TaskResult {
        let t1w = try NIfTIFile.readVolume(try environment.input("t1w").path)
        let target = try NIfTIFile.readVolume(try environment.input("target").path)
        let brain = try environment.optionalInput("brain").map { try NIfTIFile.readMask($0.path) }
        let targetMask = try environment.optionalInput("target_mask").map { try NIfTIFile.readMask($0.path) }

        let result = try register(
            fixed: target, moving: t1w, fixedMask: targetMask, movingMask: brain, options: .sameSubject,
            threads: environment.threads)
        let centre = target.grid.centre
        let movement = result.affine(centre) - centre
        let (a, b, c) = (result.affine.column(0), result.affine.column(1), result.affine.column(2))
        let angle = acos(min(1, max(-1, (a.x + b.y + c.z - 1) / 2))) * 180 / .pi

        let (path, entry) = environment.output("transform")
        try TransformFile.encode(result.affine, from: "susceptibility map", to: "T1w").prettyData
            .write(to: URL(fileURLWithPath: path))
        return TaskResult(
            outputs: [entry],
            measurements: [
                MeasuredValue(metric: "translation", value: (movement * movement).sum().squareRoot(), unit: "mm"),
                MeasuredValue(metric: "rotation", value: angle, unit: "degree"),
                MeasuredValue(metric: "mutual_information", value: result.quality.mutualInformationAfter, unit: "1"),
            ])
    }
}
