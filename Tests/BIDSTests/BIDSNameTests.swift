import BIDS
import Foundation
import Testing

@Suite struct BIDSNameTests {
    @Test(arguments: [
        ("sub-01_T1w.nii.gz", [("sub", "01")], "T1w", ".nii.gz"),
        (
            "sub-01_ses-2_acq-hi_echo-1_part-mag_MEGRE.nii",
            [("sub", "01"), ("ses", "2"), ("acq", "hi"), ("echo", "1"), ("part", "mag")], "MEGRE", ".nii"
        ),
        ("sub-10_hemi-L_inflated.surf.gii", [("sub", "10"), ("hemi", "L")], "inflated", ".surf.gii"),
        ("T2starw.json", [], "T2starw", ".json"),
        ("desc-nuclei_dseg.tsv", [("desc", "nuclei")], "dseg", ".tsv"),
        ("sub-1_myown-x+y_thing", [("sub", "1"), ("myown", "x+y")], "thing", ""),
        ("sub-Zoë_T1w.nii.gz", [("sub", "Zoë")], "T1w", ".nii.gz"),
    ])
    func takesNamesApart(text: String, entities: [(String, String)], suffix: String, ext: String) throws {
        let name = try BIDSName(parsing: text)
        #expect(name.entities == entities.map { BIDSName.Entity($0.0, $0.1) })
        #expect(name.suffix == suffix)
        #expect(name.fileExtension == ext)
        #expect(name.fileName == text)
        let coded = try JSONDecoder().decode([BIDSName].self, from: JSONEncoder().encode([name]))
        #expect(coded == [name])
    }

    @Test(arguments: [
        ("", BIDSNameError.Fault.empty),
        ("sub-01.nii.gz", .noSuffix),
        ("sub-01_.nii.gz", .noSuffix),
        ("sub-01_brain_T1w.nii.gz", .notAnEntity("brain")),
        ("dataset_description.json", .notAnEntity("dataset")),
        ("-01_T1w.nii.gz", .emptyKey("-01")),
        ("sub-_T1w.nii.gz", .emptyLabel(key: "sub")),
        ("sub-01_acq-hi-res_T1w.nii", .labelCharacter(key: "acq", label: "hi-res", character: "-")),
        ("sub-01_acq-hi res_T1w.nii", .labelCharacter(key: "acq", label: "hi res", character: " ")),
        ("sub-01_run-1_run-2_T1w.nii", .repeated(key: "run")),
        ("s@b-01_T1w.nii", .keyNotLetters("s@b")),
        ("sub-01_T1 w.nii", .suffixCharacter(suffix: "T1 w", character: " ")),
    ])
    func saysWhatIsMalformed(text: String, fault: BIDSNameError.Fault) throws {
        let error = try #require(throws: BIDSNameError.self) { try BIDSName(parsing: text) }
        #expect(error.fault == fault)
        #expect(error.description.hasPrefix(text + " is not a BIDS file name"))
    }

    @Test func ordersEntitiesAsTheStandardDoes() {
        let name = BIDSName(
            entities: [
                .init("desc", "core"), .init("own", "x"), .init("echo", "2"), .init("space", "MNI"), .init("ses", "1"),
                .init("sub", "7"), .init("atlas", "CIT"), .init("part", "mag"),
            ], suffix: "dseg", fileExtension: ".nii.gz")
        #expect(name.fileName == "sub-7_ses-1_echo-2_part-mag_space-MNI_atlas-CIT_own-x_desc-core_dseg.nii.gz")
    }

    @Test func setsReplacesAndRemovesEntities() throws {
        var name = try BIDSName(parsing: "sub-1_echo-1_T2starw.nii")
        name["echo"] = nil
        name["sub"] = "2"
        name["desc"] = "x"
        #expect(name.fileName == "sub-2_desc-x_T2starw.nii")
    }

    @Test func tellsPortableLabels() throws {
        #expect(try BIDSName(parsing: "sub-01_T1w.nii").hasPortableLabels)
        #expect(try !BIDSName(parsing: "sub-Zoë_T1w.nii").hasPortableLabels)
    }

    /// Names of the standard's QSM and MEGRE examples.
    @Test(.enabled(if: SharedData.exists("qsm_layout_listing.txt"), "needs ../shared/data/bids/qsm_layout_listing.txt"))
    func readsTheStandardsExamples() throws {
        let listing = try String(contentsOfFile: SharedData.path("qsm_layout_listing.txt"), encoding: .utf8)
        let names = listing.split(separator: "\n").map { String($0.split(separator: "/").last!) }
            .filter { $0.hasPrefix("sub-") }
        #expect(names.count > 20)
        for text in names { #expect(try BIDSName(parsing: text).fileName == text) }
    }
}
