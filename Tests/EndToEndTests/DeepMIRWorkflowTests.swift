import BIDS
import Foundation
import Testing

/// `workflows/deepmir.yaml` on a phantom cohort: three contrasts of which one is brought to the grid of the others, both
/// classes, networks by fold, lesions held against the labels; then one contrast and one class; and other people.
@Suite(.serialized) struct DeepMIRWorkflowTests {
    // Enough for a network that finds something, whatever it is worth.
    private static let small = [
        "folds=2", "slice=[64, 64, 1]", "batch=8", "epochs=3", "train.widths=[8, 8, 8, 8, 8, 8]",
        "train.samples_per_epoch=160", "train.learning_rate=0.005",
    ]
    private static let three = [
        "third={bids: {suffix: T2w, dataset: raw}}", "register_third=true",
        "channels=[{modality: SWI, normalise: zscore_padded}, {modality: Chimap, units: ppm, normalise: zscore_padded}, "
            + "{modality: T2w, normalise: zscore_padded}]",
    ]

    @Test func contrastsAndClassesAreThoseThatWereAskedFor() async throws {
        let program = try Program()
        try await program.phantom(subjects: 5, voxel: 3, options: "--study", "microbleeds", "--seed", "3")
        let labels = program.folder + "/phantom/derivatives/labels"
        // Somebody has no labels.
        try Program.removeLabels("lesionclass", of: "sub-005", from: labels)
        try await program.run(
            workflow: "deepmir", on: program.dataset, derivatives: [program.recon, labels],
            settings: Self.small + Self.three, log: "three")

        // The third contrast was registered for everybody, and everybody was segmented by networks of three channels.
        for step in ["within_third", "onto_third", "segment", "lesions"] {
            #expect(
                try await program.rows(
                    "select count(distinct subject) from task_status where step = '\(step)' and state = 'succeeded'")
                    == [["5"]], "\(step)")
        }
        let shown = try JSONValue.parse(try await program.run("models", "--json").output)
        let digests = (shown.arrayValue ?? []).compactMap { $0["digest"]?.stringValue }
        try #require(digests.count == 2, "\(shown)")
        for digest in digests {
            let card = try JSONValue.parse(try await program.run("models", "inspect", digest, "--json").output)["card"]
            #expect(
                card?["channels"]?.arrayValue?.compactMap { $0["modality"]?.stringValue } == ["SWI", "Chimap", "T2w"])
            #expect(card?["notes"]?.arrayValue?.isEmpty == false)
        }
        // Whoever has labels is judged once, for both classes, by all rules; what the paper published stands beside.
        let judged = try await program.rows(
            """
            select class, count(*), count(distinct subject), sum(reference_lesions) > 0 from detection_metrics
            where rule = 'overlap_1' group by 1 order by 1
            """)
        #expect(judged == [["iron_deposit", "4", "4", "t"], ["microbleed", "4", "4", "t"]])
        let rules = try await program.rows("select count(distinct rule) from detection_metrics")
        #expect(rules == [["4"]])
        // What the data was stands with every figure.
        for view in ["detection_metrics", "evaluation_summary", "published_figures", "lesions"] {
            #expect(try await program.rows("select distinct data from \(view)") == [["synthetic"]], "\(view)")
        }
        // Whoever has no lesion of a class has no sensitivity.
        #expect(
            try await program.rows(
                """
                select s.label, count(f.source), bool_and(s.people = c.people) from evaluation_summary s
                join published_figures f using (run, step, label, rule, metric)
                join (
                    select class, count(*) as people from detection_metrics
                    where rule = 'overlap_1' and reference_lesions > 0 group by 1
                ) c on c.class = s.label
                where s.metric = 'sensitivity' and s.fold is null group by 1 order by 1
                """) == [["iron_deposit", "8", "t"], ["microbleed", "8", "t"]])

        try await oneContrastAndOneClass(program, labels)
        try await isAppliedElsewhere(program)
    }

    /// The other class is background, and not judged.
    private func oneContrastAndOneClass(_ program: Program, _ labels: String) async throws {
        try await program.run(
            workflow: "deepmir", on: program.dataset, derivatives: [program.recon, labels],
            settings: Self.small + [
                "second=null", "channels=[{modality: SWI, normalise: zscore_padded}]",
                "classes=[{name: microbleed, labels: [1]}]",
            ], log: "one")
        #expect(
            try await program.rows("select distinct class from detection_metrics where run = 2") == [["microbleed"]])
        #expect(
            try await program.rows("select distinct step from task_status where run = 2 order by 1")
                == [["detect"], ["lesions"], ["segment"], ["summary"], ["train"]])
    }

    /// Other people by the networks of both folds, judged where labels are known.
    private func isAppliedElsewhere(_ program: Program) async throws {
        let named = try await program.run("models", "name-folds", "1", "deepmir")
        #expect(named.code == 0 && named.output.contains("deepmir stands for all 2."), "\(named.errors)")
        let other = program.folder + "/others"
        let phantom = try await program.run(
            "phantom", other, "--study", "microbleeds", "--subjects", "3", "--voxel", "3", "--seed", "9", "--quiet")
        #expect(phantom.code == 0, "\(phantom.errors)")
        let (recon, labels) = (other + "/derivatives/recon", other + "/derivatives/labels")
        try Program.removeLabels("lesionclass", of: "sub-003", from: labels)
        let applied = Self.three + ["train=false", "models=deepmir"]
        try await program.run(
            workflow: "deepmir", on: other + "/rawdata", derivatives: [recon], settings: applied, log: "others")
        #expect(
            try await program.rows("select distinct step from task_status where run = 3 order by 1")
                == [["lesions"], ["onto_third"], ["segment"], ["within_third"]])
        try await program.run(
            workflow: "deepmir", on: other + "/rawdata", derivatives: [recon, labels],
            settings: applied + ["evaluate=true"], log: "judged")
        #expect(
            try await program.rows(
                "select distinct subject from measurements where run = 4 and step = 'segment' order by 1")
                == [["001"], ["002"], ["003"]])
        #expect(
            try await program.rows(
                "select distinct subject, class from detection_metrics where run = 4 order by 1, 2")
                == [["001", "iron_deposit"], ["001", "microbleed"], ["002", "iron_deposit"], ["002", "microbleed"]])
        // Nothing was trained, so there are no folds to have a mean over.
        #expect(
            try await program.rows(
                "select count(*), count(folds) from evaluation_summary where run = 4 and rule = 'overlap_1' and metric = 'f1'"
            )
                == [["2", "0"]])
    }
}
