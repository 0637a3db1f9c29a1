import BIDS
import Workflow

@testable import Tasks

/// The worked example of the evaluation of classifications: lesions with and without a rim.
extension TaskFolder {
    /// 24 lesions by falling score, 4 of them with a rim.
    static let rimExampleTruth = "110100000000000000001000".map { $0 == "1" }

    /// Predictions and truth of six people of four lesions each, and of one who has none, who counts where people are counted.
    ///
    /// - Parameter areDecisions: predictions name a class and no probabilities.
    static func rimExample(areDecisions: Bool = false) throws -> TaskFolder {
        let folder = try TaskFolder()
        func row(_ score: Double) -> String {
            (score >= 0.9 ? "rim" : "flat") + (areDecisions ? "" : "\t\(1 - score)\t\(score)")
        }
        let columns = "lesion\tclass" + (areDecisions ? "" : "\tp_flat\tp_rim")
        for person in 0..<6 {
            let context = TaskContext(subject: "0\(person + 1)", session: "1")
            var predictions = columns + "\n"
            var truth = "lesion\tclass\n"
            for n in 0..<4 {
                let place = person + 6 * n
                predictions += "\(n + 1)\t\(row(1 - Double(place) / 24))\n"
                truth += "\(n + 1)\t\(rimExampleTruth[place] ? "rim" : "flat")\n"
            }
            try folder.add("tables", predictions, name: "p\(person).tsv", context: context)
            try folder.add("truth", truth, name: "t\(person).tsv", context: context)
        }
        let nobody = TaskContext(subject: "07", session: "1")
        try folder.add("tables", columns + "\n", name: "p7.tsv", context: nobody)
        try folder.add("truth", "lesion\tclass\n", name: "t7.tsv", context: nobody)
        return folder
    }
}

extension TabSeparatedTable {
    /// Of a table of metrics the number about rims over all folds.
    func rim(_ level: String, _ metric: String, _ column: String = "value") throws -> Double {
        try number(column, where: ["level": level, "class": "rim", "metric": metric, "fold": "all"])
    }
}
