import BIDS
import Foundation
import Kernels
import NIfTI
import Registration
import Workflow

/// Person to atlas: affine, deformation, its inverse, and how good they are.
enum AtlasRegistrationTask: TaskImplementation {
    static let kind = "registration.atlas"

    static func run(_ environment: TaskEnvironment) throws -> TaskResult {
        var fixed = try NIfTIFile.readVolume(try environment.input("t1w").path)
        var moving = try NIfTIFile.readVolume(try environment.input("atlas_t1w").path)
        let brain = try environment.optionalInput("brain").map { try NIfTIFile.readMask($0.path) }
        var warnings: [String] = []

        if environment.text("contrast") == "hybrid" {
            if let map = environment.optionalInput("chimap"), let atlasMap = environment.optionalInput("atlas_chimap") {
                let chi = try SusceptibilityMap.read(map, units: "sidecar")
                let atlasChi = try NIfTIFile.readVolume(atlasMap.path)
                let rigid = try environment.optionalInput("transform").map {
                    SpatialMap.affine(try TransformFile.decode(try $0.readJSON(), name: $0.input.name))
                }
                // The transform leads from the map's world to the T1w world; resampling onto the T1w grid needs the way back.
                let back = try inverse(rigid)
                fixed = try HybridContrast.make(
                    t1w: fixed, chiPPM: try chi.resampled(to: fixed.grid, through: back, threads: environment.threads))
                moving = try HybridContrast.make(
                    t1w: moving, chiPPM: try atlasChi.resampled(to: moving.grid, threads: environment.threads))
            } else {
                warnings.append("The hybrid contrast needs a susceptibility map on both sides; T1w alone was aligned.")
            }
        }

        var options = RegistrationOptions()
        options.correlationRadiusVoxels = environment.integer("correlation_radius")
        let finest = environment.number("finest_mm")
        options.deformableLevels = options.deformableLevels.filter { $0.spacingMillimetres >= finest - 1e-6 }
        guard !options.deformableLevels.isEmpty else {
            throw TaskResult.Failure.permanent(
                "Step \(environment.request.step): finest_mm \(finest) leaves no deformable level; lower it")
        }
        let result = try register(
            fixed: fixed, moving: moving, fixedMask: brain, options: options, threads: environment.threads)
        guard let forward = result.forwardField, let inverse = result.inverseField else {
            preconditionFailure("a diffeomorphic registration returns both fields")
        }

        let (affinePath, affineEntry) = environment.output("affine")
        try TransformFile.encode(result.affine, from: "T1w", to: "atlas").prettyData.write(
            to: URL(fileURLWithPath: affinePath))
        let (warpPath, warpEntry) = environment.output("warp")
        try NIfTIFile.write(forward, to: warpPath)
        let (inversePath, inverseEntry) = environment.output("inverse_warp")
        try NIfTIFile.write(inverse, to: inversePath)

        let quality = result.quality
        let numbers: [(String, Double?, String)] = [
            ("similarity", quality.localCorrelationAfter, "1"),
            ("similarity_affine", quality.localCorrelationBefore, "1"),
            ("jacobian_minimum", quality.smallestJacobian, "1"),
            ("folded_fraction", quality.foldedFraction, "1"),
            ("inverse_error", quality.inverseErrorMeanMillimetres, "mm"),
        ]
        let report = JSONValue.object([
            "atlas": .string(environment.request.context.atlas ?? ""),
            "numbers": .object(
                Dictionary(uniqueKeysWithValues: numbers.map { ($0.0, $0.1.map { .number($0) } ?? .null) })),
        ])
        return TaskResult(
            outputs: [affineEntry, warpEntry, inverseEntry, try environment.writeJSON(report, to: "report")],
            measurements: numbers.map { MeasuredValue(metric: $0.0, value: $0.1, unit: $0.2) }, warnings: warnings)
    }

    private static func inverse(_ map: SpatialMap?) throws -> SpatialMap {
        guard let map, case .affine(let affine)? = map.steps.first else { return .identity }
        guard let inverse = affine.inverse else { throw GridError.singularAffine("the transform") }
        return .affine(inverse)
    }
}
