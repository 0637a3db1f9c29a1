import Networks
import Workflow

/// The models bound to a step: one, or several that were made alike and whose probabilities are averaged.
struct ModelEnsemble {
    let members: [StoredModel]
    /// What each was trained with.
    let records: [TrainingRecord]
    /// Of the first; in what the step goes by, the others say the same.
    var card: ModelCard { members[0].card }

    /// - Throws: a sentence naming the file that is no model for `task`, or what members say differently.
    init(_ environment: TaskEnvironment, for task: ModelCard.Task) throws {
        _ = try environment.input("model")
        let items = environment.inputs("model")
        let listed = try items.map { item in
            let model = try StoredModel(path: item.path)
            guard model.card.task == task else {
                throw TaskResult.Failure.permanent(
                    "model \(model.card.name) is one for \(model.card.task.rawValue); \(environment.request.kind) takes one for "
                        + task.rawValue)
            }
            return model
        }
        let first = listed[0].card
        for (item, member) in zip(items, listed).dropFirst() {
            guard let difference = Self.difference(first, member.card) else { continue }
            throw TaskResult.Failure.permanent(
                "the models of an ensemble must agree: \(items[0].input.name) (\(first.name)) has \(difference.first), "
                    + "\(item.input.name) (\(member.card.name)) \(difference.second); take models that were trained alike"
            )
        }
        // In the order of their bytes: sums of probabilities are the same bits however the models are listed or called.
        members = zip(items, listed).sorted { $0.0.input.digest < $1.0.input.digest }.map(\.1)
        records = zip(items, listed).map { TrainingRecord($0, files: $1.card.data) }
    }

    /// The first thing in which two cards differ that a step goes by.
    private static func difference(_ a: ModelCard, _ b: ModelCard) -> (first: String, second: String)? {
        func list(_ names: [String]) -> String { names.joined(separator: ", ") }
        if a.channels.map(\.modality) != b.channels.map(\.modality) {
            return ("the channels \(list(a.channels.map(\.modality)))", list(b.channels.map(\.modality)))
        }
        for (one, other) in zip(a.channels, b.channels) where one != other {
            return (
                "\(one.modality) in \(one.units) with the normalisation \(one.normalisation)",
                "in \(other.units) with \(other.normalisation)"
            )
        }
        if a.geometry != b.geometry { return ("the grid \(grid(a.geometry))", grid(b.geometry)) }
        if a.classes != b.classes { return ("the classes \(list(a.classes))", list(b.classes)) }
        if a.output != b.output { return ("the output \(a.output.rawValue)", b.output.rawValue) }
        if a.inference?.window != b.inference?.window {
            func window(_ card: ModelCard) -> String { card.inference.map { "\($0.window)" } ?? "none" }
            return ("the window \(window(a))", window(b))
        }
        if a.inference?.lateralPairs != b.inference?.lateralPairs {
            func pairs(_ card: ModelCard) -> String {
                let names = (card.inference?.lateralPairs ?? []).map { pair in
                    [pair.first, pair.second].map { card.classes.indices.contains($0) ? card.classes[$0] : "\($0)" }
                        .joined(separator: "–")
                }
                return names.isEmpty ? "none" : list(names)
            }
            return ("the lateral pairs \(pairs(a))", pairs(b))
        }
        if a.emptyChannel != b.emptyChannel {
            func empty(_ card: ModelCard) -> String {
                card.emptyChannel.map { "those without \(card.channels[$0].modality)" } ?? "none"
            }
            return ("the empty slices \(empty(a))", empty(b))
        }
        func judges(_ card: ModelCard) -> String {
            card.judged?.targets == .valuesPerSlice ? "slices and slabs" : "patches"
        }
        return judges(a) == judges(b) ? nil : ("a judgement of \(judges(a))", judges(b))
    }

    private static func grid(_ geometry: ModelCard.Geometry) -> String {
        let spacing = geometry.spacingMillimetres.map { "\($0.x)×\($0.y)×\($0.z) mm" } ?? "of any spacing"
        return "\(spacing), \(geometry.orientation ?? "any orientation")"
            + (geometry.otherGrids == .refuse ? ", others refused" : "")
    }
}
