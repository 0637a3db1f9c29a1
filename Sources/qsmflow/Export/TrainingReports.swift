import CoordinatorClient
import Foundation
import Report
import Synchronization
import Workflow

/// What a report shows of the networks that a run trained: their curves, and what was measured of them.
struct TrainingReports: Sendable {
    let client: CoordinatorClient
    let reader: ResultReader

    private static let kind = "network.train"

    func trainings(_ files: RunFiles) async throws -> [ReportInput.Training] {
        let curves = files.made.filter { $0.kind == Self.kind && $0.port == "curve" }
        guard !curves.isEmpty else { return [] }
        let measured = try await reader.table("measurements").rows(needing: [
            "step", "kind", "fold", "term", "metric", "value",
        ])
        let models = try await reader.table("models").rows(needing: ["digest", "name", "architecture"])
        var trainings: [ReportInput.Training] = []
        for file in curves.sorted(by: { $0.ordinal < $1.ordinal }) {
            let model = files.made.first { $0.ordinal == file.ordinal && $0.port == "model" }
            let known = models.first { $0["digest"] == model?.digest.hex }
            let fold = file.context.fold.map { "\($0)" }
            let own = measured.filter { row in
                row["step"] == file.step && row["kind"] == Self.kind && (fold == nil || row["fold"] == fold)
            }
            func value(_ metric: String) -> Double? { own.first { $0["metric"] == metric }?.number("value") }
            var facts: [ReportInput.Fact] = []
            if let model { facts.append(ReportInput.Fact("model", model.digest.hex)) }
            if let name = known?["name"] { facts.append(ReportInput.Fact("name", name)) }
            if let architecture = known?["architecture"] { facts.append(ReportInput.Fact("network", architecture)) }
            for (metric, label) in [("parameters", "parameters"), ("epochs", "epochs trained")] {
                if let number = value(metric) { facts.append(ReportInput.Fact(label, String(format: "%.0f", number))) }
            }
            let unlearned = own.filter { $0["metric"] == "training_voxels" && $0.number("value") == 0 }
            if !unlearned.isEmpty {
                facts.append(
                    ReportInput.Fact(
                        "without a voxel to learn from",
                        unlearned.map { $0.text("term") }.sorted().joined(separator: ", ")))
            }
            if let loss = value("training_loss") {
                facts.append(ReportInput.Fact("final training loss", String(format: "%.4g", loss)))
            }
            var scores: [ReportInput.Training.Score] = []
            for row in own {
                guard let number = row.number("value"),
                    ["validation_loss", "validation_metric", "dice"].contains(row.text("metric"))
                else { continue }
                let name =
                    switch row.text("metric") {
                    case "dice": "Dice of \(row.text("term")), whole images"
                    case "validation_metric": row.text("term").replacing("_", with: " ")
                    default: "loss"
                    }
                scores.append(ReportInput.Training.Score(name, number))
            }
            let table = TabSeparatedRows(String(decoding: try await bytes(of: file), as: UTF8.self))
            trainings.append(
                ReportInput.Training(
                    step: file.step + (fold.map { ", fold \($0)" } ?? ""), facts: facts,
                    metricName: table.columns.last ?? "metric",
                    epochs: table.rows.compactMap(Self.epoch), bestEpoch: value("best_epoch").map { Int($0) },
                    scores: scores.sorted { $0.name < $1.name }))
        }
        return trainings
    }

    /// Of a row of the curve: epoch, learning rate, losses of training and validation, metric.
    private static func epoch(_ row: [String]) -> ReportInput.Training.Epoch? {
        guard row.count == 5, let number = Int(row[0]), let loss = Double(row[2]) else { return nil }
        return ReportInput.Training.Epoch(
            number: number, trainingLoss: loss, validationLoss: Double(row[3]), metric: Double(row[4]))
    }

    private func bytes(of file: MadeFile) async throws -> [UInt8] {
        let bytes = Mutex<[UInt8]>([])
        try await client.read(file.digest) { piece in bytes.withLock { $0.append(contentsOf: piece) } }
        return bytes.withLock { $0 }
    }
}

/// Lines of cells.
private struct TabSeparatedRows {
    let columns: [String]
    let rows: [[String]]

    init(_ text: String) {
        let lines = text.split(separator: "\n").map { line in
            line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        }
        columns = lines.first ?? []
        rows = Array(lines.dropFirst())
    }
}
