import BIDS
import Foundation
import Networks
import Statistics
import Workflow

/// A classifier on tables of features as `classifier.train` writes it and `classifier.apply` reads it.
struct FeatureClassifier: Codable, Equatable {
    enum Content: Codable, Equatable {
        case forest(RandomForest)
        /// Probability of the last of two classes.
        case logistic(LogisticRegression)

        /// By class, of features as they were prepared.
        func probabilities(_ row: [Double]) -> [Double] {
            switch self {
            case .forest(let forest): return forest.probabilities(row)
            case .logistic(let model):
                let p = model.probability(row)
                return [1 - p, p]
            }
        }
    }

    /// What tells this from other JSON, and its version.
    private var format = Self.format
    private static let format = "qsmflow classifier 2"

    /// In the order of probabilities; of two the positive one is the last.
    let classes: [String]
    let preparation: FeaturePreparation
    /// What it judges.
    let unit: FeatureSamples.Unit
    /// Names of columns that were asked for, and the reference of the rows.
    let columns: [String]
    let reference: String
    let content: Content

    init(
        classes: [String], preparation: FeaturePreparation, unit: FeatureSamples.Unit, columns: [String],
        reference: String, content: Content
    ) {
        (self.classes, self.preparation, self.unit) = (classes, preparation, unit)
        (self.columns, self.reference, self.content) = (columns, reference, content)
    }

    // MARK: Files

    /// - Throws: a permanent failure naming the file and what is wrong with it.
    init(_ item: TaskRequest.StagedInput) throws {
        func refuse(_ what: String) -> TaskResult.Failure {
            .permanent(
                "\(item.input.name) is no classifier of classifier.train (\(what)); bind the output “model” of such a step, or name "
                    + "a model that one made")
        }
        let text: String
        do {
            let file = try SafetensorsFile(path: item.path)
            guard let found = file.metadata[Model.classifierKey] else {
                throw refuse(
                    file.metadata[Model.metadataKey] == nil
                        ? "it has none" : "it is a network, which network.classify applies")
            }
            text = found
        } catch let error as NetworkError {
            throw refuse("\(error)")
        }
        do {
            let decoded = try JSONDecoder().decode(FeatureClassifier.self, from: Data(text.utf8))
            guard decoded.format == Self.format else {
                throw TaskResult.Failure.permanent(
                    "\(item.input.name) is a classifier of the form “\(decoded.format)”, this program reads “\(Self.format)”; train it again"
                )
            }
            self = decoded
        } catch let error as DecodingError {
            throw refuse(Self.words(error))
        }
    }

    /// A model file without tensors: card and classifier are in its metadata, as text, since their numbers are in double
    /// precision and few. The same classifier and card give the same
    /// bytes.
    func write(to path: String, card: JSONValue) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        try SafetensorsWriter.write(
            [],
            metadata: [
                Model.metadataKey: card.canonicalString,
                Model.classifierKey: String(decoding: try encoder.encode(self), as: UTF8.self),
            ], to: path)
    }

    /// The tables that a classifier was trained with, of the people who had cases.
    ///
    /// - Throws: what reading the file throws.
    static func trainingRecord(_ item: TaskRequest.StagedInput) throws -> TrainingRecord {
        struct Card: Decodable {
            struct File: Decodable { var subject: String?, file: String, digest: String }
            struct Split: Decodable { var training: [String] }
            var data: [File], split: Split
        }
        let text = try SafetensorsFile(path: item.path).metadata[Model.metadataKey] ?? ""
        // Swallowed: a card that says nothing of its data can be held against none.
        let card = try? JSONDecoder().decode(Card.self, from: Data(text.utf8))
        let trained = Set(card?.split.training ?? [])
        return TrainingRecord(
            item,
            files: (card?.data ?? []).compactMap { file in
                guard let subject = file.subject, trained.contains(subject) else { return nil }
                return ModelCard.DataItem(subject: subject, file: file.file, digest: file.digest)
            })
    }

    private static func words(_ error: DecodingError) -> String {
        switch error {
        case .keyNotFound(let key, _): "it lacks “\(key.stringValue)”"
        case .dataCorrupted: "it is not readable JSON"
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            "“\(context.codingPath.map(\.stringValue).joined(separator: "."))” is of another type"
        @unknown default: "it cannot be read"
        }
    }

    // MARK: Cases

    /// A sample as it comes, its features in the order of `names`.
    ///
    /// - Throws: a sentence naming a feature that is not there.
    static func features(_ sample: FeatureSamples.Sample, names: [String], table: String) throws -> [Double?] {
        try names.map { name in
            guard let value = sample.values[name] else {
                throw TaskResult.Failure.permanent(
                    "\(table) has no feature “\(name)”, which the classifier was trained with; add it")
            }
            return value
        }
    }

    /// Features as a classifier sees them.
    ///
    /// - Throws: a sentence naming a feature that is missing where that is refused.
    static func row(
        _ one: FeaturePreparation.Case, _ preparation: FeaturePreparation, _ sample: FeatureSamples.Sample,
        _ unit: FeatureSamples.Unit, table: String
    ) throws -> [Double] {
        try zip(preparation.names, preparation.values(one)).map { name, value in
            guard let value else {
                throw TaskResult.Failure.permanent(
                    "\(table) has n/a as \(name)\(sample.number.map { " of \(unit) \($0)" } ?? ""); fill it in, leave the column out, "
                        + "or set “missing” to median")
            }
            return value
        }
    }

    /// The first thing in which another classifier judges something else; nil where their probabilities can be averaged.
    func difference(to other: FeatureClassifier) -> (first: String, second: String)? {
        func list(_ names: [String]) -> String { names.isEmpty ? "all" : names.joined(separator: ", ") }
        func covariates(_ one: FeatureClassifier) -> [String] { one.preparation.covariates?.names ?? [] }
        if classes != other.classes { return ("the classes \(list(classes))", list(other.classes)) }
        if unit != other.unit { return ("\(unit.plural) to judge", other.unit.plural) }
        if columns != other.columns { return ("the columns \(list(columns))", list(other.columns)) }
        if covariates(self) != covariates(other) {
            func residualised(_ one: FeatureClassifier) -> String {
                covariates(one).isEmpty ? "nothing to residualise" : "\(list(covariates(one))) to residualise"
            }
            return (residualised(self), residualised(other))
        }
        return reference == other.reference ? nil : ("the reference \(reference)", other.reference)
    }

    /// Probabilities of the classes.
    func probabilities(_ row: [Double]) -> [Double] {
        content.probabilities(row)
    }
}
