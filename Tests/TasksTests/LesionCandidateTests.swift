import BIDS
import Foundation
import Kernels
import NIfTI
import Testing
import Workflow

@testable import Tasks

/// Places that look like lesions, before anybody judges them.
@Suite struct LesionCandidateTests {
    /// Balls of a radius in mm, dark on the image; of χ as given.
    private func balls(_ chi: [Float]) throws -> (folder: TaskFolder, middles: [SIMD3<Double>]) {
        let folder = try TaskFolder()
        let grid = VoxelGrid(nx: 48, ny: 40, nz: 36, affine: .translation([-20, -30, 5]) * .scaling([1, 1, 1.2]))
        let middles = [SIMD3(12.0, 12, 12), SIMD3(34.0, 26, 20), SIMD3(12.0, 28, 24)]
        var image = Volume(grid: grid, filledWith: 100)
        var map = Volume(grid: grid)
        for k in 0..<36 {
            for j in 0..<40 {
                for i in 0..<48 {
                    for (n, middle) in middles.enumerated() {
                        let d = (SIMD3(Double(i), Double(j), Double(k)) - middle) * SIMD3(1, 1, 1.2)
                        let inside = Float(1 / (1 + exp(((d * d).sum().squareRoot() - 2.5) / 0.3)))
                        image[i, j, k] -= 80 * inside
                        map[i, j, k] += chi[n] * inside
                    }
                }
            }
        }
        try NIfTIFile.write(image, to: folder.path + "/swi.nii.gz")
        try NIfTIFile.write(map, to: folder.path + "/chi.nii.gz")
        folder.add("image", path: folder.path + "/swi.nii.gz", name: "swi.nii.gz")
        folder.add("chimap", path: folder.path + "/chi.nii.gz", name: "chi.nii.gz", metadata: ["Units": "ppm"])
        return (folder, middles.map { grid.affine($0) })
    }

    @Test(arguments: [false, true])
    func candidatesAreFoundWithTheirSign(slices: Bool) throws {
        let (folder, middles) = try balls([0.3, -0.2, 0.1])
        let parameters: JSONValue = [
            "polarity": "dark", "radii_mm": [1.5, 2.5, 4], "limit": 3, "slices": .bool(slices),
        ]
        let result = try folder.perform("lesions.candidates", parameters: parameters, threads: 2)
        try #require(result.failure == nil, "\(result.failure?.message ?? "")")
        let rows = try folder.rows("table.tsv")
        #expect(rows.count == 3 && rows.allSatisfy { $0[1] == "dark" })
        let labels = try NIfTIFile.readLabelMap(folder.path + "/out/labels.nii.gz")
        #expect(Set(labels.values) == [0, 1, 2, 3])
        var signs: [Int: Bool] = [:]
        for row in rows {
            let numbers = row[2...].compactMap(Double.init)
            let place = SIMD3(numbers[0], numbers[1], numbers[2])
            let nearest = middles.indices.min { a, b in
                let (d, e) = (middles[a] - place, middles[b] - place)
                return (d * d).sum() < (e * e).sum()
            }!
            let off = middles[nearest] - place
            #expect((off * off).sum().squareRoot() < 1.3, "\(row)")
            signs[nearest] = numbers[6] > 0
            if !slices { #expect(numbers[3] == 2.5 && numbers[4] < 0 && numbers[5] < 60, "\(row)") }
        }
        #expect(signs == [0: true, 1: false, 2: true])
        let iron = try balls([0.3, -0.2, 0.1]).folder
        let kept = try iron.perform(
            "lesions.candidates",
            parameters: ["polarity": "dark", "radii_mm": [1.5, 2.5, 4], "limit": 2, "sign": "paramagnetic"])
        #expect(kept.failure == nil)
        #expect(try iron.rows("table.tsv").allSatisfy { (Double($0[8]) ?? 0) > 0 })
        let alone = try TaskFolder()
        alone.add("image", path: folder.path + "/swi.nii.gz", name: "swi.nii.gz")
        #expect(
            try alone.perform("lesions.candidates", parameters: ["sign": "paramagnetic"]).failure?.message
                == "Step step: sign paramagnetic needs a susceptibility map; bind one to “chimap”")
        #expect(
            try alone.perform("lesions.candidates", parameters: ["radii_mm": [0]]).failure?.message.contains("radii_mm")
                == true)
        _ = folder
    }

    /// A place whose χ is 0, or of which none is known, is neither iron nor calcium.
    @Test(arguments: [Float(0), .nan], ["paramagnetic", "diamagnetic"])
    func placesWithoutASignAreNotKept(chi: Float, sign: String) throws {
        let (folder, middles) = try balls([0.3, -0.2, 0])
        let path = folder.path + "/chi.nii.gz"
        var map = try NIfTIFile.readVolume(path)
        for k in 16..<33 {
            for j in 20..<37 {
                for i in 4..<21 { map[i, j, k] = chi }
            }
        }
        try NIfTIFile.write(map, to: path)
        let result = try folder.perform(
            "lesions.candidates",
            parameters: ["polarity": "dark", "radii_mm": [1.5, 2.5, 4], "limit": 20, "sign": .string(sign)])
        try #require(result.failure == nil, "\(result.failure?.message ?? "")")
        let rows = try folder.rows("table.tsv").map { $0[2...].compactMap(Double.init) }
        #expect(!rows.isEmpty)
        for row in rows {
            try #require(row.count == 7)
            #expect(sign == "paramagnetic" ? row[6] > 0 : row[6] < 0)
            let off = middles[2] - SIMD3(row[0], row[1], row[2])
            #expect((off * off).sum().squareRoot() > 3, "\(row)")
        }
    }
}
