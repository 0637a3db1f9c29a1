import Kernels
import NIfTI
import Networks
import Workflow

/// Applies a segmentation model, or an ensemble, to a person's images.
enum NetworkSegmentTask: TaskImplementation {
    static let kind = "network.segment"

    static func run(_ environment: TaskEnvironment) throws -> TaskResult {
        let ensemble = try ModelEnsemble(environment, for: .segmentation)
        let card = ensemble.card
        guard var options = card.inference else {
            throw TaskResult.Failure.permanent("model \(card.name) does not say how volumes are cut into windows")
        }
        let input = try ModelImages.input(environment, for: ensemble.members[0])
        options.overlap = environment.number("overlap")
        options.flips = GridAxes(try environment.settings.flips().compactMap(GridAxis.init(rawValue:)))
        // Where classes stand alone, background is none of the network's.
        let names = card.output == .sigmoid ? ["background"] + card.classes : card.classes
        let channels = card.classes.indices
        let keeping = environment.boolean("probabilities") ? Set(channels) : []
        // Windows or not is never decided by memory, on which the result would then depend; too little is an error.
        // What is held besides counts: the images on the grid of the model, and probabilities on that of the images.
        let restored = keeping.isEmpty || !input.wasResampled ? 0 : keeping.count * input.original.count
        let held = MemoryLayout<Float>.stride * (input.channels.count * input.size.product + restored)
        let limit = environment.request.memoryMiB << 20
        options.limitBytes = max(0, limit - held)
        options.wholeVolumeBytes = environment.boolean("whole_volume") ? Int.max : nil

        let segmentation: VolumeSegmentation
        do {
            segmentation = try VolumeSegmentation(
                volume: input.size, channels: input.channels, background: input.background,
                members: try ensemble.members.map { try $0.segmentationNetwork() }, options: options,
                rule: card.output == .sigmoid ? .threshold(0.5) : .largest, emptySlices: input.emptySlices,
                keeping: keeping,
                threads: environment.threads,
                progress: { environment.report(progress: Double($0.windowsDone) / Double(max(1, $0.windows))) })
        } catch InferenceError.memory(let needed, _) {
            // So that the step is tried again with more where there is more.
            throw TaskResult.Failure(
                outcome: .outOfMemory,
                message:
                    "Step \(environment.request.step) takes \(ByteCount(needed + held)) to apply \(card.name), more than its "
                    + "\(ByteCount(limit)); raise its memory"
                    + (options.wholeVolumeBytes == nil ? "" : " or leave out whole_volume"))
        }
        var labels = try input.restored(segmentation.labels, threads: environment.threads)
        // A header's rounding decides nothing.
        let smallest = environment.number("smallest_mm3") / labels.grid.voxelVolumeCubicMillimetres * (1 - 1e-6)
        let tidying = RegionTidying(
            keepsLargestOnly: environment.boolean("largest_piece"), fillsHoles: environment.boolean("fill_holes"),
            smallestVoxels: smallest.rounded(.up))
        tidying.apply(to: &labels, classes: names.count)

        var counts = [Int](repeating: 0, count: names.count)
        for label in labels.values { counts[Int(label)] += 1 }
        let (path, entry) = environment.output("labels")
        try NIfTIFile.write(labels, to: path)
        let table = TabSeparatedTable(
            columns: ["index", "name"], rows: names.enumerated().map { ["\($0)", $1] })
        var measured: [MeasuredValue] = []
        for (index, name) in names.enumerated().dropFirst() {
            measured.append(
                MeasuredValue(
                    region: name, metric: "volume",
                    value: Double(counts[index]) * labels.grid.voxelVolumeCubicMillimetres, unit: "mm3"))
            measured.append(MeasuredValue(region: name, metric: "voxels", value: Double(counts[index]), unit: "1"))
        }
        var outputs = [entry, try environment.writeTable(table, to: "table")]
        if !keeping.isEmpty {
            var volumes = try channels.map { channel in
                try input.restored(segmentation.probabilities[channel]!, threads: environment.threads)
            }
            // Independent classes have no background of their own.
            if card.output == .sigmoid { volumes.insert(background(of: volumes), at: 0) }
            let (path, entry) = environment.output("probabilities")
            try NIfTIFile.write(volumes, to: path)
            outputs.append(entry)
        }
        let seen = try ModelImages.warning(environment, ensemble)
        return TaskResult(
            outputs: outputs, measurements: measured,
            warnings: zip(names, counts).dropFirst().filter { $0.1 == 0 }.map {
                "The model found no \($0.0) in \(environment.request.context); look at the image."
            } + (seen.map { [$0] } ?? []))
    }

    /// What is left beside the most probable of classes that do not exclude each other.
    private static func background(of classes: [Volume]) -> Volume {
        var rest = Volume(grid: classes[0].grid)
        for n in rest.values.indices { rest.values[n] = 1 - classes.reduce(0) { max($0, $1.values[n]) } }
        return rest
    }
}
