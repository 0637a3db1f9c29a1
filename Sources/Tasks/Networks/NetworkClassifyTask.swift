import Kernels
import NIfTI
import Networks
import Workflow

/// Applies a classification model, or an ensemble, to a person's image, or to each lesion in it.
enum NetworkClassifyTask: TaskImplementation {
    static let kind = "network.classify"

    static func run(_ environment: TaskEnvironment) throws -> TaskResult {
        let ensemble = try ModelEnsemble(environment, for: .classification)
        let card = ensemble.card
        let input = try ModelImages.input(environment, for: ensemble.members[0])
        let places = try places(environment, ensemble, input)
        let volume = TrainingVolume(name: card.name, input)

        // One member after the other, so that only one is prepared at a time.
        var answers = places.map { _ in [Classifier.Answer]() }
        var slabs: [Extent3] = []
        for (m, member) in ensemble.members.enumerated() {
            let classifier = try Classifier(
                member, threads: environment.threads,
                heldBytes: volume.channels.reduce(0) { $0 + $1.count } * MemoryLayout<Float>.size,
                limitMiB: environment.request.memoryMiB)
            slabs.append(classifier.patch)
            for (n, place) in places.enumerated() {
                let features = member.card.features?.standardised(place.features[m]) ?? []
                answers[n].append(try classifier.answer(volume, centre: place.centre, features: features))
                environment.report(
                    progress: Double(m * places.count + n + 1) / Double(places.count * ensemble.members.count))
            }
        }
        let judgesSlices = answers.first?.first?.slices.isEmpty == false
        guard !judgesSlices || Set(slabs).count == 1 else {
            throw TaskResult.Failure.permanent(
                "the models of an ensemble must agree: they judge slabs of \(slabs.map { "\($0)" }.joined(separator: ", ")) voxels"
            )
        }

        var rows: [[String]] = []
        var measured: [MeasuredValue] = []
        var outputs: [TaskResult.Output] = []
        for (place, answers) in zip(places, answers) {
            let answer = Classifier.Answer.mean(answers)
            let best = MostProbable.index(of: answer.probabilities)
            let region = place.lesion.map { "lesion-\($0)" }
            rows.append(
                [place.lesion.map { "\($0)" } ?? "n/a", card.classes[best]] + answer.probabilities.map { "\($0)" })
            for (name, probability) in zip(card.classes, answer.probabilities) {
                measured.append(
                    MeasuredValue(region: region, term: name, metric: "probability", value: probability, unit: "1"))
            }
            measured.append(MeasuredValue(region: region, metric: "decision", value: Double(best), unit: "1"))
            if judgesSlices {
                let table = slices(
                    answer, card.classes, slabs[0], input, meeting: try slicesOfRegions(environment, input))
                guard !table.rows.isEmpty else {
                    throw TaskResult.Failure.permanent(
                        "no slice of the slab meets a region; the regions of step \(environment.request.step) lie elsewhere in the "
                            + "image than what the model looks at")
                }
                outputs.append(try environment.writeTable(table, to: "slices"))
            }
        }
        let table = TabSeparatedTable(columns: ["lesion", "class"] + card.classes.map { "p_\($0)" }, rows: rows)
        let seen = try ModelImages.warning(environment, ensemble)
        return TaskResult(
            outputs: [try environment.writeTable(table, to: "table")] + outputs, measurements: measured,
            warnings: seen.map { [$0] } ?? [])
    }

    /// What is judged.
    private struct Place {
        /// Its number; nil: the image.
        var lesion: UInt16?
        /// Voxel position on the model's grid; nil: the middle.
        var centre: SIMD3<Double>?
        /// For every member what it takes beside the image, as the table has it.
        var features: [[Double]]
    }

    /// The lesions by number, or the middle of the image.
    private static func places(
        _ environment: TaskEnvironment, _ ensemble: ModelEnsemble, _ input: ModelInput
    ) throws -> [Place] {
        let names = ensemble.members.map { $0.card.features?.names ?? [] }
        let taking = ensemble.members.first { $0.card.features != nil }?.card.name
        let table = environment.optionalInput("features")
        if let taking, table == nil {
            throw TaskResult.Failure.permanent(
                "model \(taking) takes features of every lesion; bind a table of them to “features” of step \(environment.request.step)"
            )
        }
        guard let item = environment.optionalInput("lesions") else {
            if let taking {
                throw TaskResult.Failure.permanent(
                    "model \(taking) judges lesions; bind a map of them to “lesions” of step \(environment.request.step)"
                )
            }
            return [Place(features: names.map { _ in [] })]
        }
        guard let inverse = input.grid.affine.inverse else { throw GridError.singularAffine("the model's grid") }
        let map = try NIfTIFile.readLabelMap(item.path)
        guard map.grid.matches(input.original) else {
            throw ModelCardError.grid(
                image: item.input.name, found: "\(map.grid)", first: "the image", expected: "\(input.original)")
        }
        let centres = LesionCentres(map)
        let features =
            taking == nil ? nil : try table.map { try LesionTable($0, lesions: centres, map: item.input.name) }
        return try centres.worldMillimetres.sorted { $0.key < $1.key }.map { lesion, centre in
            Place(
                lesion: lesion, centre: inverse(centre),
                features: try names.map { try features?.numbers($0, lesion: lesion) ?? [] })
        }
    }

    /// Slices of the model's grid that meet a region; nil where no regions are bound.
    private static func slicesOfRegions(_ environment: TaskEnvironment, _ input: ModelInput) throws -> Set<Int>? {
        guard let item = environment.optionalInput("regions") else { return nil }
        var map = try NIfTIFile.readLabelMap(item.path)
        guard map.grid.matches(input.original) else {
            throw ModelCardError.grid(
                image: item.input.name, found: "\(map.grid)", first: "the image", expected: "\(input.original)")
        }
        if input.wasResampled { map = try map.resampled(to: input.grid, threads: environment.threads) }
        let plane = map.grid.nx * map.grid.ny
        return Set(
            (0..<map.grid.nz).filter { k in map.values[(k * plane)..<((k + 1) * plane)].contains { $0 != 0 } })
    }

    /// Every slice of the slab that lies in the image, with the height of its middle in world mm.
    ///
    /// - Parameter wanted: the others are left out; nil: none are.
    private static func slices(
        _ answer: Classifier.Answer, _ classes: [String], _ slab: Extent3, _ input: ModelInput,
        meeting wanted: Set<Int>?
    ) -> TabSeparatedTable {
        let middle = input.size.middle(of: slab)
        let first = Int(middle.z - Double(slab.depth - 1) / 2)
        let rows = answer.slices.enumerated().compactMap { n, probabilities -> [String]? in
            let k = first + n
            guard k >= 0, k < input.size.depth, wanted?.contains(k) ?? true else { return nil }
            let z = input.grid.affine(SIMD3(middle.x, middle.y, Double(k))).z
            return ["\(k)", TabSeparatedTable.cell(z), classes[MostProbable.index(of: probabilities)]]
                + probabilities.map { "\($0)" }
        }
        return TabSeparatedTable(columns: ["slice", "z_mm", "class"] + classes.map { "p_\($0)" }, rows: rows)
    }
}
