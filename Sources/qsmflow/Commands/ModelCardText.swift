import BIDS
import Foundation
import Networks

/// What a model card says, in the lines that a person looks for; the whole of it is JSON.
struct ModelCardText {
    private let lines: [(label: String, text: String)]

    init(_ card: JSONValue) {
        // Swallowed: a card that is neither a network's nor a classifier's is another program's, and shown as it is.
        if let known = try? JSONDecoder().decode(ModelCard.self, from: card.canonicalData) {
            lines = Self.lines(known)
        } else if let known = try? JSONDecoder().decode(ClassifierCard.self, from: card.canonicalData) {
            lines = Self.lines(known)
        } else {
            lines = Self.lines(card)
        }
    }

    /// One line each, labels aligned.
    var text: String {
        let width = lines.map(\.label.count).max() ?? 0
        return lines.map { $0.label.padding(toLength: width, withPad: " ", startingAt: 0) + "  " + $0.text }
            .joined(separator: "\n")
    }

    private static func lines(_ card: ModelCard) -> [(label: String, text: String)] {
        var lines = [
            ("task", card.task.rawValue), ("network", card.architecture),
            ("parameters", "\(card.network.trainableCount)"),
        ]
        for (n, channel) in card.channels.enumerated() {
            lines.append(
                ("channel \(n + 1)", "\(channel.modality), \(channel.units), \(words(channel.normalisation))"))
        }
        if let features = card.features {
            lines.append(("features", "\(features.names.count): \(listed(features.names))"))
        }
        lines.append(("classes", "\(card.classes.count): \(listed(card.classes, most: 40))"))
        let spacing = card.geometry.spacingMillimetres.map { "\($0.x) × \($0.y) × \($0.z) mm" } ?? "voxels of any size"
        lines.append(
            (
                "grid",
                [
                    spacing, card.geometry.orientation,
                    "other grids \(card.geometry.otherGrids == .refuse ? "refused" : "resampled")",
                ]
                .compactMap { $0 }.joined(separator: ", ")
            ))
        if let channel = card.emptyChannel, card.channels.indices.contains(channel) {
            lines.append(("empty slices", "where \(card.channels[channel].modality) sums to 0 or less: background"))
        }
        if let window = card.inference?.window { lines.append(("window", "\(window) voxels")) }
        if let patch = card.training?.targeted?.patch { lines.append(("patch", "\(patch) voxels")) }
        if let split = card.split {
            let test = split.test.isEmpty ? "" : ", \(split.test.count) tested on"
            lines.append(("people", "\(split.training.count) trained on, \(split.validation.count) judged by\(test)"))
        }
        if !card.data.isEmpty { lines.append(("data", Counted.text(card.data.count, "file", "files"))) }
        if let settings = card.training?.settings {
            lines.append(
                ("training", "\(Counted.text(settings.epochs, "epoch", "epochs")) at most, seed \(settings.seed)"))
        }
        for metric in card.metrics {
            let of = metric.className.map { " of \($0)" } ?? ""
            lines.append(
                ("metric", "\(metric.name)\(of) on \(metric.measuredOn): \(String(format: "%.4g", metric.value))"))
        }
        if case .imported(let file, _, let producer) = card.source {
            lines.append(("made of", producer.isEmpty ? file : "\(file) by \(producer)"))
        }
        lines.append(("written by", "qsmflow \(card.softwareVersion)"))
        if let licence = card.licence { lines.append(("licence", licence)) }
        lines += card.notes.map { ("note", $0) }
        return lines
    }

    private static func lines(_ card: ClassifierCard) -> [(label: String, text: String)] {
        var lines = [
            ("task", card.task), ("classifier", card.architecture),
            ("features", "\(card.inputs.count): \(listed(card.inputs))"),
            ("classes", "\(card.classes.count): \(listed(card.classes, most: 40))"),
        ]
        if !card.residualised.isEmpty { lines.append(("residualised", "for \(listed(card.residualised))")) }
        lines.append(("people", "\(card.split.training.count) trained on"))
        lines.append(("data", Counted.text(card.data.count, "file", "files")))
        for metric in card.metrics {
            guard let value = metric.value else { continue }
            lines.append(("metric", "\(metric.name) on \(metric.measuredOn): \(String(format: "%.4g", value))"))
        }
        lines.append(("written by", "qsmflow \(card.softwareVersion)"))
        return lines
    }

    private static func words(_ normalisation: IntensityNormalisation) -> String {
        switch normalisation {
        case .none: "as it is"
        case .clip(let lower, let upper, let low, let high):
            "clipped to \(lower) … \(upper) and brought to \(low) … \(high)"
        case .zScore: "z-score"
        case .percentiles(let lower, let upper, let low, let high, _):
            "percentiles \(lower) … \(upper) brought to \(low) … \(high)"
        }
    }

    private static func listed(_ names: [String], most: Int = 5) -> String {
        names.prefix(most).joined(separator: ", ") + (names.count > most ? " …" : "")
    }

    /// Of a card of any other form: its members, long ones by their size.
    private static func lines(_ card: JSONValue) -> [(label: String, text: String)] {
        (card.objectValue ?? [:]).sorted { $0.key < $1.key }.map { key, value in
            let text = value.stringValue ?? value.canonicalString
            guard text.count > 100 else { return (key, text) }
            let size =
                value.arrayValue.map { Counted.text($0.count, "entry", "entries") }
                ?? value.objectValue.map { Counted.text($0.count, "member", "members") }
            return (key, size ?? text.prefix(99) + "…")
        }
    }
}

/// What classifier.train writes of a classifier, as far as people look for it.
private struct ClassifierCard: Decodable {
    struct Split: Decodable { var training: [String] }
    struct Metric: Decodable {
        var name: String
        var measuredOn: String
        var value: Double?
    }

    var task: String
    var architecture: String
    var inputs: [String]
    var classes: [String]
    var residualised: [String]
    var split: Split
    var data: [JSONValue]
    var metrics: [Metric]
    var softwareVersion: String
}
