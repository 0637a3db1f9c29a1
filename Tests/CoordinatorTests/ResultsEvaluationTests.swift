import Foundation
import Postgres
import TestSupport
import Testing
import Workflow

@testable import Coordinator

@Suite("Result views of evaluations")
struct ResultsEvaluationTests {
    /// The small run with other kinds, and numbers of theirs.
    ///
    /// - Parameters:
    ///   - step: whose kind and numbers are replaced; its first task that succeeded has them.
    ///   - values: region, reference, term, metric, value.
    private func fixture(step: String, kind: String, _ values: String) async throws -> ResultsFixture {
        let fixture = try await ResultsFixture()
        try await fixture.script(ResultsFixture.smallRun)
        try await fixture.script(
            """
            UPDATE step SET kind = '\(kind)' WHERE name = '\(step)';
            DELETE FROM measurement m USING task t JOIN step s USING (step_id)
                WHERE m.result_id = t.result_id AND s.name = '\(step)';
            INSERT INTO measurement (result_id, region, reference, term, metric, value, unit)
            SELECT t.result_id, v.region, v.reference, v.term, v.metric, v.value, '1'
            FROM task t JOIN step s USING (step_id)
            CROSS JOIN (VALUES \(values)) v (region, reference, term, metric, value)
            WHERE s.name = '\(step)' AND t.state = 2;
            """)
        return fixture
    }

    @Test("lesions stand one by one with their class and region")
    func lesions() async throws {
        let fixture = try await fixture(
            step: "statistics", kind: "lesions.components",
            """
            ('', '', 'microbleed', 'lesions', 2), ('lesion-2', '', 'microbleed', 'voxels', 8),
            ('lesion-2', '', 'microbleed', 'x', -12.5), ('lesion-2', '', 'microbleed', 'volume', 16),
            ('lesion-2', '', 'microbleed', 'peak', 0.4), ('lesion-2', '', 'L_putamen', 'region_share', 0.75),
            ('lesion-10', '', 'deposit', 'voxels', 3), ('lesion-10', '', 'deposit', 'volume', 6)
            """)
        let rows = try await fixture.rows(
            """
            SELECT participant_id, lesion, class, x_mm, voxels, volume_mm3, peak_ppm, mean_ppm, region, region_share
            FROM qsmflow.lesions ORDER BY lesion
            """)
        #expect(
            rows == [
                ["sub-01", "2", "microbleed", "-12.5", "8", "16", "0.4", nil, "L_putamen", "0.75"],
                ["sub-01", "10", "deposit", nil, "3", "6", nil, nil, nil, nil],
            ])
        // Numbers are ordered as numbers in files too.
        let csv = try await collected(
            fixture.store.copyResults(view: "lesions", run: RunID(rawValue: 1), format: .csv))
        let lesions = csv.split(separator: "\n").dropFirst().map {
            $0.split(separator: ",", omittingEmptySubsequences: false)[5]
        }
        #expect(lesions == ["2", "10"])
    }

    @Test("numbers of a structure stand in one row")
    func segmentation() async throws {
        let fixture = try await fixture(
            step: "statistics", kind: "evaluate.segmentation",
            """
            ('caudate', '', '', 'dice', 0.8), ('caudate', '', '', 'hd95', 1.5), ('caudate', '', '', 'hausdorff', NULL::float8),
            ('putamen', '', '', 'dice', 0.9)
            """)
        let rows = try await fixture.rows(
            "SELECT structure, dice, hd95_mm, hausdorff_mm FROM qsmflow.segmentation_metrics ORDER BY 1")
        #expect(rows == [["caudate", "0.8", "1.5", nil], ["putamen", "0.9", nil, nil]])
    }

    @Test("what holds under every rule stands with each")
    func detection() async throws {
        let fixture = try await fixture(
            step: "statistics", kind: "evaluate.detection",
            """
            ('', '', 'cmb', 'references', 4), ('', '', 'cmb', 'volume_ratio', 1.1), ('', 'iou_0.1', 'cmb', 'tp', 3),
            ('', 'overlap_1', 'cmb', 'tp', 4), ('', 'overlap_1', 'cmb', 'right', 5),
            ('', 'overlap_1', 'cmb', 'precision', 0.5), ('', '', 'cmb', 'absolute_count_difference', 2),
            ('', '', 'cmb', 'absolute_volume_difference', 6.5)
            """)
        let rows = try await fixture.rows(
            """
            SELECT class, rule, reference_lesions, tp, right_predictions, precision, volume_ratio, absolute_count_difference,
                absolute_volume_difference_mm3
            FROM qsmflow.detection_metrics ORDER BY rule
            """)
        #expect(
            rows == [
                ["cmb", "iou_0.1", "4", "3", nil, nil, "1.1", "2", "6.5"],
                ["cmb", "overlap_1", "4", "4", "5", "0.5", "1.1", "2", "6.5"],
            ])
    }

    @Test("a metric stands with its interval, a statistic with its metric")
    func cohort() async throws {
        let classes = try await fixture(
            step: "model", kind: "evaluate.classification",
            """
            ('rim', 'item', '', 'auc', 0.775), ('rim', 'item', 'ci_low', 'auc', 0.5), ('rim', 'item', 'ci_high', 'auc', 0.9),
            ('rim', 'item', 'people', 'auc', 6), ('rim', 'person', '', 'auc', 1),
            ('all', 'person', '', 'accuracy', 0.75), ('all', 'person', 'fold_mean', 'accuracy', 0.7),
            ('all', 'person', 'fold_sd', 'accuracy', 0.1), ('all', 'person', 'folds', 'accuracy', 5),
            ('all', 'person', 'published', 'accuracy', 0.8316), ('rim', 'person', 'flat', 'decided', 1),
            ('rim', 'person', 'rim', 'decided', 3)
            """)
        let metrics = try await classes.rows(
            """
            SELECT level, class, metric, value, ci_low, ci_high, people FROM qsmflow.classification_metrics
            WHERE class = 'rim' ORDER BY 1
            """)
        #expect(
            metrics == [
                ["item", "rim", "auc", "0.775", "0.5", "0.9", "6"], ["person", "rim", "auc", "1", nil, nil, nil],
            ])
        #expect(
            try await classes.rows(
                """
                SELECT metric, value, fold_mean, fold_sd, folds, published FROM qsmflow.classification_metrics
                WHERE class = 'all'
                """) == [["accuracy", "0.75", "0.7", "0.1", "5", "0.8316"]])
        // What was decided is a matrix and no metric.
        #expect(
            try await classes.rows(
                "SELECT level, truth, decision, cases FROM qsmflow.classification_decisions ORDER BY decision")
                == [["person", "rim", "flat", "1"], ["person", "rim", "rim", "3"]])
        let summary = try await fixture(
            step: "model", kind: "evaluate.summary",
            """
            ('caudate', '', 'mean', 'dice', 0.8), ('caudate', '', 'sd', 'dice', 0.1), ('caudate', '', 'people', 'dice', 9),
            ('caudate', '', 'published', 'dice', 0.81), ('cmb', 'iou_0.1', 'pooled', 'f1', 0.5)
            """)
        let rows = try await summary.rows(
            "SELECT label, rule, metric, people, mean, sd, pooled, published FROM qsmflow.evaluation_summary ORDER BY 1"
        )
        #expect(
            rows == [
                ["caudate", nil, "dice", "9", "0.8", "0.1", nil, "0.81"],
                ["cmb", "iou_0.1", "f1", nil, nil, nil, "0.5", nil],
            ])
    }

    @Test("published figures stand one by one beside what was found")
    func published() async throws {
        let fixture = try await fixture(
            step: "model", kind: "evaluate.summary",
            """
            ('caudate', '', 'mean', 'dice', 0.8), ('caudate', '', 'sd', 'dice', 0.1), ('caudate', '', 'people', 'dice', 9),
            ('caudate', '', 'published: A: test', 'dice', 0.81), ('caudate', '', 'published: B', 'dice', 0.78),
            ('caudate', '', 'mean', 'hd95', 2), ('cmb', 'iou_0.1', 'pooled', 'f1', 0.5), ('cmb', 'iou_0.1', 'published', 'f1', 0.4),
            ('cmb', 'iou_0.1', 'published: B', 'f1', 0.4)
            """)
        let rows = try await fixture.rows(
            "SELECT label, rule, metric, source, published, mean, sd, pooled, people FROM qsmflow.published_figures ORDER BY 1, 4"
        )
        #expect(
            rows == [
                ["caudate", nil, "dice", "A: test", "0.81", "0.8", "0.1", nil, "9"],
                ["caudate", nil, "dice", "B", "0.78", "0.8", "0.1", nil, "9"],
                ["cmb", "iou_0.1", "f1", "B", "0.4", nil, nil, "0.5", nil],
            ])
        let classes = try await self.fixture(
            step: "model", kind: "evaluate.classification",
            """
            ('rim', 'item', '', 'auc', 0.75), ('rim', 'item', 'people', 'auc', 9), ('rim', 'item', 'published', 'auc', 0.76),
            ('rim', 'item', 'published: C', 'auc', 0.76), ('rim', 'person', '', 'auc', 0.5)
            """)
        #expect(
            try await classes.rows(
                "SELECT level, label, rule, metric, source, published, pooled, people FROM qsmflow.published_figures")
                == [["item", "rim", nil, "auc", "C", "0.76", "0.75", "9"]])
        #expect(
            try await classes.rows("SELECT level, value, published FROM qsmflow.classification_metrics ORDER BY 1")
                == [["item", "0.75", "0.76"], ["person", "0.5", nil]])
        // Neither adds a row to the summary, nor stands for its one published figure.
        let summary = try await fixture.rows(
            "SELECT label, published FROM qsmflow.evaluation_summary ORDER BY 1, metric")
        #expect(summary == [["caudate", nil], ["caudate", nil], ["cmb", "0.4"]])
    }

    /// Of five folds each has rows of its own, which a column tells apart.
    @Test("evaluations over people name their fold")
    func folds() async throws {
        for (kind, view, values) in [
            ("evaluate.classification", "classification_metrics", "('rim', 'item', '', 'auc', 0.5)"),
            ("evaluate.summary", "evaluation_summary", "('caudate', '', 'mean', 'dice', 0.5)"),
        ] {
            let fixture = try await fixture(step: "model", kind: kind, values)
            try await fixture.script(
                "UPDATE task t SET fold = 4 FROM step s WHERE s.step_id = t.step_id AND s.kind = '\(kind)'")
            #expect(try await fixture.rows("SELECT metric, fold FROM qsmflow.\(view)").map { $0[1] } == ["4"])
            let csv = try await collected(fixture.store.copyResults(view: view, run: RunID(rawValue: 1), format: .csv))
            let lines = csv.split(separator: "\n").map { $0.split(separator: ",", omittingEmptySubsequences: false) }
            let place = try #require(lines.first?.firstIndex(of: "fold"))
            #expect(lines.count == 2 && lines.last?[place] == "4")
        }
    }

    @Test("a dataset says of itself what it is, and which runs are over it")
    func datasets() async throws {
        let fixture = try await ResultsFixture()
        try await fixture.script(ResultsFixture.smallRun)
        try await fixture.script("UPDATE dataset SET description = '{\"Keywords\": [\"synthetic\"]}'")
        let rows = try await fixture.rows(
            "SELECT dataset, description #>> '{Keywords,0}', runs FROM qsmflow.datasets")
        #expect(rows == [["/data/a", "synthetic", "{1}"]])
        let csv = try await collected(
            fixture.store.copyResults(view: "datasets", run: RunID(rawValue: 1), format: .csv))
        #expect(csv.split(separator: "\n").count == 2)
    }
}
