import BIDS
import Foundation
import Testing

/// `workflows/qsmrim.yaml` on a phantom cohort: network and forest in the same folds, judged in the same way, and both
/// applied to other people.
@Suite(.serialized) struct QSMRimWorkflowTests {
    private static let small = [
        "folds=2", "epochs=1", "patch=[8, 8, 8]", "spacing_mm=[4, 4, 4]", "batch=8", "trees=20",
        "network-rims.bootstrap=50", "forest-rims.bootstrap=50",
    ]

    @Test func bothAreJudgedAlikeAndAppliedElsewhere() async throws {
        let program = try Program()
        try await program.phantom(subjects: 7, options: "--study", "rim", "--seed", "3")
        let phantom = program.folder + "/phantom"
        let labels = phantom + "/derivatives/labels"
        // Somebody's classes are not known: in no fold, and judged by the models of both.
        try FileManager.default.removeItem(atPath: "\(labels)/sub-007/anat/sub-007_lesions.tsv")
        try await program.run(
            workflow: "qsmrim", on: program.dataset, derivatives: [program.recon, labels], settings: Self.small,
            log: "run")

        // What is counted is what the tables of lesions say.
        let tables = try (1...6).map { n in
            try String(contentsOfFile: "\(labels)/sub-00\(n)/anat/sub-00\(n)_lesions.tsv", encoding: .utf8)
                .split(separator: "\n").dropFirst().map { $0.split(separator: "\t")[1] == "rim" }
        }
        let (lesions, rims) = (tables.flatMap { $0 }.count, tables.flatMap { $0 }.count { $0 })
        let carriers = tables.count { $0.contains(true) }
        try #require(rims > 2 && carriers > 1, "\(tables.map(\.count)): another seed has more rims")
        let folds = try await program.rows("select subject, fold from folds order by 1")
        #expect(folds.map { $0[0] } == (1...6).map { "00\($0)" })
        let shares = [1, 2].map { fold in folds.indices.count { folds[$0][1] == "\(fold)" && tables[$0].contains(true) }
        }
        #expect(abs(shares[0] - shares[1]) <= 1, "\(folds)")

        for step in ["network-rims", "forest-rims"] {
            let metrics = try await program.rows(
                """
                select level, metric, value, ci_low, ci_high, cases, positives, people, published from classification_metrics
                where run = 1 and step = '\(step)' and class = 'rim'
                """)
            func row(_ level: String, _ metric: String) throws -> [String] {
                try #require(metrics.first { $0[0] == level && $0[1] == metric }, "\(step) \(metric): \(metrics)")
            }
            for metric in [
                "partial_auc", "partial_auc_normalised", "partial_auc_mcclish", "average_precision", "pr_auc_trapezoid",
            ] {
                let found = try row("item", metric)
                #expect(found[5...7] == ["\(lesions)", "\(rims)", "6"], "\(found)")
                let numbers = found[2...4].compactMap(Double.init)
                #expect(numbers.count == 3 && numbers[1] <= numbers[2] && (0...1).contains(numbers[0]), "\(found)")
            }
            let raw = try #require(Double(try row("item", "partial_auc")[2]))
            #expect(abs(try #require(Double(try row("item", "partial_auc_normalised")[2])) - 10 * raw) < 1e-9)
            for metric in ["count_mse", "count_bias"] { #expect(try row("person", metric)[5] == "6") }
            // Of the network others have published figures, which stand apart.
            let figures = Dictionary(
                uniqueKeysWithValues: metrics.filter { !$0[8].isEmpty }.map { ("\($0[0]) \($0[1])", $0[8]) })
            #expect(
                figures
                    == (step == "forest-rims"
                        ? [:]
                        : [
                            "item partial_auc_normalised": "0.76", "item average_precision": "0.704",
                            "person count_mse": "0.98", "person count_r": "0.89", "person count_r_fisher": "0.89",
                        ]))
        }
        // FLAIR was brought to the χ map, and everybody's lesions were judged by both, whoever is in a fold.
        #expect(
            try await program.rows("select count(*) from measurements where step = 'second' and value > 0.9") == [
                ["7"]
            ])
        for step in ["judge", "judge-forest"] {
            let judged = try await program.rows(
                "select count(distinct subject) from measurements where step = '\(step)' and term = 'rim'")
            #expect(judged == [["7"]], "\(step)")
        }
        let page = program.folder + "/report.html"
        #expect(try await program.run("report", "1", "-o", page).code == 0)
        let report = try String(contentsOfFile: page, encoding: .utf8)
        for words in ["Published (not ours)", "0.760 – Zhang 2022", "partial auc mcclish", "random forest of 20 trees"]
        {
            #expect(report.contains(words), "\(words)")
        }
        let shown = try JSONValue.parse(try await program.run("models", "--json").output)
        let network = shown.arrayValue?.first { $0["architecture"]?.stringValue?.contains("QSMRim") == true }
        let digest = try #require(network?["digest"]?.stringValue, "\(shown)")
        let card = try await program.run("models", "inspect", digest)
        #expect(card.output.contains("is a design of qsmflow; none is published"), "\(card.output)")

        try await isAppliedElsewhere(program)
    }

    /// Other people, whose lesions are outlined and not known: nobody is trained on, and every lesion gets a probability of each.
    private func isAppliedElsewhere(_ program: Program) async throws {
        for (name, step) in [("rims", "train"), ("rims-forest", "forest")] {
            let named = try await program.run("models", "name-folds", "1", name, "--step", step)
            #expect(named.code == 0 && named.output.contains("\(name) stands for all 2."), "\(named.errors)")
        }
        let other = program.folder + "/others"
        let phantom = try await program.run(
            "phantom", other, "--study", "rim", "--subjects", "2", "--voxel", "4", "--seed", "9", "--quiet")
        #expect(phantom.code == 0, "\(phantom.errors)")
        let labels = other + "/derivatives/labels"
        for person in ["sub-001", "sub-002"] {
            try FileManager.default.removeItem(atPath: "\(labels)/\(person)/anat/\(person)_lesions.tsv")
        }
        try await program.run(
            workflow: "qsmrim", on: other + "/rawdata", derivatives: [other + "/derivatives/recon", labels],
            settings: ["train=false", "models=rims", "forest_models=rims-forest"], log: "others")
        let steps = try await program.rows("select distinct step from task_status where run = 2 order by 1")
        #expect(steps == [["features"], ["judge"], ["judge-forest"], ["second"], ["within"]])
        let outlined = try await program.rows(
            "select subject, count(*) from measurements where run = 2 and step = 'features' and metric = 'voxels' group by 1"
        )
        #expect(outlined.count == 2)
        for step in ["judge", "judge-forest"] {
            let judged = try await program.rows(
                "select subject, count(*) from measurements where run = 2 and step = '\(step)' and term = 'rim' group by 1"
            )
            #expect(Set(judged) == Set(outlined), "\(step)")
        }
    }
}
