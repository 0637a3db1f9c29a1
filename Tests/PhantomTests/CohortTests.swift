import Foundation
import Kernels
import NIfTI
import Testing

@testable import Phantom

/// Whole cohorts on disk, at 4 mm.
@Suite struct CohortTests {
    /// A folder that goes away with the test.
    final class Scratch {
        let path: String

        init() {
            path = FileManager.default.temporaryDirectory.appending(path: "phantom-\(UUID().uuidString)").path
        }

        deinit {
            // Nothing depends on the removal.
            try? FileManager.default.removeItem(atPath: path)
        }
    }

    static func options(_ subjects: Int) -> PhantomCohort.Options {
        var options = PhantomCohort.Options()
        options.subjects = subjects
        options.voxelMillimetres = 4
        options.atlasVoxelMillimetres = 4
        return options
    }

    static func contents(_ folder: String) throws -> [String: Data] {
        var result: [String: Data] = [:]
        for path in try FileManager.default.subpathsOfDirectory(atPath: folder) {
            let url = URL(filePath: "\(folder)/\(path)")
            if try url.resourceValues(forKeys: [.isRegularFileKey]).isRegularFile == true {
                result[path] = try Data(contentsOf: url)
            }
        }
        return result
    }

    static func table(_ path: String) throws -> [[String: String]] {
        let lines = try String(contentsOf: URL(filePath: path), encoding: .utf8).split(separator: "\n")
        let header = lines[0].split(separator: "\t").map(String.init)
        return lines.dropFirst().map { line in
            let cells = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            return Dictionary(zip(header, cells), uniquingKeysWith: { $1 })
        }
    }

    @Test func equalSeedsGiveEqualBytesForAnyThreads() throws {
        let (a, b, c) = (Scratch(), Scratch(), Scratch())
        let summary = try PhantomCohort.write(to: a.path, options: Self.options(3), threads: 1)
        _ = try PhantomCohort.write(to: b.path, options: Self.options(3), threads: 3)
        let (first, second) = (try Self.contents(a.path), try Self.contents(b.path))
        #expect(first.count == summary.files)
        #expect(first.values.reduce(0) { $0 + $1.count } == summary.bytes)
        #expect(first.keys.sorted() == second.keys.sorted())
        for (path, bytes) in first { #expect(bytes == second[path], "\(path)") }
        var other = Self.options(3)
        other.seed = 99
        _ = try PhantomCohort.write(to: c.path, options: other, threads: 2)
        let image = "rawdata/sub-001/anat/sub-001_T1w.nii.gz"
        #expect(try Self.contents(c.path)[image] != first[image])
    }

    @Test func truthDescribesTheImages() throws {
        let scratch = Scratch()
        let summary = try PhantomCohort.write(to: scratch.path, options: Self.options(2), threads: 2)
        let rows = try Self.table(summary.truthTable)
        #expect(rows.count == 2 * Region.all.count)
        for subject in ["sub-001", "sub-002"] {
            let stem = "\(subject)/anat/\(subject)"
            let measured = try NIfTIFile.readVolume("\(summary.reconstruction)/\(stem)_Chimap.nii.gz")
            let clean = try NIfTIFile.readVolume("\(summary.truth)/\(stem)_desc-truth_Chimap.nii.gz")
            let labels = try NIfTIFile.readLabelMap("\(summary.truth)/\(stem)_desc-nuclei_dseg.nii.gz")
            let mask = try NIfTIFile.readMask("\(summary.reconstruction)/\(stem)_desc-brain_mask.nii.gz")
            #expect(measured.grid.matches(labels.grid) && mask.grid.matches(labels.grid))
            let litres = Double(mask.voxels) * mask.grid.voxelVolumeCubicMillimetres / 1e6
            #expect(litres > 1.1 && litres < 2, "\(litres)")
            for row in rows where row["participant_id"] == subject {
                let index = try #require(UInt16(row["index"] ?? ""))
                let places = labels.values.indices.filter { labels.values[$0] == index }
                #expect(places.count == Int(row["voxels"] ?? ""), "\(row)")
                guard !places.isEmpty else { continue }
                let truth = try #require(Double(row["chi_ppb"] ?? ""))
                func mean(_ volume: Volume) -> Double {
                    places.reduce(0) { $0 + Double(volume.values[$1]) } * 1000 / Double(places.count)
                }
                // Regions may stick out of the mask by a voxel, nuclei do not.
                if index <= 22 {
                    #expect(abs(mean(clean) - truth) < 0.01, "\(row)")
                    // Voxel noise is about 7 ppb, the smooth part 1.5.
                    let tolerance = 4 * (7 / Double(places.count).squareRoot() + 1.5)
                    #expect(abs(mean(measured) - truth) < tolerance, "\(row)")
                }
            }
        }
    }

    @Test func deepNucleiStandOutInTheImages() throws {
        let scratch = Scratch()
        var options = Self.options(2)
        options.voxelMillimetres = 2
        let summary = try PhantomCohort.write(to: scratch.path, options: options, threads: 2)
        let stem = "sub-001/anat/sub-001"
        let t1w = try NIfTIFile.readVolume("\(summary.rawData)/\(stem)_T1w.nii.gz")
        let labels = try NIfTIFile.readLabelMap("\(summary.truth)/\(stem)_space-T1w_desc-nuclei_dseg.nii.gz")
        #expect(t1w.grid.matches(labels.grid))
        func mean(_ name: String) throws -> Float {
            let region = try #require(Region.all.first { $0.name == name })
            let values = zip(labels.values, t1w.values).filter { $0.0 == region.index }.map(\.1)
            return values.reduce(0, +) / Float(values.count)
        }
        let white = try mean("white_matter")
        #expect(try mean("left_putamen") < 0.85 * white)
        #expect(try mean("right_caudate") < 0.85 * white)
        #expect(try mean("ventricles") < 0.5 * white)
        #expect(try mean("left_pallidum") > mean("left_putamen"))
        let chimap = try NIfTIFile.readVolume("\(summary.reconstruction)/\(stem)_Chimap.nii.gz")
        #expect(!chimap.grid.matches(t1w.grid))
        // The raw magnitude and the map share a grid.
        let magnitude = try NIfTIFile.readVolume("\(summary.rawData)/\(stem)_T2starw.nii.gz")
        #expect(magnitude.grid.matches(chimap.grid))
    }

    @Test func atlasIsComplete() throws {
        let scratch = Scratch()
        let summary = try PhantomCohort.write(to: scratch.path, options: Self.options(1))
        let t1w = try NIfTIFile.readVolume(summary.atlas + "/T1w.nii.gz")
        let chi = try NIfTIFile.readVolume(summary.atlas + "/Chimap.nii.gz")
        let labels = try NIfTIFile.readLabelMap(summary.atlas + "/dseg.nii.gz")
        #expect(t1w.grid.matches(labels.grid) && chi.grid.matches(labels.grid))
        let rows = try Self.table(summary.atlas + "/dseg.tsv")
        let present = Set(labels.values).subtracting([0])
        #expect(present == Set(rows.compactMap { UInt16($0["index"] ?? "") }))
        #expect(rows.allSatisfy { $0["color"]?.count == 7 && $0["color"]?.first == "#" })
        #expect(Set(rows.compactMap { $0["color"] }).count == rows.count)
        #expect(PhantomCohort.deepNuclei.allSatisfy { name in rows.contains { $0["name"] == name } })
        // ppm, with the pallidum brightest: 122 ppb less partial volume.
        let peak = try #require(chi.values.max())
        #expect(peak > 0.1 && peak < 0.13, "\(peak)")
    }

    @Test func defectsAreWhatTheySay() throws {
        let scratch = Scratch()
        var options = Self.options(3)
        options.defects = PhantomCohort.Defect.allCases
        let summary = try PhantomCohort.write(to: scratch.path, options: options, threads: 2)
        #expect(summary.broken == 6 && summary.participants == 9)
        let rows = try Self.table(summary.truth + "/defects.tsv")
        #expect(Set(rows.compactMap { $0["defect"] }) == Set(PhantomCohort.Defect.allCases.map(\.rawValue)))
        for row in rows {
            let subject = try #require(row["participant_id"])
            let path = scratch.path + "/" + (try #require(row["path"]))
            let mask = try NIfTIFile.readMask(
                "\(summary.reconstruction)/\(subject)/anat/\(subject)_desc-brain_mask.nii.gz")
            switch try #require(row["defect"].flatMap(PhantomCohort.Defect.init)) {
            case .truncatedGzip: #expect(throws: (any Error).self) { try NIfTIFile.readVolume(path) }
            case .missingT1w: #expect(!FileManager.default.fileExists(atPath: path))
            case .emptySidecar: #expect(try Data(contentsOf: URL(filePath: path)).isEmpty)
            case .nanVoxels:
                let values = try NIfTIFile.readVolume(path).values
                #expect(values.count { $0.isNaN } > 100 && values.count { !$0.isNaN && $0 != 0 } > 100)
            case .ppbUnits: #expect(try NIfTIFile.readVolume(path).values.max()! > 50)
            case .mismatchedGrid: #expect(try NIfTIFile.readHeader(path).grid.nz == mask.grid.nz - 3)
            }
        }
        // The sound ones are sound.
        let broken = Set(rows.compactMap { $0["participant_id"] })
        let people = try Self.table(summary.rawData + "/participants.tsv").compactMap { $0["participant_id"] }
        #expect(people.count == 9 && broken.count == 6)
        for subject in people where !broken.contains(subject) {
            let map = try NIfTIFile.readVolume("\(summary.reconstruction)/\(subject)/anat/\(subject)_Chimap.nii.gz")
            #expect(map.values.allSatisfy { $0.isFinite && abs($0) < 0.5 })
            #expect(
                try NIfTIFile.readVolume("\(summary.rawData)/\(subject)/anat/\(subject)_T1w.nii.gz").values.max()! > 100
            )
        }
    }

    @Test func badOptionsAndFullFoldersAreRefused() throws {
        var options = Self.options(0)
        #expect(throws: PhantomError.badOption(name: "subjects", value: "0.0", allowed: "from 1.0 to 99999.0")) {
            try PhantomCohort.write(to: "/nowhere/at/all", options: options)
        }
        options = Self.options(1)
        options.voxelMillimetres = .nan
        #expect(throws: PhantomError.self) { try PhantomCohort.write(to: "/nowhere/at/all", options: options) }
        let scratch = Scratch()
        try FileManager.default.createDirectory(atPath: scratch.path, withIntermediateDirectories: true)
        try Data([1]).write(to: URL(filePath: scratch.path + "/precious.txt"))
        #expect(throws: PhantomError.outputNotEmpty(scratch.path)) {
            try PhantomCohort.write(to: scratch.path, options: Self.options(1))
        }
    }
}
