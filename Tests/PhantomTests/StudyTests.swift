import Foundation
import Kernels
import NIfTI
import Testing

@testable import Phantom

/// Cohorts of the studies on disk, at 2 and 4 mm.
@Suite struct StudyTests {
    typealias Scratch = CohortTests.Scratch

    static func options(_ study: PhantomCohort.Study, _ subjects: Int, voxel: Double = 4) -> PhantomCohort.Options {
        var options = CohortTests.options(subjects)
        options.study = study
        options.voxelMillimetres = voxel
        return options
    }

    private func mean(_ volume: Volume, where isWanted: (Int) -> Bool) -> Double {
        let places = volume.values.indices.filter(isWanted)
        return places.reduce(0) { $0 + Double(volume.values[$1]) } / Double(max(1, places.count))
    }

    @Test(arguments: PhantomCohort.Study.allCases)
    func bytesDependOnTheSeedAlone(study: PhantomCohort.Study) throws {
        let (a, b) = (Scratch(), Scratch())
        // Four people bring every group of the mixed study; one more leaves those before as they are.
        let people = study == .mixed ? 4 : 2
        _ = try PhantomCohort.write(to: a.path, options: Self.options(study, people), threads: 1)
        _ = try PhantomCohort.write(to: b.path, options: Self.options(study, people + 1), threads: 3)
        let (few, many) = (try CohortTests.contents(a.path), try CohortTests.contents(b.path))
        #expect(Set(few.keys).isSubset(of: many.keys))
        let tables = ["participants.tsv", "truth.tsv", "subjects.tsv"]
        for (path, bytes) in few {
            if tables.contains(where: path.hasSuffix) {
                #expect(many[path]?.starts(with: bytes) == true, "\(path)")
            } else {
                #expect(bytes == many[path], "\(path)")
            }
        }
    }

    @Test func microbleedsAreInTablesMapsAndImages() throws {
        let scratch = Scratch()
        let summary = try PhantomCohort.write(
            to: scratch.path, options: Self.options(.microbleeds, 4, voxel: 2), threads: 2)
        let labels = try #require(summary.labels)
        var seen: Set<String> = []
        // Brightness of middles against 5 to 8 mm away, by class.
        var contrast: [String: [Double]] = [:]
        for person in 1...4 {
            let stem = "sub-00\(person)/anat/sub-00\(person)"
            let rows = try CohortTests.table("\(summary.truth)/\(stem)_lesions.tsv")
            let numbers = try NIfTIFile.readLabelMap("\(summary.truth)/\(stem)_desc-lesion_dseg.nii.gz")
            let clean = try NIfTIFile.readVolume("\(summary.truth)/\(stem)_desc-truth_Chimap.nii.gz")
            let swi = try NIfTIFile.readVolume("\(summary.reconstruction)/\(stem)_desc-swi_T2starw.nii.gz")
            #expect(swi.grid.matches(numbers.grid) && clean.grid.matches(numbers.grid))
            #expect(FileManager.default.fileExists(atPath: "\(summary.rawData)/\(stem)_T2w.nii.gz"))
            var counts: [Int: Int] = [:]
            for number in numbers.values where number > 0 { counts[Int(number), default: 0] += 1 }
            #expect(counts.keys.allSatisfy { $0 <= rows.count })
            let classes = try NIfTIFile.readLabelMap("\(labels)/\(stem)_desc-lesionclass_dseg.nii.gz")
            let drawn = try NIfTIFile.readLabelMap("\(labels)/\(stem)_desc-lesion_dseg.nii.gz")
            for (number, row) in rows.enumerated().map({ ($0 + 1, $1) }) {
                #expect(row["lesion"] == "\(number)" && row["voxels"] == "\(counts[number] ?? 0)", "\(row)")
                let kind = try #require(row["class"])
                seen.insert(kind)
                let places = numbers.values.indices.filter { numbers.values[$0] == UInt16(number) }
                // Experts outline bleeds and deposits, and no mimic.
                let wanted: UInt16? = kind == "microbleed" ? 1 : kind == "iron_deposit" ? 2 : nil
                if let wanted {
                    #expect(places.allSatisfy { classes.values[$0] == wanted && drawn.values[$0] == UInt16(number) })
                } else if row["place"]?.hasSuffix("_core") != true {
                    #expect(places.allSatisfy { classes.values[$0] == 0 || drawn.values[$0] != UInt16(number) })
                }
                guard !places.isEmpty, row["place"] != "sulcal" else { continue }
                let ratio = Self.ratio(swi, at: places, numbers)
                if let ratio { contrast[kind, default: []].append(ratio) }
                let chi = try #require(Double(row["chi_mean_ppm"] ?? ""))
                if kind == "calcification", row["place"]?.hasSuffix("_core") != true, places.count > 1 {
                    #expect(chi < 0.02, "\(row)")
                }
                if kind == "microbleed" { #expect(chi > 0, "\(row)") }
            }
            let table = try CohortTests.table("\(labels)/\(stem)_lesions.tsv")
            #expect(
                Set(table.compactMap { $0["lesion"] })
                    == Set(drawn.values.filter { $0 > 0 }.map { "\($0)" }))
            #expect(table.allSatisfy { ["microbleed", "iron_deposit"].contains($0["class"]) })
        }
        #expect(seen.isSuperset(of: ["microbleed", "iron_deposit", "vein", "calcification", "flow_void"]), "\(seen)")
        for kind in ["microbleed", "calcification", "flow_void", "iron_deposit"] {
            let ratios = (contrast[kind] ?? []).sorted()
            #expect(!ratios.isEmpty && ratios[ratios.count / 2] < 0.75, "\(kind): \(ratios)")
        }
    }

    /// The darkest voxel of a lesion against the middle of what is 3 to 5 voxels away along the axes; nil at the border.
    private static func ratio(_ image: Volume, at places: [Int], _ numbers: LabelMap) -> Double? {
        let grid = image.grid
        let darkest = places.min { image.values[$0] < image.values[$1] }!
        var around: [Float] = []
        for step in [1, grid.nx, grid.nx * grid.ny] {
            for distance in [-5, -4, -3, 3, 4, 5] {
                let place = darkest + distance * step
                guard image.values.indices.contains(place) else { return nil }
                if numbers.values[place] == 0 { around.append(image.values[place]) }
            }
        }
        guard around.count > 6 else { return nil }
        return Double(image.values[darkest]) / Double(around.sorted()[around.count / 2])
    }

    @Test func rimLesionsAreInTablesMapsAndImages() throws {
        let scratch = Scratch()
        var options = Self.options(.rim, 4, voxel: 2)
        (options.lesions, options.rims, options.isAligned, options.seed) = (12, 9, true, 4)
        let summary = try PhantomCohort.write(to: scratch.path, options: options, threads: 2)
        let labels = try #require(summary.labels)
        let people = try CohortTests.table("\(summary.rawData)/participants.tsv")
        var classes: [String: Int] = [:]
        for person in people {
            let subject = try #require(person["participant_id"])
            let stem = "\(subject)/anat/\(subject)"
            let rows = try CohortTests.table("\(labels)/\(stem)_lesions.tsv")
            for row in rows {
                classes[row["class"] ?? "", default: 0] += 1
                #expect((row["rim"] == "1") == (row["class"] == "rim"))
            }
            #expect(person["rim_count"] == "\(rows.count { $0["rim"] == "1" })" && person["group"] == "MS")
            let drawn = try NIfTIFile.readLabelMap("\(labels)/\(stem)_desc-lesion_dseg.nii.gz")
            #expect(Set(rows.compactMap { $0["lesion"] }) == Set(drawn.values.filter { $0 > 0 }.map { "\($0)" }))
            let truth = try CohortTests.table("\(summary.truth)/\(stem)_lesions.tsv")
            for row in rows {
                let same = try #require(truth.first { $0["lesion"] == row["lesion"] })
                #expect((same["class"] == "rim_positive") == (row["rim"] == "1"))
            }
            // One grid, and lesions bright on it.
            let flair = try NIfTIFile.readVolume("\(summary.rawData)/\(stem)_FLAIR.nii.gz")
            let tissue = try NIfTIFile.readLabelMap("\(summary.truth)/\(stem)_desc-nuclei_dseg.nii.gz")
            #expect(flair.grid.matches(drawn.grid))
            guard !rows.isEmpty else { continue }
            let inside = mean(flair) { drawn.values[$0] > 0 && tissue.values[$0] == 31 }
            let white = mean(flair) { drawn.values[$0] == 0 && tissue.values[$0] == 31 }
            #expect(inside / white > 1.15 && inside / white < 1.45, "\(inside / white)")
        }
        #expect(classes["rim", default: 0] > 2 && classes["no_rim", default: 0] > 4, "\(classes)")
    }

    @Test func anatomicalLesionsAreWhereTheTableSays() throws {
        let scratch = Scratch()
        var options = Self.options(.rim, 2, voxel: 2)
        (options.lesions, options.rims) = (30, 3)
        let summary = try PhantomCohort.write(to: scratch.path, options: options, threads: 2)
        var compared = 0
        for subject in ["sub-001", "sub-002"] {
            let stem = "\(summary.truth)/\(subject)/anat/\(subject)"
            for (map, prefix) in [("desc-lesion", ""), ("space-T1w_desc-lesion", "t1w_")] {
                let numbers = try NIfTIFile.readLabelMap("\(stem)_\(map)_dseg.nii.gz")
                for row in try CohortTests.table("\(stem)_lesions.tsv") where row["class"] == "rim_negative" {
                    let number = try #require(UInt16(row["lesion"] ?? ""))
                    var sum = SIMD4<Double>(repeating: 0)
                    for k in 0..<numbers.grid.nz {
                        for j in 0..<numbers.grid.ny {
                            for i in 0..<numbers.grid.nx where numbers.values[numbers.grid.index(i, j, k)] == number {
                                sum += SIMD4(Double(i), Double(j), Double(k), 1)
                            }
                        }
                    }
                    guard sum.w > 20 else { continue }
                    let centre = numbers.grid.affine(SIMD3(sum.x, sum.y, sum.z) / sum.w)
                    let stated = SIMD3(
                        try #require(Double(row["\(prefix)x_mm"] ?? "")),
                        try #require(Double(row["\(prefix)y_mm"] ?? "")),
                        try #require(Double(row["\(prefix)z_mm"] ?? "")))
                    let off = centre - stated
                    // Cut to white matter, so that the middle moves.
                    #expect((off * off).sum().squareRoot() < 4.5, "\(row)")
                    compared += 1
                }
            }
        }
        #expect(compared > 4)
    }

    @Test func hemochromatosisIsMatchedAndNullWithoutAnEffect() {
        var options = PhantomCohort.Options()
        (options.study, options.subjects) = (.hemochromatosis, 990)
        func groups(_ effect: Double) -> (patients: [SubjectPlan], controls: [SubjectPlan]) {
            options.effect = effect
            let plans = SubjectPlan.cohort(options)
            return (
                plans.filter { $0.group == .hemochromatosis }, plans.filter { $0.group == .control }
            )
        }
        func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
        let (patients, controls) = groups(1)
        #expect(patients.count == 520 && controls.count == 470)
        #expect(abs(mean(patients.map(\.age)) - mean(controls.map(\.age))) < 1)
        let women = [patients, controls].map { group in mean(group.map { $0.sex == "F" ? 1 : 0 }) }
        #expect(abs(women[0] - women[1]) < 0.01)
        let null = groups(0)
        let spec: [(Nucleus, Double, Double)] = [
            (.putamen, 16, 16), (.caudate, 9, 9), (.pulvinar, 12, 12), (.redNucleus, 15, 15), (.dentate, 22, 20),
            (.substantiaNigra, 12, 15), (.pallidum, 9, 13),
        ]
        for (nucleus, shift, spread) in spec {
            let code = Int(Tissue.nucleus(nucleus, right: false))
            func values(_ plans: [SubjectPlan]) -> [Double] { plans.map { $0.susceptibilityPPB[code] } }
            // Severity 1.2 · LogN(0, 0.4). Nothing but the shift tells the two cohorts apart, so that it is exact.
            let own = zip(patients, null.patients).map { $0.susceptibilityPPB[code] - $1.susceptibilityPPB[code] }
            #expect(abs(mean(own) - shift * 1.2 * exp(0.08)) < 0.08 * shift, "\(nucleus)")
            // Four standard errors of a difference of means.
            let difference = mean(values(null.patients)) - mean(values(null.controls))
            #expect(abs(difference) < 4 * 1.3 * spread * (1 / 520.0 + 1 / 470).squareRoot(), "\(nucleus)")
        }
    }

    @Test func descriptionsSayThatItIsSynthetic() throws {
        let scratch = Scratch()
        let summary = try PhantomCohort.write(to: scratch.path, options: Self.options(.mixed, 1), threads: 1)
        let labels = try #require(summary.labels)
        for folder in [summary.rawData, summary.reconstruction, summary.truth, labels] {
            let text = try String(contentsOfFile: folder + "/dataset_description.json", encoding: .utf8)
            #expect(text.contains("\"synthetic\""))
            let note = try String(contentsOfFile: folder + "/README.md", encoding: .utf8)
            #expect(note.hasPrefix("Synthetic cohort") && note.contains("nothing about\npatients"))
        }
        #expect(throws: PhantomError.badOption(name: "lesions", value: "-1.0", allowed: "from 0.0 to 90.0")) {
            var options = Self.options(.rim, 1)
            options.lesions = -1
            _ = try PhantomCohort.write(to: scratch.path + "/other", options: options)
        }
    }
}
