import Foundation
import Kernels
import NIfTI
import Testing

/// Predictions of other programs, held against a reference by the workflows that train nothing.
@Suite(.serialized) struct EvaluationWorkflowTests {
    /// A derivative dataset beside the phantom's own; its folder.
    private func derivative(_ name: String, in program: Program) throws -> String {
        let folder = program.folder + "/phantom/derivatives/" + name
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try Data(
            #"{"Name": "\#(name)", "BIDSVersion": "1.9.0", "DatasetType": "derivative", "GeneratedBy": [{"Name": "other"}]}"#
                .utf8
        ).write(to: URL(fileURLWithPath: folder + "/dataset_description.json"))
        return folder
    }

    /// Everything is found but in somebody whose lesions are said to be elsewhere.
    @Test func lesionsOfAnotherProgramAreJudged() async throws {
        let program = try Program()
        try await program.phantom(subjects: 4, voxel: 3, options: "--study", "microbleeds", "--seed", "3")
        let labels = program.folder + "/phantom/derivatives/labels"
        let theirs = try derivative("theirs", in: program)
        func copy(_ from: String, _ to: String) throws {
            let target = URL(fileURLWithPath: "\(theirs)/\(to)")
            try FileManager.default.createDirectory(
                at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
            try FileManager.default.copyItem(at: URL(fileURLWithPath: "\(labels)/\(from)"), to: target)
        }
        try copy("desc-lesionclass_dseg.tsv", "desc-lesionclass_dseg.tsv")
        for person in ["001", "002", "003", "004"] {
            let name = "sub-\(person)/anat/sub-\(person)_desc-lesionclass_dseg.nii.gz"
            try copy(name, name)
        }
        // Where nobody has a lesion.
        let moved = "\(theirs)/sub-001/anat/sub-001_desc-lesionclass_dseg.nii.gz"
        var map = try NIfTIFile.readVolume(moved)
        map.values = Array(map.values.suffix(20) + map.values.dropLast(20))
        try NIfTIFile.write(map, to: moved)
        try await program.run(
            workflow: "evaluate-lesions", on: program.dataset, derivatives: [theirs, labels], settings: [],
            log: "lesions")
        // tp, fn and fp of all classes together, by rule.
        let found = try await program.rows(
            """
            select subject, bool_and(fn = 0), bool_and(fp = 0), sum(tp) > 0 from detection_metrics
            where reference_lesions > 0 group by 1 order by 1
            """)
        #expect(
            found == [
                ["001", "f", "f", "f"], ["002", "t", "t", "t"], ["003", "t", "t", "t"], ["004", "t", "t", "t"],
            ])
        // Over whoever has a microbleed.
        let summed = try await program.rows(
            """
            select s.people > 1, s.people = count(*), s.mean < 1, abs(s.mean - avg(d.sensitivity)) < 1e-9 from evaluation_summary s
            join detection_metrics d on d.class = s.label and d.rule = s.rule and d.reference_lesions > 0
            where s.label = 'microbleed' and s.metric = 'sensitivity' and s.rule = 'overlap_1' group by s.people, s.mean
            """)
        #expect(summed == [["t", "t", "t", "t"]])
        #expect(try await program.rows("select count(distinct subject) from lesions") == [["4"]])

        // Somebody's cannot be read: the others are judged, and the report counts everybody.
        let broken = URL(fileURLWithPath: "\(theirs)/sub-004/anat/sub-004_desc-lesionclass_dseg.nii.gz")
        try Data(contentsOf: broken).prefix(200).write(to: broken)
        let partly = try await program.run(
            "run", "\(Program.root)/workflows/evaluate-lesions.yaml", program.dataset, "--derivatives", theirs,
            "--derivatives", labels, "--cores", "2")
        let said = partly.output + partly.errors
        #expect(partly.code != 0 && said.contains("sub-004_desc-lesionclass_dseg.nii.gz"), "\(said)")
        let report = program.folder + "/report.html"
        #expect(try await program.run("report", "2", "-o", report).code == 0)
        let page = try String(contentsOfFile: report, encoding: .utf8)
        #expect(page.contains("<b>4</b> participants<") && page.contains("<b>1</b> participants with a failure"))
    }

    /// The worked example: 24 lesions by falling score, 4 of them with a rim.
    @Test func classesOfAnotherProgramAreJudged() async throws {
        let program = try Program()
        try await program.phantom(subjects: 4, voxel: 4)
        let (theirs, truth) = (try derivative("theirs", in: program), try derivative("known", in: program))
        let isRim = "110100000000000000001000".map { $0 == "1" }
        for person in 0..<4 {
            let label = "sub-00\(person + 1)"
            var (predicted, known) = ("lesion\tp_rim\n", "lesion\tclass\n")
            for n in 0..<6 {
                let place = person + 4 * n
                predicted += "\(n + 1)\t\(1 - Double(place) / 24)\n"
                known += "\(n + 1)\t\(isRim[place] ? "rim" : "no_rim")\n"
            }
            for (folder, suffix, text) in [(theirs, "classes", predicted), (truth, "lesions", known)] {
                try FileManager.default.createDirectory(
                    atPath: "\(folder)/\(label)/anat", withIntermediateDirectories: true)
                try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(label)/anat/\(label)_\(suffix).tsv"))
            }
        }
        try await program.run(
            workflow: "evaluate-classification", on: program.dataset, derivatives: [theirs, truth],
            settings: [
                "positive=rim", "truth={bids: {suffix: lesions, extension: .tsv, dataset: known}}",
                "judge.bootstrap=50",
            ],
            log: "classes")
        let figures = try await program.rows(
            """
            select metric, round(value::numeric, 7) from classification_metrics
            where level = 'item' and class = 'rim' and metric in ('auc', 'average_precision', 'partial_auc_mcclish') order by 1
            """)
        #expect(
            figures == [
                ["auc", "0.7750000"], ["average_precision", "0.7351190"], ["partial_auc_mcclish", "0.8026316"],
            ])

        // Of people, by a column of participants.tsv.
        for person in 1...4 {
            let path = "\(theirs)/sub-00\(person)/anat/sub-00\(person)_classes.tsv"
            try Data("lesion\tp_F\nn/a\t0.\(person)\n".utf8).write(to: URL(fileURLWithPath: path))
        }
        try await program.run(
            workflow: "evaluate-classification", on: program.dataset, derivatives: [theirs],
            settings: ["positive=F", "truth=null", "judge.target=sex", "judge.bootstrap=0"], log: "people")
        let people = try await program.rows(
            "select cases from classification_metrics where run = 2 and level = 'person' and class = 'F' and metric = 'auc'"
        )
        #expect(people == [["4"]])
    }
}
