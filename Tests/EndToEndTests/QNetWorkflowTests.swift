import BIDS
import Foundation
import Testing

/// Q-Net on a small phantom cohort: registered, cut to slabs, trained by folds, judged for images and scans beside logistic
/// regressions, and applied to other people.
@Suite(.serialized) struct QNetWorkflowTests {
    private static let coarse = [
        "folds=2", "spacing_mm=4", "slab=[32, 32, 24]", "epochs=3", "average_from=2", "batch=2", "train.widths=[4, 8]",
        "atlas.finest_mm=4", "judge.bootstrap=20", "judge_regions.bootstrap=20",
    ]

    @Test func groupsAreToldApartBySlicesAndScans() async throws {
        let program = try Program()
        try await program.phantom(subjects: 8, options: "--study", "hemochromatosis")
        try await program.run(
            workflow: "qnet", on: program.dataset, derivatives: [program.recon], options: ["--atlas", program.atlas],
            settings: Self.coarse, log: "run")

        // Everybody is judged once, by what has not seen them, at every level; means and deviations are over both folds.
        let metrics = try await program.rows(
            """
            SELECT step, level, people, folds, fold_mean IS NOT NULL, fold_sd IS NOT NULL, published FROM classification_metrics
            WHERE run = 1 AND metric = 'accuracy' AND class IN ('all', 'HH') AND (class = 'all') = (level <> 'person_by_slices')
            ORDER BY step, level
            """)
        #expect(
            metrics == [
                ["judge", "person", "8", "2", "t", "t", "0.8316"],
                ["judge", "person_by_slices", "8", "2", "t", "t", ""],
                ["judge", "slice", "8", "2", "t", "t", "0.8037"], ["judge_regions", "person", "8", "2", "t", "t", ""],
                ["judge_regions", "person_by_slices", "8", "2", "t", "t", ""],
                ["judge_regions", "slice", "8", "2", "t", "t", ""],
            ])
        let decided = try await program.rows(
            """
            SELECT step, truth, sum(cases) FROM classification_decisions WHERE run = 1 AND level = 'person'
            GROUP BY step, truth ORDER BY step, truth
            """)
        #expect(
            decided == [
                ["judge", "HH", "4"], ["judge", "control", "4"], ["judge_regions", "HH", "4"],
                ["judge_regions", "control", "4"],
            ])
        // The slices of network and regression are the same: those that meet a nucleus.
        let slices = try await program.rows(
            "SELECT cases FROM classification_metrics WHERE run = 1 AND level = 'slice' AND metric = 'auc'")
        #expect(Set(slices).count == 1)
        // Networks and classifiers are models; what of the recipe is ours stands in the card.
        let models = try await program.rows(
            "SELECT left(architecture, 8), count(*), count(card #>> '{notes,0}') FROM models GROUP BY 1 ORDER BY 1")
        #expect(models == [["logistic", "4", "0"], ["slice ne", "2", "2"]])
        let logs = try await program.run("logs", "1.0")
        #expect(logs.code == 0)

        // What the data was stands with every figure.
        for view in ["runs", "classification_metrics", "classification_decisions", "models"] {
            #expect(try await program.rows("SELECT DISTINCT data FROM \(view)") == [["synthetic"]], "\(view)")
        }
        let inspected = try await program.run(
            "models", "inspect",
            String(
                try await program.rows(
                    "SELECT digest FROM models ORDER BY digest LIMIT 1")[0][0].prefix(12)))
        #expect(inspected.output.contains(" on synthetic data, "))
        let shown = try await program.run("results", "1", "classification_metrics")
        #expect(shown.code == 0 && shown.errors.contains("no figure here replicates a published one"))
        let page = program.folder + "/report.html"
        #expect(try await program.run("report", "1", "-o", page).code == 0)
        let report = try String(contentsOfFile: page, encoding: .utf8)
        #expect(report.contains("Published (not ours)") && report.contains("0.832 – Zabihi 2021"))
        #expect(report.contains("no figure here replicates a published one"))
        #expect(report.contains("Calibration"))

        try await isAppliedToOthers(program)
    }

    /// By name, without folds of theirs: what was trained has seen none of them.
    private func isAppliedToOthers(_ program: Program) async throws {
        for (name, step) in [("qnet", "train"), ("qnet-regions", "train_regions"), ("qnet-slices", "train_slices")] {
            let named = try await program.run("models", "name-folds", "1", name, "--step", step)
            #expect(named.code == 0, "\(named.errors)")
        }
        let other = program.folder + "/others"
        let phantom = try await program.run(
            "phantom", other, "--study", "hemochromatosis", "--subjects", "4", "--voxel", "4", "--seed", "9", "--quiet")
        #expect(phantom.code == 0, "\(phantom.errors)")
        try await program.run(
            workflow: "qnet", on: other + "/rawdata", derivatives: [other + "/derivatives/recon"],
            options: ["--atlas", program.atlas],
            settings: Self.coarse
                + ["train=false", "models=qnet", "region_models=qnet-regions", "slice_models=qnet-slices"],
            log: "others")
        let metrics = try await program.rows(
            """
            SELECT step, level, people, folds IS NULL FROM classification_metrics
            WHERE run = 2 AND metric = 'accuracy' AND class = 'all' ORDER BY step, level
            """)
        #expect(
            metrics == [
                ["judge", "person", "4", "t"], ["judge", "slice", "4", "t"], ["judge_regions", "person", "4", "t"],
                ["judge_regions", "slice", "4", "t"],
            ])
        #expect(try await program.rows("SELECT count(*) FROM folds WHERE run = 2") == [["0"]])
    }
}
