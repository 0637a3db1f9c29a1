import BIDS
import Workflow

/// A figure that somebody has published, to be shown beside ours and never as ours.
struct PublishedFigure {
    /// Structure or class that it is of.
    var label: String
    /// Rule of matching, or level of what is judged; nil: whichever.
    var rule: String?
    var metric: String
    var value: Double
    var source: String
    /// Named for this step, rather than one of a table that serves many.
    var isOfStep = true

    /// The parameter `published` of a step.
    ///
    /// - Parameters:
    ///   - labelKey, ruleKey: how its rows call the label and the rule.
    static func named(
        _ environment: TaskEnvironment, label labelKey: String, rule ruleKey: String
    ) throws -> [PublishedFigure] {
        try environment.list("published").map { entry in
            guard let label = entry[labelKey]?.stringValue, let metric = entry["metric"]?.stringValue,
                let value = entry["value"]?.doubleValue, let source = entry["source"]?.stringValue, !source.isEmpty
            else {
                throw TaskResult.Failure.permanent(
                    "Step \(environment.request.step): each row of “published” has \(labelKey), metric, value and source, such "
                        + "as {\(labelKey): caudate, metric: dice, value: 0.81, source: Author 2020}; \(entry.canonicalString) has "
                        + "not")
            }
            return PublishedFigure(
                label: label, rule: entry[ruleKey]?.stringValue, metric: metric, value: value, source: source)
        }
    }

    /// The same, of which every row is met by one at most: it has room for one, and which of two it is must not depend on
    /// their order.
    static func namedOnce(
        _ environment: TaskEnvironment, label: String, rule: String
    ) throws -> [PublishedFigure] {
        let figures = try named(environment, label: label, rule: rule)
        for (place, figure) in figures.enumerated() {
            guard let other = figures[..<place].first(where: figure.meets) else { continue }
            throw TaskResult.Failure.permanent(
                "Step \(environment.request.step): “published” names two figures for the \(figure.metric) of "
                    + "\(figure.label), \(other.value) (\(other.source)) and \(figure.value) (\(figure.source)); keep one, "
                    + "or show the other in a step of its own")
        }
        return figures
    }

    /// Some row could be the counterpart of both.
    func meets(_ other: PublishedFigure) -> Bool {
        label == other.label && metric == other.metric && (rule == nil || other.rule == nil || rule == other.rule)
    }

    func fits(label: String, rule: String?, metric: String) -> Bool {
        self.label == label && self.metric == metric && (self.rule == nil || self.rule == rule)
    }

    /// That it is shown nowhere.
    var withoutCounterpart: String {
        "The published \(metric) of \(label)\(rule.map { " (\($0))" } ?? "") has no counterpart here and is not shown."
    }
}
