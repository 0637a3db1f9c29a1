import Foundation
import Testing

/// `workflows/microbleeds.yaml` on a phantom cohort: candidates, their classes, forests by fold, what they found held against
/// the labels, and the same forests on other people.
@Suite(.serialized) struct MicrobleedWorkflowTests {
    private static let small = ["candidates.limit=60", "candidates.radii_mm=[2, 3, 4]"]

    @Test func candidatesAreToldApartAndHeldAgainstTheLabels() async throws {
        let program = try Program()
        try await program.phantom(subjects: 7, voxel: 2, options: "--study", "microbleeds", "--seed", "3")
        let labels = program.folder + "/phantom/derivatives/labels"
        // Somebody has no labels.
        try Program.removeLabels("lesionclass", of: "sub-007", from: labels)
        try await program.run(
            workflow: "microbleeds", on: program.dataset, derivatives: [program.recon, labels],
            settings: Self.small + ["folds=2", "trees=30", "candidates-judged.bootstrap=50"], log: "run")

        // Every candidate of everybody in a fold has a class, and what the labels have is counted as where it is judged.
        let labelled = (1...6).map { ["00\($0)"] }
        #expect(
            try await program.rows(
                """
                select m.subject from measurements m join measurements c using (run, subject)
                where m.step = 'match' and m.metric = 'lesions' and c.step = 'candidates' and c.metric = 'candidates'
                group by m.subject having sum(m.value) = max(c.value) order by 1
                """) == labelled)
        let references = try await program.rows(
            """
            select subject, term, value from measurements
            where step = 'match' and metric = 'references' order by subject, term
            """)
        #expect(references.count == 12)
        #expect(
            try await program.rows(
                """
                select subject, class, reference_lesions::float8 from detection_metrics
                where rule = 'overlap_1' order by subject, class
                """) == references)
        let known = try await program.rows(
            "select sum(value) from measurements where step = 'match' and metric = 'lesions' and term = 'microbleed'")
        #expect(try #require(Double(known[0][0])) > 0, "another seed has candidates on bleeds")
        // Judged as candidates and as lesions, in both folds, beside nobody's figures.
        #expect(
            try await program.rows(
                """
                select distinct people, folds, published is null from classification_metrics
                where step = 'candidates-judged' and class = 'microbleed' and level = 'item' and metric = 'auc'
                """) == [["6", "2", "t"]])
        // Candidates are no count of lesions.
        #expect(
            try await program.rows(
                "select count(*) from classification_metrics where step = 'candidates-judged' and metric like 'count%'")
                == [["0"]])
        #expect(
            try await program.rows(
                """
                select label from evaluation_summary
                where step = 'summary' and rule = 'overlap_1' and metric = 'sensitivity' and fold is null order by 1
                """) == [["iron_deposit"], ["microbleed"]])
        #expect(try await program.rows("select count(*) from published_figures") == [["0"]])
        // Whoever has no labels is judged by the forests of both folds.
        #expect(
            try await program.rows(
                "select distinct subject from measurements where step = 'select' order by 1")
                == (1...7).map { ["00\($0)"] })
        // What was kept is what was decided for.
        let kept = try await program.rows(
            "select sum(value) from measurements where step = 'select' and metric = 'lesions'")
        let decided = try await program.rows(
            "select count(*) from measurements where step = 'judge' and metric = 'decision' and value > 0")
        #expect(Double(kept[0][0]) == Double(decided[0][0]))
        let found = try await program.rows(
            "select sum(tp) from detection_metrics where class = 'microbleed' and rule = 'overlap_1'")
        #expect(try #require(Double(found[0][0])) > 0)

        try await isAppliedElsewhere(program)
    }

    /// Other people, of whom no lesion is known; where their lesions lie an atlas says.
    private func isAppliedElsewhere(_ program: Program) async throws {
        let named = try await program.run("models", "name-folds", "1", "bleeds")
        #expect(named.code == 0 && named.output.contains("bleeds stands for all 2."), "\(named.errors)")
        let other = program.folder + "/others"
        let phantom = try await program.run(
            "phantom", other, "--study", "microbleeds", "--subjects", "2", "--voxel", "2", "--seed", "9", "--quiet")
        #expect(phantom.code == 0, "\(phantom.errors)")
        try await program.run(
            workflow: "microbleeds", on: other + "/rawdata", derivatives: [other + "/derivatives/recon"],
            options: ["--atlas", "phantom=\(other)/atlas"],
            settings: Self.small + ["train=false", "models=bleeds", "locate=true"], log: "others")
        #expect(
            try await program.rows("select distinct step from task_status where run = 2 order by 1")
                == [
                    "atlas", "atlas_labels", "brain", "candidates", "features", "judge", "lesions", "select", "within",
                ].map { [$0] })
        #expect(
            try await program.rows(
                "select count(*) > 0, count(region) > 0, bool_and(region_share between 0 and 1) from lesions where run = 2"
            )
                == [["t", "t", "t"]])
        #expect(
            try await program.rows(
                "select distinct subject from measurements where run = 2 and step = 'select' order by 1")
                == [["001"], ["002"]])
    }
}
