import Kernels

/// Many trees, each grown on cases drawn with replacement and on few features per question, whose shares are averaged.
///
/// Everything random is a function of the seed, the tree and the place in it, so that a forest does not depend on threads.
/// - Source: Breiman, Machine Learning 45 (2001) 5–32.
package struct RandomForest: Sendable, Equatable, Codable {
    package struct Options: Sendable, Equatable {
        package var trees = 500
        /// Features looked at per question; nil: the square root of their number, rounded down.
        package var featuresPerSplit: Int?
        /// Cases of a leaf, at least.
        package var smallestLeaf = 1
        /// Questions from the root to a leaf, at most; nil: any number.
        package var depth: Int?
        package var weights = ClassWeights.equal
        package var seed: UInt64 = 1

        package init() {}
    }

    /// What a forest says of itself.
    package struct Assessment: Sendable, Equatable {
        /// By case, shares of the classes over the trees that did not see it; empty where every tree did.
        package let outOfBag: [[Double]]
        /// By feature: its part in all that splits lowered the Gini impurity by; they add up to 1.
        package let impurityImportance: [Double]
        /// By feature: how much its permutation lowers the accuracy on cases that a tree did not see, mean over trees; nil
        /// unless asked for.
        package let permutationImportance: [Double]?
    }

    package let featureNames: [String]
    package let classes: Int
    package let trees: [DecisionTree]

    /// - Parameters:
    ///   - classes: index of the class of each case, 0 ..< `number`.
    ///   - groups: of each case whom it belongs to; people are then drawn and left out as a whole. nil: cases are.
    ///   - permutes: whether to measure importance by permutation too.
    ///   - threads: the result does not depend on it.
    /// - Throws: `StatisticsError` where lists do not pair up, or one class alone has cases.
    package static func fit(
        _ features: FeatureMatrix, classes: [Int], of number: Int, groups: [Int]? = nil, options: Options = Options(),
        permutes: Bool = false, threads: Int = 1
    ) throws(StatisticsError) -> (forest: RandomForest, assessment: Assessment) {
        let cases = try ClassifiedCases(features, classes: classes, of: number)
        if let groups, groups.count != classes.count {
            throw .pairing("groups", groups.count, "classes", classes.count)
        }
        let classWeights = options.weights.values(counts: cases.counts)
        guard classWeights.count == number, classWeights.allSatisfy({ $0.isFinite && $0 >= 0 }) else {
            throw .notFinite("a class weight")
        }
        let ranked = RankedFeatures(features)
        let bag = Bag(groups ?? Array(classes.indices))
        let random = Philox(seed: options.seed)
        let growth = TreeGrowth.Options(
            featuresPerSplit: max(1, options.featuresPerSplit ?? Int(Double(features.columns.count).squareRoot())),
            smallestLeaf: max(1, options.smallestLeaf), depth: options.depth)
        let grown = Parallel.map(options.trees, threads: threads) { tree -> GrownTree in
            var draws = random.stream(UInt32(tree), 0x424F_4F54)
            let times = bag.draw(&draws)
            let weights = times.indices.map { Double(times[$0]) * classWeights[classes[$0]] }
            let (own, gains) = TreeGrowth.grow(
                ranked, classes: classes, of: number, weights: weights, options: growth,
                random: random.stream(UInt32(tree), 0x5350_4C54))
            let unseen = times.indices.filter { times[$0] == 0 }
            let losses =
                permutes
                ? Permutation.losses(
                    own, features, classes, of: number, unseen: unseen, random.stream(UInt32(tree), 0x5045_524D)) : [:]
            return GrownTree(tree: own, gains: gains, unseen: unseen, losses: losses)
        }
        let forest = RandomForest(featureNames: features.names, classes: number, trees: grown.map(\.tree))
        return (forest, forest.assessment(grown, features, permutes: permutes))
    }

    /// Shares of the classes for one case, mean over the trees.
    package func probabilities(_ row: [Double]) -> [Double] {
        precondition(row.count == featureNames.count, "\(row.count) features, the forest has \(featureNames.count)")
        var sums = [Double](repeating: 0, count: classes)
        for tree in trees {
            let first = tree.leaf { row[$0] } * classes
            for index in 0..<classes { sums[index] += tree.shares[first + index] }
        }
        return sums.map { $0 / Double(trees.count) }
    }

    // MARK: Assessment

    private struct GrownTree: Sendable {
        let tree: DecisionTree
        let gains: [Double]
        /// Cases that were not drawn.
        let unseen: [Int]
        let losses: [Int: Double]
    }

    private func assessment(_ grown: [GrownTree], _ features: FeatureMatrix, permutes: Bool) -> Assessment {
        var sums = [[Double]](repeating: [], count: features.rows)
        var counts = [Double](repeating: 0, count: features.rows)
        var importance = [Double](repeating: 0, count: featureNames.count)
        var losses = [Double](repeating: 0, count: featureNames.count)
        for tree in grown {
            for row in tree.unseen {
                let first = tree.tree.leaf { features.columns[$0][row] } * classes
                if sums[row].isEmpty { sums[row] = [Double](repeating: 0, count: classes) }
                for index in 0..<classes { sums[row][index] += tree.tree.shares[first + index] }
                counts[row] += 1
            }
            // Every tree counts alike, whatever its cases weigh.
            let total = tree.gains.reduce(0, +)
            if total > 0 { for (n, gain) in tree.gains.enumerated() { importance[n] += gain / total } }
            for (feature, loss) in tree.losses.sorted(by: { $0.key < $1.key }) {
                losses[feature] += loss / Double(grown.count)
            }
        }
        let whole = importance.reduce(0, +)
        return Assessment(
            outOfBag: sums.indices.map { row in sums[row].map { $0 / counts[row] } },
            impurityImportance: importance.map { whole > 0 ? $0 / whole : 0 },
            permutationImportance: permutes ? losses : nil)
    }

    /// Draws groups of cases with replacement.
    private struct Bag: Sendable {
        private let group: [Int]
        private let number: Int

        init(_ groups: [Int]) {
            var places: [Int: Int] = [:]
            group = groups.map { name in
                if let known = places[name] { return known }
                places[name] = places.count
                return places.count - 1
            }
            number = places.count
        }

        /// How often each case is drawn.
        func draw(_ random: inout Philox.Stream) -> [Int] {
            var times = [Int](repeating: 0, count: number)
            for _ in 0..<number { times[random.index(below: number)] += 1 }
            return group.map { times[$0] }
        }
    }

    private enum Permutation {
        /// By feature of a tree: how much accuracy on unseen cases falls when the feature is permuted among them.
        static func losses(
            _ tree: DecisionTree, _ features: FeatureMatrix, _ classes: [Int], of number: Int, unseen: [Int],
            _ stream: Philox.Stream
        ) -> [Int: Double] {
            guard unseen.count > 1 else { return [:] }
            var random = stream
            func correct(_ value: (Int, Int) -> Double) -> Double {
                var count = 0
                for place in unseen.indices {
                    let first = tree.leaf { value(place, $0) } * number
                    let shares = tree.shares[first..<first + number]
                    if shares.firstIndex(of: shares.max()!)! - first == classes[unseen[place]] { count += 1 }
                }
                return Double(count)
            }
            let own = correct { features.columns[$1][unseen[$0]] }
            var losses: [Int: Double] = [:]
            for feature in Set(tree.features.map(Int.init)).subtracting([-1]).sorted() {
                let column = features.columns[feature]
                let order = random.permutation(unseen.count)
                let permuted = correct { place, asked in
                    asked == feature ? column[unseen[order[place]]] : features.columns[asked][unseen[place]]
                }
                losses[feature] = (own - permuted) / Double(unseen.count)
            }
            return losses
        }
    }
}
