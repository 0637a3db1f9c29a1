import BIDS
import Kernels
import NIfTI
import Segmentation
import Workflow

/// Candidates for small round lesions, with the sign of their susceptibility.
enum LesionCandidatesTask: TaskImplementation {
    static let kind = "lesions.candidates"

    static func run(_ environment: TaskEnvironment) throws -> TaskResult {
        let radii = environment.list("radii_mm").compactMap(\.doubleValue)
        guard !radii.isEmpty, radii.count <= 64, radii.count == environment.list("radii_mm").count,
            radii.allSatisfy({ $0 > 0 && $0 <= 50 })
        else {
            throw environment.refuse("radii_mm must be up to 64 numbers above 0 and at most 50 (mm); correct them")
        }
        let item = try environment.input("image")
        let image = try NIfTIFile.readVolume(item.path)
        func check(_ grid: VoxelGrid, of other: TaskRequest.StagedInput) throws {
            guard grid.matches(image.grid) else {
                throw GridError.mismatch(
                    first: item.input.name, firstGrid: image.grid, second: other.input.name, secondGrid: grid)
            }
        }
        let mask = try environment.optionalInput("mask").map { other in
            let mask = try NIfTIFile.readMask(other.path)
            try check(mask.grid, of: other)
            return mask
        }
        let chimap = try environment.optionalInput("chimap").map { other in
            let map = try SusceptibilityMap.read(other, units: environment.text("units"))
            try check(map.grid, of: other)
            return map
        }
        let sign = environment.text("sign")
        guard sign == "any" || chimap != nil else {
            throw environment.refuse("sign \(sign) needs a susceptibility map; bind one to “chimap”")
        }

        var symmetry = RadialSymmetry(radiiMillimetres: radii)
        (symmetry.strictness, symmetry.isPlanar) = (environment.number("strictness"), environment.boolean("slices"))
        var search = RadialCandidates(symmetry: symmetry)
        search.polarity = RadialCandidates.Polarity(rawValue: environment.text("polarity")) ?? .both
        search.threshold = environment.number("threshold")
        // The sign is asked for afterwards, so that those of the other do not take the places.
        search.limit = sign == "any" ? environment.integer("limit") : 65535
        let smooth = image.smoothed(
            sigmaMillimetres: environment.number("smoothing_mm"), threads: environment.threads)
        let found = try search.find(in: smooth, mask: mask, threads: environment.threads)
        let measured = found.map { candidate in (candidate, chimap.map { mean($0, around: candidate) }) }
        let kept = measured.filter { _, chi in
            // A χ of 0, or none for want of finite voxels, has neither sign.
            switch sign {
            case "paramagnetic": (chi ?? .nan) > 0
            case "diamagnetic": (chi ?? .nan) < 0
            default: true
            }
        }.prefix(environment.integer("limit"))

        let rows = kept.enumerated().map { n, entry -> [String] in
            let (candidate, chi) = entry
            let numbers = [
                candidate.worldMillimetres.x, candidate.worldMillimetres.y, candidate.worldMillimetres.z,
                candidate.radiusMillimetres, Double(candidate.symmetry), mean(image, around: candidate),
            ]
            return ["\(n + 1)", candidate.symmetry < 0 ? "dark" : "bright"]
                + numbers.map { TabSeparatedTable.cell($0) } + [TabSeparatedTable.cell(chi)]
        }
        let labels = RadialCandidates.balls(kept.map { $0.0 }, on: image.grid, within: mask)
        let (path, entry) = environment.output("labels")
        try NIfTIFile.write(labels, to: path)
        let table = TabSeparatedTable(
            columns: ["lesion", "polarity", "x_mm", "y_mm", "z_mm", "radius_mm", "symmetry", "mean", "chi_ppm"],
            rows: rows)
        return TaskResult(
            outputs: [entry, try environment.writeTable(table, to: "table")],
            measurements: [MeasuredValue(metric: "candidates", value: Double(kept.count), unit: "1")])
    }

    /// Over the ball of a candidate.
    private static func mean(_ image: Volume, around candidate: RadialCandidates.Candidate) -> Double {
        let grid = image.grid
        let spacing = grid.spacingMillimetres
        let reach = (SIMD3<Double>(repeating: candidate.radiusMillimetres) / spacing).rounded(.down)
        var (sum, count) = (0.0, 0.0)
        let c = candidate.voxel
        for k in max(0, c.z - Int(reach.z))...min(grid.nz - 1, c.z + Int(reach.z)) {
            for j in max(0, c.y - Int(reach.y))...min(grid.ny - 1, c.y + Int(reach.y)) {
                for i in max(0, c.x - Int(reach.x))...min(grid.nx - 1, c.x + Int(reach.x)) {
                    let d = SIMD3(Double(i - c.x), Double(j - c.y), Double(k - c.z)) * spacing
                    let value = Double(image[i, j, k])
                    guard (d * d).sum() <= candidate.radiusMillimetres * candidate.radiusMillimetres, value.isFinite
                    else { continue }
                    (sum, count) = (sum + value, count + 1)
                }
            }
        }
        return count > 0 ? sum / count : .nan
    }
}
