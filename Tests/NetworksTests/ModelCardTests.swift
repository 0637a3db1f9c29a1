import Foundation
import Kernels
import TestSupport
import Testing

@testable import Networks

private func network(channels: Int = 2, classes: Int = 3) throws -> Network {
    var builder = NetworkBuilder()
    let image = try builder.input("image", channels: channels, rank: 3)
    let features = try builder.relu("relu", try builder.convolution("first", image, channels: 4, kernel: 3))
    let down = try builder.convolution("down", features, channels: 8, kernel: 3, stride: 2)
    let up = try builder.transposedConvolution("up", down, channels: 4)
    let joined = try builder.add("joined", .addition, features, up)
    let head = try builder.convolution("head", joined, channels: classes, kernel: 1)
    return try builder.network(outputs: [head])
}

private func card(_ policy: ModelCard.Geometry.Policy = .refuse) throws -> ModelCard {
    var card = ModelCard(
        name: "nuclei", task: .segmentation, architecture: "U-Net, 3-D, 4-8", network: try network(),
        channels: [
            .init(
                modality: "Chimap", units: "ppm", normalisation: .clip(lower: -0.25, upper: 0.25, low: -1, high: 1)),
            .init(modality: "T1w", units: "arbitrary", normalisation: .zScore(over: .mask)),
        ],
        geometry: .init(spacingMillimetres: SIMD3(1, 1, 1), orientation: "RAS", otherGrids: policy),
        classes: ["background", "putamen", "caudate"], output: .softmax,
        inference: SlidingWindowOptions(window: Extent3(8, 8, 8), flips: [.width, .height]), source: .trained,
        softwareVersion: "1.0")
    card.data = [.init(subject: "sub-01", file: "sub-01_Chimap.nii.gz", digest: "ab12")]
    card.split = .init(training: ["sub-01"], validation: ["sub-02"])
    card.metrics = [.init(name: "dice", className: "putamen", measuredOn: "validation", value: 0.81)]
    card.training = .init(
        settings: TrainingSettings(
            epochs: 3, loss: .crossEntropy(), schedule: Schedule(1e-3)),
        patches: PatchOptions(patch: Extent3(8, 8, 8), batch: 2, samplesPerEpoch: 10))
    card.training?.patches?.spatial = .standard(isFlat: false)
    card.training?.patches?.intensity = .standard
    return card
}

private func images(_ grid: VoxelGrid, seed: UInt64 = 1) -> [(name: String, volume: Volume)] {
    var random = SeededGenerator(seed: seed)
    return ["chi.nii", "t1.nii"].map { name in
        (name, Volume(grid: grid, values: (0..<grid.count).map { _ in Float(random.gaussian() * 0.1) }))
    }
}

private func isotropic(_ n: Int = 9, _ spacing: Double = 1) -> VoxelGrid {
    VoxelGrid(nx: n, ny: n, nz: n, affine: .scaling(SIMD3(repeating: spacing)))
}

@Suite("Model card")
struct ModelCardTests {
    @Test("one file holds card and weights and gives both back; equal models are equal bytes")
    func file() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("model-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }  // best effort
        let card = try card()
        let weights = card.network.initialWeights(.heNormal, seed: 3)
        let model = try Model(card: card, weights: weights)
        let paths = ["a", "b"].map { folder.appendingPathComponent("\($0).safetensors").path }
        for path in paths { try model.write(to: path) }
        let read = try Model(path: paths[0])
        #expect(read.card == card)
        #expect(read.weights == weights)
        let (a, b) = (FileManager.default.contents(atPath: paths[0]), FileManager.default.contents(atPath: paths[1]))
        #expect(a != nil && a == b)

        let plain = folder.appendingPathComponent("plain.safetensors").path
        try weights.write(to: plain)
        #expect { try Model(path: plain) } throws: { "\($0)".hasPrefix("\(plain): holds weights without a model card") }
        let damaged = folder.appendingPathComponent("damaged.safetensors").path
        let json = try card.json().replacingOccurrences(of: "\"modality\":\"T1w\",", with: "")
        try weights.write(to: damaged, metadata: [Model.metadataKey: json])
        #expect { try Model(path: damaged) } throws: {
            "\($0)" == "\(damaged): its model card is damaged: channels.1 lacks modality"
        }
    }

    @Test("cards that contradict themselves are refused")
    func contradictions() throws {
        let good = try card()
        try good.check()
        var wrong = good
        wrong.channels.removeLast()
        #expect(throws: ModelCardError.self) { try wrong.check() }
        wrong = good
        wrong.classes.append("thalamus")
        #expect { try wrong.check() } throws: {
            "\($0)" == "model nuclei is unusable: it names 4 classes and its network has 3"
        }
        // Cards of before the rule do not mention it.
        let json = try good.json()
        #expect(!json.contains("emptyChannel"))
        wrong = good
        wrong.emptyChannel = 1
        try wrong.check()
        #expect(try JSONDecoder().decode(ModelCard.self, from: Data(wrong.json().utf8)) == wrong)
        wrong.emptyChannel = 2
        #expect { try wrong.check() } throws: { "\($0)".contains("those of channel 2 of 2, counted from 0") }
        wrong = good
        wrong.format = 99
        #expect(throws: ModelCardError.self) { try wrong.check() }
        wrong = good
        wrong.geometry.orientation = "RAR"
        #expect(throws: ModelCardError.self) { try wrong.check() }
        wrong = good
        wrong.split?.test = ["sub-01"]
        #expect(throws: ModelCardError.self) { try wrong.check() }
        #expect(throws: NetworkError.self) {
            try Model(card: good, weights: try network(channels: 1).initialWeights(.heNormal, seed: 1))
        }
    }

    /// A network whose output ends in `function`, and a description of it.
    private func describing(
        _ function: Layer?, classes: Int, _ members: [String: Any]
    ) throws -> ModelCard {
        var builder = NetworkBuilder()
        let image = try builder.input("image", channels: 1, rank: 3)
        let down = try builder.convolution("down", image, channels: 2, kernel: 3, stride: 2)
        var last = try builder.transposedConvolution("up", down, channels: classes)
        if let function { last = try builder.add("last", function, last) }
        let network = try builder.network(outputs: [last])
        var all: [String: Any] = [
            "name": "nuclei", "classes": (0..<classes).map { "class\($0)" }, "window": [16, 16, 16],
            "channels": [["modality": "Chimap"]],
        ]
        all.merge(members) { _, new in new }
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString).json")
        try JSONSerialization.data(withJSONObject: all).write(to: path)
        defer { try? FileManager.default.removeItem(at: path) }  // best effort
        return try ModelDescription(path: path.path).card(network, size: nil, source: .trained, softwareVersion: "1")
    }

    @Test("what makes probabilities follows from the network where the description leaves it out")
    func outputs() throws {
        let sigmoid = Layer.activation(function: .sigmoid)
        #expect(try describing(sigmoid, classes: 1, [:]).output == .sigmoid)
        #expect(try describing(sigmoid, classes: 2, [:]).output == .sigmoid)
        #expect(try describing(.softmax, classes: 2, [:]).output == .softmax)
        #expect(try describing(nil, classes: 2, [:]).output == .softmax)
        #expect(try describing(nil, classes: 1, ["output": "sigmoid"]).output == .sigmoid)
        for output in ["softmax", "probabilities"] {
            #expect { try describing(sigmoid, classes: 1, ["output": output]) } throws: {
                "\($0)"
                    == "model nuclei is unusable: output \(output) is a choice between classes and its network has one; "
                    + "state output sigmoid"
            }
        }
        #expect(throws: ModelCardError.self) { try describing(nil, classes: 1, [:]) }
    }

    @Test("a classifier states the patch it judges and chooses one class")
    func classifiers() throws {
        let sigmoid = Layer.activation(function: .sigmoid)
        let members: [String: Any] = ["task": "classification", "classes": ["a", "b"], "window": [8, 6, 4]]
        #expect { try describing(sigmoid, classes: 1, members) } throws: {
            "\($0)".contains("the output last of its network is an image")
        }
        func card(logits: Int) throws -> ModelCard {
            var builder = NetworkBuilder()
            let image = try builder.input("image", channels: 1, rank: 3)
            let pooled = try builder.add("pool", .globalAveragePooling, image)
            let logit = try builder.linear("fc", pooled, outputs: logits)
            let last = try builder.add("last", sigmoid, logit)
            let network = try builder.network(outputs: [last])
            let path = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).json")
            defer { try? FileManager.default.removeItem(at: path) }  // best effort
            let all = members.merging(["name": "iron", "channels": [["modality": "Chimap"]]]) { own, _ in own }
            try JSONSerialization.data(withJSONObject: all).write(to: path)
            return try ModelDescription(path: path.path).card(
                network, size: nil, source: .trained, softwareVersion: "1")
        }
        let one = try card(logits: 1)
        #expect(one.judged?.patch == Extent3(4, 6, 8) && one.inference == nil && one.isOneLogitClassifier)
        #expect { try card(logits: 2) } throws: {
            "\($0)".contains("lets its 2 classes stand alone, and a classifier chooses one")
        }
    }

    @Test("classes have names of their own")
    func classNames() throws {
        #expect(throws: Never.self) { try describing(nil, classes: 2, ["classes": ["background", "a"]]) }
        for (function, classes, words) in [
            (nil, ["background", "a", "a"], "two of its classes are called “a”"),
            (nil, ["other", "Background", "a"], "name the background first"),
            (Layer.activation(function: .sigmoid), ["background", "a"], "belongs to no class"),
        ] {
            #expect {
                try describing(function, classes: classes.count, ["classes": classes])
            } throws: {
                "\($0)".contains(words)
            }
        }
    }

    @Test("keys that mean nothing are refused with the nearest that does")
    func keys() {
        for (members, words) in [
            (["spacing": [1, 1, 1]], "has the unknown key spacing; did you mean spacing_mm?"),
            (["Licence": "MIT"], "has the unknown key Licence; did you mean licence?"),
            (["colour": "red"], "has the unknown key colour; valid: name, task, "),
            (
                ["channels": [["modality": "T1w", "normalize": "zscore"]]],
                "has the unknown key normalize in channels.0; did you mean normalise?"
            ),
        ] as [([String: Any], String)] {
            #expect {
                try describing(nil, classes: 2, members)
            } throws: {
                "\($0)".contains(".json: \(words)")
            }
        }
    }

    @Test("a window that does not go through the network is told before any volume is")
    func windows() throws {
        func check(_ window: [Int]) throws {
            let card = try describing(nil, classes: 2, ["window": window])
            try Model(card: card, weights: card.network.initialWeights(.heNormal, seed: 1)).checkWindow()
        }
        try check([16, 8, 4])
        #expect(throws: InferenceError.windowSize(window: Extent3(15, 16, 16), multiple: Extent3(2, 2, 2))) {
            try check([16, 16, 15])
        }
    }

    @Test("images that do not fit are refused, naming image and remedy")
    func refusals() throws {
        let card = try card()
        let grid = isotropic()
        let mask = Mask(grid: grid, filledWith: 1)
        let good = images(grid)
        let input = try ModelInput(good, mask: mask, for: card)
        #expect(!input.wasResampled && input.grid == grid)
        #expect(throws: ModelCardError.channelCount(model: "nuclei", given: 1, expected: ["Chimap", "T1w"])) {
            try ModelInput([good[0]], mask: mask, for: card)
        }
        #expect(throws: ModelCardError.maskMissing(model: "nuclei", modality: "T1w")) {
            try ModelInput(good, for: card)
        }
        var broken = good
        broken[1].volume.values[7] = .nan
        #expect(throws: ModelCardError.notFinite(image: "t1.nii", voxels: 1)) {
            try ModelInput(broken, mask: mask, for: card)
        }
        let coarse = isotropic(9, 2)
        #expect {
            try ModelInput(images(coarse), mask: Mask(grid: coarse, filledWith: 1), for: card)
        } throws: {
            "\($0)"
                == "chi.nii has voxels of 2×2×2 mm and model nuclei was trained on 1×1×1 mm; resample the image, or choose "
                + "a model that allows it"
        }
        let turned = VoxelGrid(nx: 9, ny: 9, nz: 9, affine: .scaling(SIMD3(-1, 1, 1)))
        #expect(
            throws: ModelCardError.orientation(model: "nuclei", image: "chi.nii", found: "LAS", expected: "RAS")
        ) { try ModelInput(images(turned), mask: Mask(grid: turned, filledWith: 1), for: card) }
        #expect(throws: ModelCardError.self) {
            try ModelInput([good[0], ("other", Volume(grid: coarse))], mask: mask, for: card)
        }
    }

    @Test("a little off the spacing is taken as it is, more is resampled where the card says so")
    func resampling() throws {
        let card = try card(.resample)
        let near = isotropic(9, 1.04)
        #expect(try !ModelInput(images(near), mask: Mask(grid: near, filledWith: 1), for: card).wasResampled)
        // Smooth images in another orientation and spacing: the same place shows the same value.
        let grid = VoxelGrid(
            nx: 12, ny: 10, nz: 14, affine: Affine([0, 0, -2, 13], [-1.5, 0, 0, 9], [0, 2.5, 0, -11]))
        #expect("\(Orientation(grid))" == "PSL")
        func value(_ p: SIMD3<Double>) -> Float { Float(0.004 * p.x - 0.003 * p.y + 0.002 * p.z) }
        var smooth = Volume(grid: grid)
        for k in 0..<14 {
            for j in 0..<10 {
                for i in 0..<12 { smooth[i, j, k] = value(grid.affine(SIMD3(Double(i), Double(j), Double(k)))) }
            }
        }
        let input = try ModelInput(
            [("chi", smooth), ("t1", smooth)], mask: Mask(grid: grid, filledWith: 1), for: card)
        #expect(input.wasResampled)
        #expect("\(Orientation(input.grid))" == "RAS")
        #expect(input.grid.matches(input.grid.regridded(orientation: nil, spacingMillimetres: nil)))
        let spacing = input.grid.spacingMillimetres
        #expect(abs(spacing.x - 1) + abs(spacing.y - 1) + abs(spacing.z - 1) < 1e-12)
        #expect(input.size == Extent3(25, 18, 28))
        let p = input.grid.affine(SIMD3(10, 7, 12))
        #expect(abs(input.channels[0][input.grid.index(10, 7, 12)] - 4 * value(p)) < 1e-5)
        // And back.
        var labels = [UInt8](repeating: 0, count: input.grid.count)
        for k in 0..<25 {
            for j in 0..<18 { for i in 0..<28 { labels[input.grid.index(i, j, k)] = i < 14 ? 1 : 2 } }
        }
        let restored = try input.restored(labels)
        #expect(restored.grid == grid)
        let middle = input.grid.affine(SIMD3(13.5, 0, 0)).x
        for k in 0..<14 {
            let x = grid.affine(SIMD3(5, 5, Double(k))).x
            if abs(x - middle) > 1 { #expect(restored.values[grid.index(5, 5, k)] == (x < middle ? 1 : 2)) }
        }
    }

    @Test("orientations of every kind are told and turned exactly")
    func orientation() throws {
        for code in ["RAS", "LPI", "ASR", "SPL", "IRA"] {
            let wanted = try #require(Orientation(code))
            #expect("\(wanted)" == code)
            let grid = VoxelGrid(nx: 3, ny: 4, nz: 5, affine: .translation(SIMD3(7, -3, 2)) * .scaling(SIMD3(1, 2, 3)))
            let turned = grid.regridded(orientation: wanted, spacingMillimetres: nil)
            #expect("\(Orientation(turned))" == code)
            let distance = turned.centre - grid.centre
            #expect((distance * distance).sum() < 1e-20)
            #expect(turned.count == grid.count)
            let back = turned.regridded(orientation: Orientation(grid), spacingMillimetres: nil)
            #expect(back.matches(grid, toleranceMillimetres: 1e-9))
            // Where voxels do not fill the grid exactly, they reach over it on both sides alike.
            let coarse = grid.regridded(orientation: wanted, spacingMillimetres: SIMD3(2, 2.5, 4))
            let moved = coarse.centre - grid.centre
            #expect((moved * moved).sum() < 1e-20)
            for axis in 0..<3 {
                let (old, new) = (
                    turned.spacingMillimetres[axis] * Double([turned.nx, turned.ny, turned.nz][axis]),
                    coarse.spacingMillimetres[axis] * Double([coarse.nx, coarse.ny, coarse.nz][axis])
                )
                #expect(new >= old - 1e-9 && new < old + coarse.spacingMillimetres[axis])
            }
        }
        #expect(Orientation("RA") == nil && Orientation("RRS") == nil && Orientation("ras") == nil)
    }

    @Test("a model segments a volume from its windows as from the whole, on any number of threads")
    func segmentation() throws {
        let card = try card()
        let model = try Model(card: card, weights: card.network.initialWeights(.heNormal, seed: 5))
        let grid = isotropic(13)
        let input = try ModelInput(images(grid), mask: Mask(grid: grid, filledWith: 1), for: card)
        let member = try model.segmentationNetwork()
        #expect(member.classes == 3 && member.inputChannels == 2 && member.sizeMultiple == Extent3(2, 2, 2))
        func run(_ options: SlidingWindowOptions, threads: Int) throws -> VolumeSegmentation {
            try VolumeSegmentation(
                volume: input.size, channels: input.channels, background: input.background, members: [member],
                options: options, keeping: [0, 1, 2], threads: threads)
        }
        var options = SlidingWindowOptions(window: Extent3(14, 14, 14))
        let whole = try run(options, threads: 1)
        for voxel in 0..<grid.count {
            let sum = (0..<3).reduce(Float(0)) { $0 + whole.probabilities[$1]![voxel] }
            #expect(abs(sum - 1) < 1e-5)
        }
        // Where a window reaches further than the network sees, its middle is what the whole volume gives.
        let shape = FeatureShape(batch: 1, channels: 2, size: Extent3(14, 14, 14))
        let plan = try InferencePlan(card.network, weights: model.weights, inputs: [shape], threads: 1)
        var padded = [Float](repeating: 0, count: 2 * 14 * 14 * 14)
        for c in 0..<2 {
            for k in 0..<13 {
                for j in 0..<13 {
                    for i in 0..<13 {
                        padded[((c * 14 + k) * 14 + j) * 14 + i] = input.channels[c][grid.index(i, j, k)]
                    }
                }
            }
        }
        let logits = try plan.run([Tensor(shape: [1, 2, 14, 14, 14], values: padded)])[0].values
        let at = (6 * 14 + 5) * 14 + 7
        let exponentials = (0..<3).map { exp(logits[$0 * 2744 + at]) }
        let share = exponentials[1] / exponentials.reduce(0, +)
        #expect(abs(share - whole.probabilities[1]![grid.index(7, 5, 6)]) < 1e-5)

        options = SlidingWindowOptions(window: Extent3(8, 8, 8), flips: .all, batch: 3)
        let (one, three) = (try run(options, threads: 1), try run(options, threads: 3))
        #expect(one.probabilities == three.probabilities)
        #expect(one.labels == three.labels)
        #expect(one.memory.network > 0)
        #expect(throws: InferenceError.windowSize(window: Extent3(7, 8, 8), multiple: Extent3(2, 2, 2))) {
            try run(SlidingWindowOptions(window: Extent3(7, 8, 8)), threads: 1)
        }
    }
}
