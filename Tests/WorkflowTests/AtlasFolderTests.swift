import BIDS
import Foundation
import Testing
import Workflow

@Suite struct AtlasFolderTests {
    /// A folder with these empty files, removed after `body`.
    private func withFolder(_ files: [String], _ body: (AtlasReference) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("atlas \(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { #expect(throws: Never.self) { try FileManager.default.removeItem(at: folder) } }
        for file in files {
            let text = file.hasSuffix(".json") ? #"{"Units": "ppb"}"# : ""
            try Data(text.utf8).write(to: folder.appendingPathComponent(file))
        }
        try body(AtlasReference(name: "a", folder: folder.path))
    }

    @Test func findsPlainNames() throws {
        try withFolder(["T1w.nii.gz", "dseg.nii.gz", "dseg.tsv", "Chimap.nii", "Chimap.json", "README"]) { reference in
            let atlas = try AtlasFolder.read(reference)
            #expect(atlas.files[.t1w]?.path == reference.folder + "/T1w.nii.gz")
            #expect(atlas.files[.dseg]?.name == "dseg.nii.gz")
            #expect(atlas.files[.table]?.name == "dseg.tsv")
            #expect(atlas.files[.chimap]?.name == "Chimap.nii")
            #expect(atlas.files[.chimap]?.metadata == ["Units": "ppb"])
            #expect(atlas.files[.t1w]?.metadata == nil)
        }
    }

    @Test func findsNamesOfTheStandard() throws {
        try withFolder([
            "tpl-X_res-1_T1w.nii.gz", "tpl-X_res-1_atlas-CIT_dseg.nii.gz", "tpl-X_atlas-CIT_dseg.tsv", "notes.txt",
        ]) { reference in
            let atlas = try AtlasFolder.read(reference)
            #expect(atlas.files[.t1w]?.name == "tpl-X_res-1_T1w.nii.gz")
            #expect(atlas.files[.dseg]?.name == "tpl-X_res-1_atlas-CIT_dseg.nii.gz")
            #expect(atlas.files[.table]?.name == "tpl-X_atlas-CIT_dseg.tsv")
            #expect(atlas.files[.chimap] == nil)
        }
    }

    @Test func competingFilesAreRefusedByName() throws {
        try withFolder(["tpl-X_T1w.nii.gz", "tpl-Y_T1w.nii.gz"]) { reference in
            let error = try #require(throws: WorkflowError.self) { try AtlasFolder.read(reference) }
            #expect(error.description.contains("tpl-X_T1w.nii.gz and tpl-Y_T1w.nii.gz"))
        }
        // The plain name wins over longer ones.
        try withFolder(["T1w.nii.gz", "tpl-Y_T1w.nii.gz"]) { reference in
            let atlas = try AtlasFolder.read(reference)
            #expect(atlas.files[.t1w]?.name == "T1w.nii.gz")
        }
    }

    @Test func aMissingFolderSaysSo() throws {
        let error = try #require(throws: WorkflowError.self) {
            try AtlasFolder.read(AtlasReference(name: "a", folder: "/nonexistent/a"))
        }
        #expect(error.description.contains("atlas a (/nonexistent/a) cannot be used: there is no such folder"))
    }
}
