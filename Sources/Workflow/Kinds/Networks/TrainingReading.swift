import BIDS

/// What the parameters of `network.train` say, where it takes more than a look: read here alone, by the rules of the kind
/// and by the task.
extension StepSettings {
    /// 2 for slices, 3 for volumes.
    package func trainingRank() throws(StepFinding) -> Int {
        let network = NetworkChoice(self)
        guard let fixed = network.fixedRank else { return integer("rank") }
        guard fixed == 2 || integer("rank") == fixed else {
            throw StepFinding("rank", "network \(network.rawValue) takes volumes; leave rank out")
        }
        return fixed
    }

    /// Voxels along left–right, back–front and down–up.
    package func trainingPatch() throws(StepFinding) -> [Int] {
        let given = list("patch")
        let sizes = given.compactMap { $0.integerValue.map(Int.init) }
        guard given.count == 3, sizes.count == 3, sizes.allSatisfy({ $0 > 0 && $0 <= 1 << 16 }) else {
            throw StepFinding(
                "patch",
                "patch is three whole numbers, voxels along left–right, back–front and down–up such as [64, 64, 64], not "
                    + value("patch").canonicalString)
        }
        return sizes
    }

    /// Channels per level; nil where the step states none.
    package func trainingWidths() throws(StepFinding) -> [Int]? {
        let widths = try numbers("widths", "whole numbers from 1 to 4096") {
            (1...4096).contains($0) && $0 == $0.rounded()
        }
        guard widths.count <= 12 else {
            throw StepFinding("widths", "\(widths.count) levels are more than the 12 there may be")
        }
        return widths.isEmpty ? nil : widths.map { Int($0) }
    }

    /// Probability of dropping a value per level; empty: none is.
    package func trainingDropout(levels: Int) throws(StepFinding) -> [Double] {
        let apart = try numbers("level_dropout", "probabilities from 0 to 0.9") { (0...0.9).contains($0) }
        guard apart.isEmpty || apart.count == levels else {
            throw StepFinding("level_dropout", "level_dropout has \(apart.count) probabilities for \(levels) levels")
        }
        let same = number("dropout")
        return !apart.isEmpty ? apart : same > 0 ? [Double](repeating: same, count: levels) : []
    }

    /// Voxel size along left–right, back–front and down–up, mm; nil: that of the first image.
    package func trainingSpacingMillimetres() throws(StepFinding) -> SIMD3<Double>? {
        let what = "three positive numbers: left–right, back–front and down–up"
        let spacing = try numbers("spacing_mm", what) { $0 > 0 }
        guard spacing.isEmpty || spacing.count == 3 else { throw StepFinding("spacing_mm", "spacing_mm is \(what)") }
        return spacing.isEmpty ? nil : SIMD3(spacing[0], spacing[1], spacing[2])
    }

    /// Whether a segmentation is trained on whole slices.
    package func samplesSlices() throws(StepFinding) -> Bool {
        switch text("sampling") {
        case "patches": return false
        case "slices":
            guard try trainingRank() == 2 else { throw StepFinding("sampling", "sampling slices is for rank 2") }
            return true
        default: return NetworkChoice(self) == .deepmir
        }
    }

    // MARK: Loss

    /// The losses named; empty: those that suit the network.
    package func trainingLosses() throws(StepFinding) -> [String] {
        let network = NetworkChoice(self)
        let known = ["dice", "cross_entropy", "focal", "bce"]
        var names: [String] = []
        for value in list("loss") {
            guard let name = value.stringValue, known.contains(name) else {
                let text = value.stringValue ?? value.canonicalString
                throw StepFinding("loss", "there is no loss “\(text)”; there are \(known.joined(separator: ", "))")
            }
            guard network.losses.contains(name) else {
                throw StepFinding(
                    "loss",
                    "network \(network.rawValue) is not trained with the loss \(name); there are "
                        + network.losses.joined(separator: ", "))
            }
            names.append(name)
        }
        let lone = ["cross_entropy", "focal"].first(where: names.contains)
        if names.contains("bce"), let lone {
            throw StepFinding("loss", "the loss bce is of one value per voxel and \(lone) of one per class; keep one")
        }
        return names
    }

    /// Binary cross-entropy trains one logit per voxel in place of one per class.
    package func segmentationHasOneLogit() throws(StepFinding) -> Bool {
        guard NetworkChoice(self).segments, try trainingLosses().contains("bce") else { return false }
        let classes = try TrainingClass.all(self).count
        guard classes <= 1 else {
            throw StepFinding("loss", "the loss bce is for one class, and \(classes) are named; take cross_entropy")
        }
        return true
    }

    /// - Parameter names: of all classes; nil where the data alone tell them.
    /// - Returns: in the order of the names; nil: all are 1.
    package func trainingClassWeights(_ names: [String]?) throws(StepFinding) -> [Double]? {
        guard let weights = try weights("class_weights", of: names) else { return nil }
        let losses = try trainingLosses()
        let isBinary = NetworkChoice(self).hasOneLogit || losses.contains("bce")
        guard !isBinary || (weights.first ?? 1) > 0 else {
            throw StepFinding(
                "class_weights", "class_weights of the loss bce are relative to the first class; give it more than 0")
        }
        return weights
    }

    /// The metric named; nil: the one that suits the network.
    package func trainingMetric() throws(StepFinding) -> String? {
        let name = text("metric")
        guard NetworkChoice(self).segments || !["dice", "iou"].contains(name) else {
            throw StepFinding("metric", "the metric \(name) is of networks that segment; take balanced_accuracy")
        }
        return name == "default" ? nil : name
    }

    // MARK: Augmentation

    /// Pairs of classes that swap when an image is mirrored, by their numbers in label maps of the model.
    package func lateralPairs() throws(StepFinding) -> [(first: Int, second: Int)] {
        let names = NetworkChoice(self).segments ? try TrainingClass.all(self).map(\.name) : []
        var pairs: [(first: Int, second: Int)] = []
        for value in list("lateral_pairs") {
            guard let pair = value.arrayValue, pair.count == 2, let one = pair[0].stringValue,
                let other = pair[1].stringValue, one != other
            else {
                throw StepFinding(
                    "lateral_pairs",
                    "lateral_pairs are pairs of names of classes, [[left, right]], not \(value.canonicalString)")
            }
            func number(_ name: String) throws(StepFinding) -> Int {
                if let place = names.firstIndex(of: name) { return place + 1 }
                throw StepFinding(
                    "lateral_pairs",
                    "lateral_pairs speaks of “\(name)”, which is no class"
                        + Suggestion.clause(for: name, among: names))
            }
            pairs.append((try number(one), try number(other)))
        }
        return pairs
    }

    /// Largest turns about the left–right, back–front and down–up axes; nil: the usual ones.
    package func rotationDegrees() throws(StepFinding) -> SIMD3<Double>? {
        let degrees = try numbers("rotation_degrees", "three angles from 0 to 180") { (0...180).contains($0) }
        guard degrees.isEmpty || degrees.count == 3 else {
            throw StepFinding(
                "rotation_degrees",
                "rotation_degrees is three angles: about the left–right, back–front and down–up axes"
            )
        }
        return degrees.isEmpty ? nil : SIMD3(degrees[0], degrees[1], degrees[2])
    }

    package func scalingFactors() throws(StepFinding) -> ClosedRange<Double> {
        let factors = try numbers("scaling", "the smallest and the largest factor") { $0 > 0 && $0 < 10 }
        guard factors.count == 2, factors[0] <= factors[1] else {
            throw StepFinding("scaling", "scaling is the smallest and the largest factor of sizes: [0.7, 1.4]")
        }
        return factors[0]...factors[1]
    }
}
