import Foundation
import Statistics
import Workflow

/// A classifier on tables of features as `classifier.train` writes it and `classifier.apply` reads it.
struct FeatureClassifier: Codable, Equatable {
    enum Content: Codable, Equatable {
        case forest(RandomForest)
        /// Probability of the last of two classes.
        case logistic(LogisticRegression)
    }

    /// What tells this from other JSON, and its version.
    private var format = Self.format
    private static let format = "qsmflow classifier 1"

    /// In the order of probabilities; of two the positive one is the last.
    let classes: [String]
    let featureNames: [String]
    /// What a missing value becomes, by feature; nil: missing values are refused.
    let medians: [Double]?
    /// Whether a table has a row per lesion, or all of it is about a person.
    let isOfLesions: Bool
    /// Names of columns that were asked for, and the reference of the rows.
    let columns: [String]
    let reference: String
    let content: Content

    init(
        classes: [String], featureNames: [String], medians: [Double]?, isOfLesions: Bool, columns: [String],
        reference: String, content: Content
    ) {
        (self.classes, self.featureNames, self.medians) = (classes, featureNames, medians)
        (self.isOfLesions, self.columns, self.reference, self.content) = (isOfLesions, columns, reference, content)
    }

    init(_ item: TaskRequest.StagedInput) throws {
        do {
            let decoded = try JSONDecoder().decode(
                FeatureClassifier.self, from: Data(contentsOf: URL(fileURLWithPath: item.path)))
            guard decoded.format == Self.format else {
                throw TaskResult.Failure.permanent(
                    "\(item.input.name) is a classifier of the form “\(decoded.format)”, this program reads “\(Self.format)”; train it again"
                )
            }
            self = decoded
        } catch let error as DecodingError {
            throw TaskResult.Failure.permanent(
                "\(item.input.name) is no classifier of classifier.train (\(Self.words(error))); bind the output “model” of such a step"
            )
        }
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

    /// The same model gives the same bytes.
    var data: Data {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            return try encoder.encode(self)
        }
    }

    /// The features of a sample in the order of the model.
    ///
    /// - Throws: a sentence naming a feature that is not there, or is missing where that is refused.
    static func row(
        _ sample: FeatureSamples.Sample, names: [String], medians: [Double]?, table: String
    ) throws -> [Double] {
        try names.enumerated().map { place, name in
            guard let value = sample.values[name] else {
                throw TaskResult.Failure.permanent(
                    "\(table) has no feature “\(name)”, which the classifier was trained with; add it")
            }
            if let value { return value }
            guard let medians else {
                throw TaskResult.Failure.permanent(
                    "\(table) has n/a as \(name)\(sample.lesion.map { " of lesion \($0)" } ?? ""); fill it in, leave the column out, or "
                        + "set “missing” to median")
            }
            return medians[place]
        }
    }

    /// Probabilities of the classes.
    func probabilities(_ row: [Double]) -> [Double] {
        switch content {
        case .forest(let forest): return forest.probabilities(row)
        case .logistic(let model):
            let p = model.probability(row)
            return [1 - p, p]
        }
    }
}
