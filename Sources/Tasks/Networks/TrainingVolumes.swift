import Kernels
import NIfTI
import Networks
import Workflow

/// Reads sessions as a network is trained on them: on the grid of the model, normalised, labels as classes.
struct TrainingVolumes: Sendable {
    let channels: [ModelCard.Channel]
    let geometry: ModelCard.Geometry
    /// Beside background; empty: one class of all that is labelled. nil: labels are not wanted.
    let classes: [TrainingClass]?
    let units: String
    let threads: Int

    var classCount: Int { classes.map { max(2, $0.count + 1) } ?? 256 }

    func source(_ sessions: [TrainingSession], limitBytes: Int) -> CachedVolumes {
        CachedVolumes(count: sessions.count, limitBytes: limitBytes) { [self] index in try read(sessions[index]) }
    }

    /// Bytes of the volumes of these sessions that are held at most while batches are made, told by their headers.
    ///
    /// - Throws: one sentence naming the file.
    func heldBytes(_ sessions: [TrainingSession], limitBytes: Int) throws -> Int {
        var (sum, largest) = (0, 0)
        for session in sessions {
            let image = session.images[0]
            let grid = try geometry.grid(
                for: try NIfTIFile.readHeader(image.path).grid, image: image.input.name, model: "in training")
            let bytes = grid.count * (channels.count * MemoryLayout<Float>.size + (classes == nil ? 0 : 1))
            sum += bytes
            largest = max(largest, bytes)
        }
        return sum <= limitBytes ? sum : limitBytes + BatchAssembly.volumesHeld(threads: threads) * largest
    }

    /// Why a session's files cannot be trained on; nil where they can. They are read once more for it: who cannot be read
    /// must be known before anything is learned, and is no reason to stop for the others.
    ///
    /// - Throws: what the machine did, and the files did not.
    static func problem(of session: TrainingSession, _ parameters: TrainingParameters) throws -> String? {
        do {
            let own = ModelCard.Geometry(
                spacingMillimetres: try TrainingGrid.spacing(of: session.images[0]), orientation: "RAS",
                otherGrids: .resample)
            let isSegmented = parameters.network.segments
            _ = try TrainingVolumes(
                channels: parameters.channels, geometry: own, classes: isSegmented ? parameters.classes : nil,
                units: parameters.environment.text("units"), threads: parameters.environment.threads
            ).read(session)
            if !isSegmented, let labels = session.labels {
                // Elsewhere than in the image there would be nothing to learn from, and nobody would be told.
                let (map, image) = (
                    try NIfTIFile.readLabelMap(labels.path).grid, try NIfTIFile.readHeader(session.images[0].path).grid
                )
                guard map.matches(image) else {
                    throw ModelCardError.grid(
                        image: labels.input.name, found: "\(map)", first: session.images[0].input.name,
                        expected: "\(image)")
                }
            }
            return nil
        } catch { return try LeftOut.reason(error) }
    }

    /// - Throws: one sentence naming the file.
    func read(_ session: TrainingSession) throws -> TrainingVolume {
        let name = session.images[0].input.name
        let images = try ModelImages.read(session.images, channels: channels, units: units)
        let original = images[0].volume.grid
        for (other, volume) in images where !volume.grid.matches(original) {
            throw ModelCardError.grid(image: other, found: "\(volume.grid)", first: name, expected: "\(original)")
        }
        let grid = try geometry.grid(for: original, image: name, model: "in training")
        func moved(_ volume: Volume) throws -> Volume {
            grid.matches(original) ? volume : try volume.resampled(to: grid, threads: threads)
        }
        let mask = try session.mask.map { item -> Mask in
            let mask = try NIfTIFile.readMask(item.path)
            guard mask.grid.matches(original) else {
                throw ModelCardError.grid(
                    image: item.input.name, found: "\(mask.grid)", first: name, expected: "\(original)")
            }
            return grid.matches(original) ? mask : try mask.resampled(to: grid, threads: threads)
        }
        let labels = try classes.flatMap { classes in
            try session.labels.map { item in
                try self.labels(item, try classes.numbered(by: session.table), first: name, original, grid)
            }
        }
        return try TrainingVolume(
            name: name, channels: try images.map { try moved($0.volume) }, normalisation: channels.map(\.normalisation),
            mask: mask, labels: labels, classes: classCount)
    }

    private func labels(
        _ item: TaskRequest.StagedInput, _ classes: [TrainingClass], first: String, _ original: VoxelGrid,
        _ grid: VoxelGrid
    ) throws -> LabelMap {
        var map = try NIfTIFile.readLabelMap(item.path)
        guard map.grid.matches(original) else {
            throw ModelCardError.grid(
                image: item.input.name, found: "\(map.grid)", first: first, expected: "\(original)")
        }
        var numbers = [UInt16](repeating: classes.isEmpty ? 1 : 0, count: Int(UInt16.max) + 1)
        numbers[0] = 0
        for (n, one) in classes.enumerated() {
            for label in one.labels { numbers[Int(label)] = UInt16(n + 1) }
        }
        for n in map.values.indices { map.values[n] = numbers[Int(map.values[n])] }
        return grid.matches(original) ? map : try map.resampled(to: grid, threads: threads)
    }
}

extension [TrainingClass] {
    /// The same classes, those of named regions with the numbers that a label map's own table gives these.
    ///
    /// - Throws: a permanent failure naming the table that has none of a class's regions: what it cannot name is not known
    ///   to be absent.
    func numbered(by item: TaskRequest.StagedInput?) throws -> [TrainingClass] {
        guard contains(where: { !$0.regions.isEmpty }) else { return self }
        // Whoever has no table takes no part in a training by names.
        guard let item else { preconditionFailure("classes of named regions without a table") }
        let table = try RegionTable(try item.readTable(), name: item.input.name)
        return try map { one in
            guard !one.regions.isEmpty else { return one }
            var one = one
            one.labels = Set(table.regions.filter { one.regions.contains($0.name) }.map(\.index))
            guard !one.labels.isEmpty else {
                let known = table.regions.map(\.name)
                let shown = known.prefix(40).joined(separator: ", ") + (known.count > 40 ? ", …" : "")
                throw TaskResult.Failure.permanent(
                    "\(item.input.name) names no region of class \(one.name) (\(one.regions.sorted().joined(separator: ", "))); "
                        + "it has \(shown.isEmpty ? "none" : shown). Correct “regions” in classes, or leave the class out"
                )
            }
            return one
        }
    }
}
