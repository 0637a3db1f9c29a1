import Kernels

/// What training makes small: a weighted sum of losses on the outputs of a network, as a value for the model card.
package struct Loss: Hashable, Sendable, Codable {
    package enum Kind: Hashable, Sendable, Codable {
        /// Targets are classes.
        case crossEntropy(settings: CrossEntropy)
        case focal(settings: FocalLoss)
        /// Targets are classes, or values in the shape of the output.
        case dice(settings: SoftDice)
        /// Targets are values in the shape of the output.
        case binaryCrossEntropy(settings: BinaryCrossEntropy)
        case meanSquaredError
    }

    package struct Term: Hashable, Sendable, Codable {
        package var kind: Kind
        package var weight: Double
        /// Which output of the network.
        package var output: Int

        package init(_ kind: Kind, weight: Double = 1, output: Int = 0) {
            (self.kind, self.weight, self.output) = (kind, weight, output)
        }
    }

    package var terms: [Term]

    package init(_ terms: [Term]) { self.terms = terms }

    package static func crossEntropy(classWeights: [Float]? = nil, ignoredClass: UInt8? = nil) -> Loss {
        Loss([
            Term(.crossEntropy(settings: CrossEntropy(classWeights: classWeights, ignoredClass: ignoredClass)))
        ])
    }

    package static func binaryCrossEntropy(positiveWeights: [Float]? = nil) -> Loss {
        Loss([Term(.binaryCrossEntropy(settings: BinaryCrossEntropy(positiveWeights: positiveWeights)))])
    }

    package static func dice(includesBackground: Bool = true) -> Loss {
        Loss([Term(.dice(settings: SoftDice(.softmax, includesBackground: includesBackground)))])
    }

    package static func focal(gamma: Float = 2, classWeights: [Float]? = nil) -> Loss {
        Loss([Term(.focal(settings: FocalLoss(gamma: gamma, classWeights: classWeights)))])
    }

    package static var meanSquaredError: Loss { Loss([Term(.meanSquaredError)]) }

    package static func + (a: Loss, b: Loss) -> Loss { Loss(a.terms + b.terms) }

    package static func * (factor: Double, loss: Loss) -> Loss {
        Loss(loss.terms.map { Term($0.kind, weight: factor * $0.weight, output: $0.output) })
    }

    /// The same loss on another output of the network.
    package func on(output: Int) -> Loss { Loss(terms.map { Term($0.kind, weight: $0.weight, output: output) }) }
}

/// What a network should have answered, for one of its outputs.
package enum Target: Sendable, Equatable {
    /// The class of every position, [batch][depth][height][width].
    case classes([UInt8])
    /// Values in the shape of the output.
    case values(Tensor)
}

/// What a batch cost.
package struct LossValue: Sendable, Equatable {
    /// The weighted sum.
    package var total: Double
    /// Every term, not weighted.
    package var terms: [Double]
}

extension Loss.Kind {
    /// - Parameters:
    ///   - gradient: of the logits; `weight` times the gradient of this term is written, or added.
    ///   - values: the target as a map, where it is one.
    func evaluate(
        _ logits: FeatureMap, _ target: Target, values: FeatureMap?, gradient: FeatureMap?, weight: Double,
        adding: Bool,
        threads: Int
    ) -> Double {
        switch (self, target) {
        case (.crossEntropy(let settings), .classes(let classes)):
            settings.evaluate(
                logits, targets: classes, gradient: gradient, weight: weight, adding: adding, threads: threads)
        case (.focal(let settings), .classes(let classes)):
            settings.evaluate(
                logits, targets: classes, gradient: gradient, weight: weight, adding: adding, threads: threads)
        case (.dice(let settings), .classes(let classes)):
            classes.withUnsafeBufferPointer { classes in
                settings.evaluate(
                    logits, targets: .classes(classes.baseAddress!), gradient: gradient, weight: weight,
                    adding: adding, threads: threads)
            }
        case (.dice(let settings), .values):
            settings.evaluate(
                logits, targets: .map(values!), gradient: gradient, weight: weight, adding: adding, threads: threads)
        case (.binaryCrossEntropy(let settings), .values):
            settings.evaluate(
                logits, targets: values!, gradient: gradient, weight: weight, adding: adding, threads: threads)
        case (.meanSquaredError, .values):
            MeanSquaredError().evaluate(
                logits, targets: values!, gradient: gradient, weight: weight, adding: adding, threads: threads)
        default: preconditionFailure("the target does not suit the loss, which `check` refuses")
        }
    }

    /// - Parameter shape: of the output.
    /// - Throws: `NetworkError.input` saying what the loss expects.
    func check(_ target: Target, _ shape: FeatureShape) throws {
        switch (self, target) {
        case (.crossEntropy(let settings), .classes(let classes)):
            try Self.checkSoftmax(shape)
            try Self.check(classes, shape, settings.classWeights, ignoring: settings.ignoredClass)
        case (.focal(let settings), .classes(let classes)):
            try Self.checkSoftmax(shape)
            try Self.check(classes, shape, settings.classWeights, ignoring: settings.ignoredClass)
        case (.dice(let settings), .classes(let classes)):
            try Self.check(classes, shape, settings.classWeights, ignoring: settings.ignoredClass)
        case (.dice(let settings), .values(let values)):
            try Self.check(values, shape)
            try Self.check(settings.classWeights, "class", shape)
            try Self.checkShares(values)
        case (.binaryCrossEntropy(let settings), .values(let values)):
            try Self.check(values, shape)
            try Self.check(settings.positiveWeights, "positive", shape)
            try Self.checkShares(values)
        case (.meanSquaredError, .values(let values)):
            try Self.check(values, shape)
            if let wrong = values.values.first(where: { !$0.isFinite }) {
                throw NetworkError.input("a target is \(wrong), which is no finite number")
            }
        case (.crossEntropy, .values), (.focal, .values):
            throw NetworkError.input("the loss compares classes and is given values as targets")
        case (.binaryCrossEntropy, .classes), (.meanSquaredError, .classes):
            throw NetworkError.input("the loss compares values and is given classes as targets")
        }
    }

    private static func check(_ values: Tensor, _ shape: FeatureShape) throws {
        let axes = [shape.batch, shape.channels, shape.size.depth, shape.size.height, shape.size.width]
        guard values.shape.filter({ $0 != 1 }) == axes.filter({ $0 != 1 }) else {
            throw NetworkError.input("the output is \(axes) and its targets are \(values.shape)")
        }
    }

    /// Targets that are probabilities.
    private static func checkShares(_ values: Tensor) throws {
        if let wrong = values.values.first(where: { !($0 >= 0 && $0 <= 1) }) {
            throw NetworkError.input("a target is \(wrong); the loss compares values from 0 to 1")
        }
    }

    private static func check(_ weights: [Float]?, _ what: String, _ shape: FeatureShape) throws {
        guard let weights else { return }
        guard weights.count == shape.channels else {
            throw NetworkError.input("\(weights.count) \(what) weights for \(shape.channels) channels")
        }
        guard weights.allSatisfy({ $0 >= 0 && $0.isFinite }) else {
            throw NetworkError.input("a \(what) weight is no number of 0 or more: \(weights)")
        }
    }

    /// One channel alone is certain of itself: its softmax is 1 whatever it says.
    private static func checkSoftmax(_ shape: FeatureShape) throws {
        guard shape.channels > 1 else {
            throw NetworkError.input(
                "the loss takes a softmax over channels, and the output has one; give it a channel for each class, "
                    + "background among them, or use binary cross-entropy")
        }
    }

    private static func check(
        _ classes: [UInt8], _ shape: FeatureShape, _ weights: [Float]?, ignoring ignored: UInt8?
    ) throws {
        guard classes.count == shape.batch * shape.positions else {
            throw NetworkError.input(
                "the output has \(shape.batch * shape.positions) positions and the targets \(classes.count)")
        }
        try check(weights, "class", shape)
        let highest = max(2, shape.channels)
        if let wrong = classes.first(where: { Int($0) >= highest && $0 != ignored }) {
            throw NetworkError.input("the targets have the class \(wrong), the network knows \(highest)")
        }
    }
}
