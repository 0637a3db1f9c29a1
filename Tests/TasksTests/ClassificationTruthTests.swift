import BIDS
import Testing
import Workflow

@testable import Tasks

@Suite struct ClassificationTruthTests {
    @Test func whatIsLackingIsSaid() throws {
        let folder = try TaskFolder.rimExample()
        let noClass = try folder.perform("evaluate.classification", parameters: ["positive": "black"])
        #expect(noClass.failure?.message.contains("no column “p_black”") == true)
        let noName = try TaskFolder.rimExample().perform("evaluate.classification", parameters: ["score": "p_rim"])
        #expect(noName.failure?.message.contains("name it with “positive”") == true)
        let nobody = try TaskFolder()
        try nobody.add("tables", "lesion\tp_rim\n1\t0.5\n", name: "a.tsv")
        #expect(
            try nobody.perform("evaluate.classification", parameters: ["truth": "known"]).failure?.message.contains(
                "participant_id") == true)
    }

    /// Judged against itself every prediction is right.
    @Test func predictionsAreNoTruth() throws {
        let folder = try TaskFolder()
        for person in ["1", "2"] {
            try folder.add(
                "tables", "lesion\tclass\tknown\tp_rim\n1\trim\tflat\t0.9\n2\tflat\trim\t0.2\n", name: "\(person).tsv",
                context: TaskContext(subject: person))
        }
        let itself = try folder.perform("evaluate.classification", parameters: ["positive": "rim"])
        #expect(itself.failure?.message.contains("Step step: nothing says what is true") == true)
        let known = try folder.perform(
            "evaluate.classification", parameters: ["positive": "rim", "truth": "known", "bootstrap": 0])
        #expect(known.failure == nil && known.warnings.isEmpty)
        #expect(try folder.table("metrics.tsv").rim("item", "auc") == 0)
    }

    /// What a prediction cannot know is no negative, and a table that cannot be read is one person's.
    @Test func whatIsWrongWithOnePersonsTruth() throws {
        let misspelt = try TaskFolder.rimExample()
        let context = TaskContext(subject: "08", session: "1")
        try misspelt.add(
            "tables", "lesion\tclass\tp_flat\tp_rim\n1\tflat\t0.9\t0.1\n2\tflat\t0.8\t0.2\n", name: "p8.tsv",
            context: context)
        try misspelt.add("truth", "lesion\tclass\n1\tRim\n2\tflat\n", name: "t8.tsv", context: context)
        let result = try misspelt.perform("evaluate.classification", parameters: ["positive": "rim", "bootstrap": 0])
        #expect(result.failure == nil)
        #expect(
            result.warnings == [
                "1 item is truly of a class that the predictions do not know, such as sub-08_ses-1 1 (“Rim”): left out, and so "
                    + "are the numbers of their people; correct the truth where that is misspelt."
            ])
        let metrics = try misspelt.table("metrics.tsv")
        #expect(try metrics.rim("item", "auc", "cases") == 25)
        #expect(try !misspelt.table("confusion.tsv").rows.contains { $0.contains("Rim") })
        // How many rims the person has is not known, so the person is neither with nor without one.
        #expect(try metrics.rim("person", "count_mse", "people") == 7)
        #expect(try metrics.rim("person", "auc", "people") == 7)

        // Where a table gives scores without deciding among its classes, what it has no score of is the rest.
        let partial = try TaskFolder()
        for (n, truth) in ["rim", "vein", "rim", "other"].enumerated() {
            let one = TaskContext(subject: "0\(n)")
            try partial.add(
                "tables", "lesion\tp_rim\tp_vein\n1\t0.\(9 - n)\t0.\(n)\n", name: "p\(n).tsv", context: one)
            try partial.add("truth", "lesion\tclass\n1\t\(truth)\n", name: "t\(n).tsv", context: one)
        }
        let rest = try partial.perform("evaluate.classification", parameters: ["positive": "rim", "bootstrap": 0])
        #expect(rest.failure == nil && rest.warnings.isEmpty, "\(rest.warnings)")
        #expect(try partial.table("metrics.tsv").rim("item", "auc", "cases") == 4)

        let twice = try TaskFolder.rimExample()
        try twice.add(
            "truth", "lesion\tclass\n1\trim\n", name: "again.tsv", context: TaskContext(subject: "01", session: "1"))
        #expect(
            try twice.perform("evaluate.classification", parameters: ["positive": "rim"]).failure?.message.hasSuffix(
                " has “1” of sub-01_ses-1, which another table has, too; keep one row per item") == true)

        // So is a prediction without the scores of the others, or with one that is no number.
        for (rows, reason) in [
            ("lesion\tp_flat\n1\t0.9\n", "p8.tsv has no column “p_rim”"),
            ("lesion\tp_rim\n1\thigh\n", "p8.tsv has “high” in column p_rim, which is no number; correct it"),
        ] {
            let unscored = try TaskFolder.rimExample()
            try unscored.add("tables", rows, name: "p8.tsv", context: context)
            try unscored.add("truth", "lesion\tclass\n1\trim\n", name: "t8.tsv", context: context)
            let others = try unscored.perform(
                "evaluate.classification", parameters: ["positive": "rim", "bootstrap": 0])
            #expect(others.failure == nil)
            #expect(
                others.warnings.contains { $0.hasPrefix("sub-08_ses-1 is left out: \(reason)") }, "\(others.warnings)")
            #expect(try unscored.table("metrics.tsv").rim("item", "auc", "cases") == 24)
        }

        let damaged = try TaskFolder.rimExample()
        try damaged.add(
            "tables", "lesion\tclass\tp_flat\tp_rim\n1\tflat\t0.9\t0.1\n", name: "p8.tsv", context: context)
        try damaged.add("truth", "lesion\ttype\n1\tflat\n", name: "t8.tsv", context: context)
        let others = try damaged.perform("evaluate.classification", parameters: ["positive": "rim", "bootstrap": 0])
        #expect(others.failure == nil)
        #expect(
            others.warnings.contains {
                $0.hasPrefix("sub-08_ses-1 is left out: t8.tsv has no column “class”")
            }, "\(others.warnings)")
        #expect(try damaged.table("metrics.tsv").rim("item", "auc", "cases") == 24)
    }
}
