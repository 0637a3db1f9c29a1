import BIDS
import Foundation
import Kernels
import NIfTI
import Workflow

/// The gate of the pipeline: what passes here, later steps can use; what does not, fails here with one sentence.
enum ImageCheckTask: TaskImplementation {
    static let kind = "image.check"

    static func run(_ environment: TaskEnvironment) throws -> TaskResult {
        var findings: [ImageFinding] = []
        func read(_ item: TaskRequest.StagedInput) throws -> Volume {
            let (volume, header) = try NIfTIFile.read(item.path)
            findings += ImageCheck.header(header)
            return volume
        }

        let t1wItem = try environment.input("t1w")
        let t1w = try read(t1wItem)
        findings += ImageCheck.values(try ImageContents(of: t1w), named: t1wItem.input.name, masked: false)

        var numbers: [(String, Double, String)] = []
        var unit: BIDS.SusceptibilityUnit?
        if let mapItem = environment.optionalInput("chimap") {
            let stated = try SusceptibilityMap.unit(of: mapItem, units: environment.text("units"))
            let map = try read(mapItem)
            let mask = try companions(of: map, named: mapItem.input.name, environment, &findings)
            // A map on another grid than its mask would only raise further, misleading findings.
            try refuse(findings)
            findings += overlap(of: t1w.grid, named: t1wItem.input.name, with: map.grid, named: mapItem.input.name)
            numbers = try examine(map, named: mapItem.input.name, unit: stated, within: mask, environment, &findings)
            unit = stated
        }
        try refuse(findings)

        let report = JSONValue.object([
            "unit": unit.map { .string($0.rawValue) } ?? .null,
            "findings": .array(
                findings.map { finding in
                    .object([
                        "kind": .string(finding.kind.rawValue), "severity": .string(finding.severity.rawValue),
                        "sentence": .string(finding.description),
                    ])
                }),
            "numbers": .object(Dictionary(uniqueKeysWithValues: numbers.map { ($0.0, JSONValue.number($0.1)) })),
        ])
        return TaskResult(
            outputs: [try environment.writeJSON(report, to: "report")],
            measurements: numbers.map { MeasuredValue(metric: $0.0, value: $0.1, unit: $0.2) },
            warnings: findings.filter { $0.severity == .warning }.map(\.description))
    }

    /// Looks at what must lie on the map's grid.
    ///
    /// - Returns: the brain mask, where there is one of use.
    private static func companions(
        of map: Volume, named name: String, _ environment: TaskEnvironment, _ findings: inout [ImageFinding]
    ) throws -> Mask? {
        var mask: Mask?
        if let item = environment.optionalInput("mask") {
            let supplied = try NIfTIFile.readMask(item.path)
            findings += ImageCheck.brainMask(supplied, named: item.input.name)
            let mismatch = ImageCheck.sameGrid(map.grid, named: name, supplied.grid, named: item.input.name)
            findings += mismatch
            if mismatch.isEmpty { mask = supplied }
        }
        if let item = environment.optionalInput("magnitude") {
            let (magnitude, header) = try NIfTIFile.read(item.path)
            findings += ImageCheck.header(header)
            findings += ImageCheck.values(try ImageContents(of: magnitude), named: item.input.name, masked: false)
            findings += ImageCheck.sameGrid(map.grid, named: name, magnitude.grid, named: item.input.name)
        }
        return mask
    }

    /// The map's values: are they there, and are they of the unit they claim to be.
    private static func examine(
        _ map: Volume, named name: String, unit: BIDS.SusceptibilityUnit, within mask: Mask?,
        _ environment: TaskEnvironment, _ findings: inout [ImageFinding]
    ) throws -> [(String, Double, String)] {
        var limits = ImageCheck.Limits()
        limits.missingFraction = environment.number("nonfinite_limit")
        limits.largestSusceptibilityPPM = environment.number("plausible_ppm")
        let contents = try ImageContents(of: map, within: mask)
        findings += ImageCheck.values(contents, named: name, masked: mask != nil, limits: limits)
        findings += ImageCheck.susceptibilityUnits(
            contents, named: name, declared: unit == .partsPerMillion ? .ppm : .ppb, limits: limits)
        return [
            ("voxel_volume", map.grid.voxelVolumeCubicMillimetres, "mm3"),
            ("nonfinite_fraction", contents.missingFraction, "1"),
            ("chi_p99_abs", Double(contents.absolutePercentile99) * unit.factorToPPM, "ppm"),
            ("chi_sd", standardDeviation(of: map, within: mask) * unit.factorToPPM, "ppm"),
        ]
    }

    /// All errors in one sentence each; the first is what people see, the rest follows.
    private static func refuse(_ findings: [ImageFinding]) throws {
        let errors = findings.filter { $0.severity == .error }.map(\.description)
        guard !errors.isEmpty else { return }
        throw TaskResult.Failure.permanent(errors.joined(separator: ". "))
    }

    /// The middle of the map must lie inside the T1-weighted image: they are of one person, in one scanner's space.
    private static func overlap(
        of t1w: VoxelGrid, named t1wName: String, with map: VoxelGrid, named mapName: String
    ) -> [ImageFinding] {
        guard let toVoxel = t1w.affine.inverse else { return [] }  // the reader refused a singular affine
        let p = toVoxel(map.centre)
        let inside =
            p.x >= 0 && p.x <= Double(t1w.nx - 1) && p.y >= 0 && p.y <= Double(t1w.ny - 1) && p.z >= 0
            && p.z <= Double(t1w.nz - 1)
        guard !inside else { return [] }
        return [
            ImageFinding(
                .placedApart, .error,
                "\(mapName) and \(t1wName) do not lie in the same place: the middle of the map is outside the "
                    + "T1-weighted image; correct the affine of the one that is wrong")
        ]
    }

    private static func standardDeviation(of map: Volume, within mask: Mask?) -> Double {
        var (count, sum, squares) = (0.0, 0.0, 0.0)
        for n in map.values.indices where mask.map({ $0.values[n] != 0 }) ?? (map.values[n] != 0) {
            let value = Double(map.values[n])
            guard value.isFinite else { continue }
            count += 1
            sum += value
            squares += value * value
        }
        guard count > 1 else { return 0 }
        return max(0, (squares - sum * sum / count) / (count - 1)).squareRoot()
    }
}
