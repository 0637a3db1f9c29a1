import Foundation
import Kernels
import NIfTI
import Networks
import Workflow

/// Applies a classification model to a person's image, or to each lesion in it.
enum NetworkClassifyTask: TaskImplementation {
    static let kind = "network.classify"

    static func run(_ environment: TaskEnvironment) throws -> TaskResult {
        let model = try Model(path: try environment.input("model").path)
        let name = model.card.name
        guard model.card.task == .classification, let trained = model.card.training?.targeted else {
            throw TaskResult.Failure.permanent(
                "model \(name) is one for \(model.card.task.rawValue); network.classify takes one for classification, trained here"
            )
        }
        let patch = trained.patch
        let input = try ModelImages.input(environment, for: model)
        guard let inverse = input.grid.affine.inverse else { throw GridError.singularAffine("the model's grid") }

        // What is judged: the lesions by number, or the middle of the image.
        var places: [(lesion: UInt16?, centre: SIMD3<Double>)] = []
        if let item = environment.optionalInput("lesions") {
            let map = try NIfTIFile.readLabelMap(item.path)
            guard map.grid.matches(input.original) else {
                throw ModelCardError.grid(
                    image: item.input.name, found: "\(map.grid)", first: "the image", expected: "\(input.original)")
            }
            places = LesionCentres(map).worldMillimetres.sorted { $0.key < $1.key }.map { ($0.key, inverse($0.value)) }
        } else {
            let size = input.size
            places = [(nil, SIMD3(Double(size.width - 1), Double(size.height - 1), Double(size.depth - 1)) / 2)]
        }

        let volume = TrainingVolume(name: name, input)
        let shape = FeatureShape(batch: 1, channels: input.channels.count, size: patch)
        let plan = try InferencePlan(
            model.card.network, weights: model.weights, inputs: [shape], threads: environment.threads)
        var rows: [[String]] = []
        var measured: [MeasuredValue] = []
        for (n, place) in places.enumerated() {
            let image = volume.patch(patch, centre: place.centre, as: trained.spatial)
            let logits = try plan.run([image])[0].values
            guard logits.allSatisfy(\.isFinite) else {
                throw TaskResult.Failure.permanent(
                    "model \(name) gives values that are no finite numbers for \(place.lesion.map { "lesion \($0)" } ?? "the image"); "
                        + "its weights or the image are unusable")
            }
            let probabilities = Self.softmax(logits)
            let best = probabilities.indices.max { probabilities[$0] < probabilities[$1] }!
            let region = place.lesion.map { "lesion-\($0)" }
            rows.append(
                [place.lesion.map { "\($0)" } ?? "n/a", model.card.classes[best]] + probabilities.map { "\($0)" })
            for (index, probability) in probabilities.enumerated() {
                measured.append(
                    MeasuredValue(
                        region: region, term: model.card.classes[index], metric: "probability", value: probability,
                        unit: "1"))
            }
            measured.append(MeasuredValue(region: region, metric: "decision", value: Double(best), unit: "1"))
            environment.report(progress: Double(n + 1) / Double(places.count))
        }
        let table = TabSeparatedTable(
            columns: ["lesion", "class"] + model.card.classes.map { "p_\($0)" }, rows: rows)
        return TaskResult(outputs: [try environment.writeTable(table, to: "table")], measurements: measured)
    }

    private static func softmax(_ logits: [Float]) -> [Double] {
        let largest = Double(logits.max() ?? 0)
        let powers = logits.map { exp(Double($0) - largest) }
        let sum = powers.reduce(0, +)
        return powers.map { $0 / sum }
    }
}
