import Foundation
import Kernels
import Statistics
import TestSupport
import Testing

@testable import Statistics

@Suite struct ForestTests {
    /// Cases of two or three classes: the first two features tell them apart, the others are noise.
    static func cases(
        _ count: Int, features: Int = 6, classes: Int = 2, shift: Double = 1.5, seed: UInt64
    ) throws -> (FeatureMatrix, [Int]) {
        var random = SeededGenerator(seed: seed)
        var columns = [[Double]](repeating: [], count: features)
        var targets: [Int] = []
        for n in 0..<count {
            targets.append(n % classes)
            for f in 0..<features {
                let own = f < 2 ? shift * Double(n % classes) * (f == 0 ? 1 : -0.7) : 0
                columns[f].append(random.gaussian() + own)
            }
        }
        return (try FeatureMatrix(names: (0..<features).map { "f\($0)" }, columns: columns), targets)
    }

    // MARK: One tree

    /// Holds a tree against the book: at every node all features and all thresholds between neighbours, impurity from
    /// scratch. The split must be as good as the best of those (several may be), a leaf must have none.
    private struct Book {
        let columns: [[Double]]
        let classes: [Int]
        let number: Int
        let weights: [Double]
        let smallest: Int

        func sums(_ members: [Int]) -> [Double] {
            var sums = [Double](repeating: 0, count: number)
            for m in members { sums[classes[m]] += weights[m] }
            return sums
        }

        func impurity(_ members: [Int]) -> Double {
            let sums = sums(members)
            let total = sums.reduce(0, +)
            return total * (1 - sums.reduce(0) { $0 + ($1 / total) * ($1 / total) })
        }

        func parts(_ members: [Int], _ feature: Int, _ threshold: Double) -> (left: [Int], right: [Int]) {
            (
                members.filter { columns[feature][$0] <= threshold },
                members.filter { columns[feature][$0] > threshold }
            )
        }

        func gain(_ members: [Int], _ feature: Int, _ threshold: Double) -> Double? {
            let (left, right) = parts(members, feature, threshold)
            guard left.count >= smallest, right.count >= smallest else { return nil }
            return impurity(members) - impurity(left) - impurity(right)
        }

        func thresholds(_ members: [Int], _ feature: Int) -> [Double] {
            let values = Set(members.map { columns[feature][$0] }).sorted()
            return zip(values, values.dropFirst()).map { ($0 + $1) / 2 }
        }

        /// Nodes that agree; nil where one does not.
        func check(_ tree: DecisionTree, node: Int = 0, _ members: [Int]) -> Int? {
            let gains = columns.indices.flatMap { feature in
                thresholds(members, feature).compactMap { gain(members, feature, $0) }
            }
            let best = gains.max() ?? 0
            guard tree.children[node] >= 0 else {
                let sums = sums(members)
                let first = Int(tree.leaves[node]) * number
                let total = sums.reduce(0, +)
                let isRight = (0..<number).allSatisfy { abs(tree.shares[first + $0] - sums[$0] / total) < 1e-12 }
                return isRight && best < 1e-9 ? 1 : nil
            }
            let (feature, threshold) = (Int(tree.features[node]), tree.thresholds[node])
            guard let own = gain(members, feature, threshold), abs(own - best) < 1e-9,
                thresholds(members, feature).contains(where: { abs($0 - threshold) < 1e-12 })
            else { return nil }
            let (left, right) = parts(members, feature, threshold)
            let child = Int(tree.children[node])
            guard let a = check(tree, node: child, left), let b = check(tree, node: child + 1, right) else {
                return nil
            }
            return a + b + 1
        }
    }

    @Test(arguments: [(1, 2, 60), (2, 3, 90), (3, 2, 150), (4, 2, 41)], [1, 4])
    func aTreeIsTheOneByTheBook(_ setup: (seed: Int, classes: Int, count: Int), smallest: Int) throws {
        let (features, classes) = try Self.cases(
            setup.count, features: 5, classes: setup.classes, shift: 0.8, seed: UInt64(setup.seed))
        var stream = Philox(seed: 7).stream(1)
        // As a bootstrap draws them, with classes that weigh differently.
        let weights = classes.map { Double(stream.index(below: 3)) * (1 + 0.5 * Double($0)) }
        let (tree, gains) = TreeGrowth.grow(
            RankedFeatures(features), classes: classes, of: setup.classes, weights: weights,
            options: .init(featuresPerSplit: 5, smallestLeaf: smallest, depth: nil), random: stream)
        let book = Book(
            columns: features.columns, classes: classes, number: setup.classes, weights: weights, smallest: smallest)
        #expect(book.check(tree, weights.indices.filter { weights[$0] > 0 }) == tree.features.count)
        #expect(tree.features.count > 3 && gains.contains { $0 > 0 })
        // Without a limit every drawn case finds its own class.
        if smallest == 1 {
            for n in classes.indices where weights[n] > 0 {
                #expect(tree.probabilities(features.row(n))[classes[n]] == 1)
            }
        }
    }

    @Test func equalValuesAreNeverParted() throws {
        // Few distinct values, many cases of each, more than are sorted by insertion.
        let columns: [[Double]] = [(0..<200).map { n in Double(n * 7 % 5) }, (0..<200).map { n in Double(n / 100) }]
        let features = try FeatureMatrix(names: ["a", "b"], columns: columns)
        let classes: [Int] = (0..<200).map { n in n * 7 % 5 >= 3 ? 1 : 0 }
        let (tree, _) = TreeGrowth.grow(
            RankedFeatures(features), classes: classes, of: 2, weights: classes.map { _ in 1 },
            options: .init(featuresPerSplit: 2, smallestLeaf: 1, depth: nil),
            random: Philox(seed: 1).stream(1))
        #expect(tree.features == [0, -1, -1] && tree.thresholds[0] == 2.5)
        let shallow = TreeGrowth.grow(
            RankedFeatures(features), classes: classes, of: 2, weights: classes.map { _ in 1 },
            options: .init(featuresPerSplit: 2, smallestLeaf: 1, depth: 0), random: Philox(seed: 1).stream(1)
        ).tree
        #expect(shallow.features == [-1] && shallow.shares == [0.6, 0.4])
    }

    // MARK: Forests

    @Test func forestsAreTheSameForAnyThreads() throws {
        let (features, classes) = try Self.cases(120, seed: 3)
        var options = RandomForest.Options()
        options.trees = 40
        let one = try RandomForest.fit(features, classes: classes, of: 2, options: options, permutes: true)
        let four = try RandomForest.fit(
            features, classes: classes, of: 2, options: options, permutes: true, threads: 4)
        #expect(one.forest == four.forest && one.assessment == four.assessment)
        options.seed = 2
        #expect(try RandomForest.fit(features, classes: classes, of: 2, options: options).forest != one.forest)
        // What is written reads back as the same, bit for bit.
        let data = try JSONEncoder().encode(one.forest)
        #expect(try JSONDecoder().decode(RandomForest.self, from: data) == one.forest)
    }

    @Test func outOfBagIsWhatNewCasesGet() throws {
        let (features, classes) = try Self.cases(400, seed: 5)
        let (others, truth) = try Self.cases(4000, seed: 6)
        var options = RandomForest.Options()
        options.trees = 200
        let (forest, assessment) = try RandomForest.fit(
            features, classes: classes, of: 2, options: options, permutes: true, threads: 2)
        func accuracy(_ probabilities: [[Double]], _ truth: [Int]) -> Double {
            let right = zip(probabilities, truth).count { ($0[1] > 0.5) == ($1 == 1) }
            return Double(right) / Double(truth.count)
        }
        #expect(assessment.outOfBag.allSatisfy { $0.count == 2 && abs($0[0] + $0[1] - 1) < 1e-9 })
        let own = accuracy(assessment.outOfBag, classes)
        let new = accuracy(truth.indices.map { forest.probabilities(others.row($0)) }, truth)
        // Bayes: Φ(1.5·√1.49/2) = 0.82. Standard errors 0.019 and 0.006.
        #expect(abs(own - new) < 0.06 && new > 0.77 && new < 0.84, "\(own) \(new)")
        // Their own classes are known to the trees that saw them: that is no measure.
        #expect(accuracy(classes.indices.map { forest.probabilities(features.row($0)) }, classes) > 0.99)
        // The two features that matter, in their order, by both measures.
        for importance in [assessment.impurityImportance, try #require(assessment.permutationImportance)] {
            #expect(importance[0] > importance[1] && importance[1] > 2 * importance[2...].max()!, "\(importance)")
        }
        #expect(abs(assessment.impurityImportance.reduce(0, +) - 1) < 1e-9)
    }

    @Test func peopleAreLeftOutAsAWhole() throws {
        // Every person has ten cases with one value, and a class at random: nothing is to be learned about others.
        var random = SeededGenerator(seed: 8)
        var (column, classes, people): ([Double], [Int], [Int]) = ([], [], [])
        for person in 0..<60 {
            let (value, own) = (random.uniform(), random.uniform() < 0.5 ? 0 : 1)
            for _ in 0..<10 {
                column.append(value + 1e-6 * random.uniform())
                classes.append(own)
                people.append(person + 100)
            }
        }
        let features = try FeatureMatrix(names: ["a"], columns: [column])
        var options = RandomForest.Options()
        options.trees = 100
        func accuracy(_ groups: [Int]?) throws -> Double {
            let outOfBag = try RandomForest.fit(
                features, classes: classes, of: 2, groups: groups, options: options
            ).assessment.outOfBag
            return Double(zip(outOfBag, classes).count { ($0[1] > 0.5) == ($1 == 1) }) / 600
        }
        #expect(try accuracy(nil) > 0.95)
        #expect(try accuracy(people) < 0.7)
    }

    @Test func weightsMakeTheRareClassCount() throws {
        var (features, classes) = try Self.cases(600, shift: 1, seed: 10)
        // One positive in twenty.
        let kept = classes.indices.filter { classes[$0] == 0 || $0 % 20 == 1 }
        features = features.selecting(kept)
        classes = kept.map { classes[$0] }
        func recall(_ weights: ClassWeights) throws -> Double {
            var options = RandomForest.Options()
            (options.trees, options.weights, options.smallestLeaf) = (150, weights, 10)
            let outOfBag = try RandomForest.fit(features, classes: classes, of: 2, options: options).assessment.outOfBag
            let positives = classes.indices.filter { classes[$0] == 1 }
            return Double(positives.count { outOfBag[$0][1] > 0.5 }) / Double(positives.count)
        }
        #expect(try recall(.balanced) > recall(.equal) + 0.2)
    }

    @Test func badInputIsRefused() throws {
        #expect(throws: StatisticsError.notFinite("feature 'a' of case 2")) {
            try FeatureMatrix(names: ["a"], columns: [[1, .nan]])
        }
        #expect(throws: StatisticsError.rowCount(covariate: "b", rows: 1, expected: 2)) {
            try FeatureMatrix(names: ["a", "b"], columns: [[1, 2], [1]])
        }
        let features = try FeatureMatrix(names: ["a"], columns: [[1, 2, 3]])
        #expect(throws: StatisticsError.oneClass("a classifier", positives: 3, negatives: 0)) {
            try RandomForest.fit(features, classes: [1, 1, 1], of: 2)
        }
        #expect(throws: StatisticsError.self) { try RandomForest.fit(features, classes: [1, 0], of: 2) }
    }
}
