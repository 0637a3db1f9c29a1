import Kernels

/// A classification tree: questions whether a feature is at most a threshold, and shares of the classes at its leaves.
///
/// - Source: Breiman, Friedman, Olshen and Stone, Classification and Regression Trees, 1984.
package struct DecisionTree: Sendable, Equatable, Codable {
    /// Of each node the feature that it asks for; −1 at a leaf. Node 0 is the root, and parents stand before children.
    package internal(set) var features: [Int32] = []
    /// Values up to this go left; 0 at a leaf.
    package internal(set) var thresholds: [Double] = []
    /// The left child; the right one stands behind it. −1 at a leaf.
    package internal(set) var children: [Int32] = []
    /// Which leaf a node is; −1 elsewhere.
    package internal(set) var leaves: [Int32] = []
    /// Shares of the classes at the leaves, one leaf after the other.
    package internal(set) var shares: [Double] = []

    /// The leaf of a case, from its features.
    @inline(__always)
    func leaf(_ value: (Int) -> Double) -> Int {
        var node = 0
        while children[node] >= 0 {
            node = Int(children[node]) + (value(Int(features[node])) <= thresholds[node] ? 0 : 1)
        }
        return Int(leaves[node])
    }

    /// Share of each class among the cases that a case falls to.
    package func probabilities(_ row: [Double]) -> [Double] {
        let classes = shares.count / max(1, leaves.count { $0 >= 0 })
        let first = leaf { row[$0] } * classes
        return Array(shares[first..<first + classes])
    }
}

/// Grows a tree on some cases: at every node the best split, by how much it lowers the Gini impurity, over features drawn at
/// random.
///
/// Features come as ranks, so that cases are ordered by counting digits instead of comparing numbers.
struct TreeGrowth {
    struct Options: Sendable {
        /// Features looked at per node; more where none of those can split.
        var featuresPerSplit: Int
        var smallestLeaf: Int
        /// Questions from the root to a leaf, at most; nil: any number.
        var depth: Int?
    }

    private let cases: RankedFeatures
    private let classes: [Int]
    private let number: Int
    /// By case: how often it was drawn, times the weight of its class.
    private let weights: [Double]
    private let options: Options
    private var random: Philox.Stream
    private var tree = DecisionTree()
    /// By feature: how much impurity its splits took away, by weight.
    private var gains: [Double]
    // Memory of a node's work, as large as the largest.
    private var keys: [UInt32] = []
    private var spare: [UInt32] = []

    static func grow(
        _ cases: RankedFeatures, classes: [Int], of number: Int, weights: [Double], options: Options,
        random: Philox.Stream
    ) -> (tree: DecisionTree, gains: [Double]) {
        var growth = TreeGrowth(cases, classes, number, weights, options, random)
        growth.grow()
        return (growth.tree, growth.gains)
    }

    private init(
        _ cases: RankedFeatures, _ classes: [Int], _ number: Int, _ weights: [Double], _ options: Options,
        _ random: Philox.Stream
    ) {
        (self.cases, self.classes, self.number, self.weights) = (cases, classes, number, weights)
        (self.options, self.random) = (options, random)
        gains = [Double](repeating: 0, count: cases.ranks.count)
    }

    private struct Split {
        var feature: Int
        var threshold: Double
        var rank: UInt32
        var gain: Double
    }

    private mutating func grow() {
        let drawn = weights.indices.filter { weights[$0] > 0 }
        addNode()
        var open = [(node: 0, depth: 0, cases: drawn)]
        while let (node, depth, members) = open.popLast() {
            let sums = sums(members)
            guard members.count >= 2 * options.smallestLeaf, depth < options.depth ?? .max,
                sums.count(where: { $0 > 0 }) > 1, let split = bestSplit(members, sums)
            else {
                makeLeaf(node, sums)
                continue
            }
            gains[split.feature] += split.gain
            let left = tree.features.count
            addNode()
            addNode()
            tree.features[node] = Int32(split.feature)
            tree.thresholds[node] = split.threshold
            tree.children[node] = Int32(left)
            let ranks = cases.ranks[split.feature]
            open.append((left + 1, depth + 1, members.filter { ranks[$0] > split.rank }))
            open.append((left, depth + 1, members.filter { ranks[$0] <= split.rank }))
        }
    }

    private mutating func addNode() {
        tree.features.append(-1)
        tree.thresholds.append(0)
        tree.children.append(-1)
        tree.leaves.append(-1)
    }

    private mutating func makeLeaf(_ node: Int, _ sums: [Double]) {
        tree.leaves[node] = Int32(tree.shares.count / number)
        let total = sums.reduce(0, +)
        tree.shares += sums.map { $0 / total }
    }

    private func sums(_ members: [Int]) -> [Double] {
        var sums = [Double](repeating: 0, count: number)
        for member in members { sums[classes[member]] += weights[member] }
        return sums
    }

    private mutating func bestSplit(_ members: [Int], _ sums: [Double]) -> Split? {
        // Features in random order, drawn as they are needed.
        var order = Array(0..<cases.ranks.count)
        var best: Split?
        var looked = 0
        for place in order.indices {
            let other = place + random.index(below: order.count - place)
            order.swapAt(place, other)
            // What is the same for all cannot split and does not count as looked at.
            guard sort(members, by: order[place]) else { continue }
            if let split = split(sums, by: order[place], count: members.count), split.gain > best?.gain ?? 0 {
                best = split
            }
            looked += 1
            if looked >= options.featuresPerSplit, best != nil { break }
        }
        return best
    }

    /// Orders cases by a feature: keys of rank and place. False where all have the same value.
    private mutating func sort(_ members: [Int], by feature: Int) -> Bool {
        let ranks = cases.ranks[feature]
        var (low, high) = (UInt32.max, UInt32.min)
        ordered = members
        keys.removeAll(keepingCapacity: true)
        for member in members {
            let rank = ranks[member]
            (low, high) = (min(low, rank), max(high, rank))
            keys.append(rank)
        }
        guard low < high else { return false }
        sortPairs(low: low, high: high)
        return true
    }

    /// Cases in the order of `keys`.
    private var ordered: [Int] = []
    private var spareOrder: [Int] = []

    /// Sorts `keys` and with them `ordered`: by insertion where few, else by bytes; equal keys keep their order.
    private mutating func sortPairs(low: UInt32, high: UInt32) {
        let count = keys.count
        if count <= 32 {
            for place in 1..<count {
                let (key, member) = (keys[place], ordered[place])
                var hole = place
                while hole > 0, keys[hole - 1] > key {
                    (keys[hole], ordered[hole]) = (keys[hole - 1], ordered[hole - 1])
                    hole -= 1
                }
                (keys[hole], ordered[hole]) = (key, member)
            }
            return
        }
        if spare.count < count {
            spare = [UInt32](repeating: 0, count: count)
            spareOrder = [Int](repeating: 0, count: count)
        }
        var shift: UInt32 = 0
        while (high - low) >> shift > 0 {
            var starts = [Int](repeating: 0, count: 257)
            for key in keys { starts[Int((key - low) >> shift & 255) + 1] += 1 }
            for digit in 1..<257 { starts[digit] += starts[digit - 1] }
            for place in 0..<count {
                let digit = Int((keys[place] - low) >> shift & 255)
                spare[starts[digit]] = keys[place]
                spareOrder[starts[digit]] = ordered[place]
                starts[digit] += 1
            }
            for place in 0..<count { (keys[place], ordered[place]) = (spare[place], spareOrder[place]) }
            shift += 8
        }
    }

    /// The best threshold of a feature that cases are sorted by.
    private func split(_ sums: [Double], by feature: Int, count: Int) -> Split? {
        let total = sums.reduce(0, +)
        var left = [Double](repeating: 0, count: number)
        var (leftTotal, best) = (0.0, -1.0)
        var found: Int?
        for place in 0..<count - 1 {
            let member = ordered[place]
            left[classes[member]] += weights[member]
            leftTotal += weights[member]
            guard keys[place] < keys[place + 1], place + 1 >= options.smallestLeaf,
                count - place - 1 >= options.smallestLeaf
            else { continue }
            // Σ p² of both sides by weight: the larger, the purer.
            var (a, b) = (0.0, 0.0)
            for index in 0..<number {
                let right = sums[index] - left[index]
                a += left[index] * left[index]
                b += right * right
            }
            let purity = a / leftTotal + b / (total - leftTotal)
            if purity > best { (best, found) = (purity, place) }
        }
        guard let found else { return nil }
        let before = sums.reduce(0) { $0 + $1 * $1 } / total
        let gain = best - before
        guard gain > 1e-12 * total else { return nil }
        let values = cases.values[feature]
        let (low, high) = (values[Int(keys[found])], values[Int(keys[found + 1])])
        let middle = low + (high - low) / 2
        return Split(feature: feature, threshold: middle < high ? middle : low, rank: keys[found], gain: gain)
    }
}

/// Features as ranks among their distinct values.
struct RankedFeatures: Sendable {
    /// By feature, the distinct values in rising order.
    let values: [[Double]]
    /// By feature and case.
    let ranks: [[UInt32]]

    init(_ features: FeatureMatrix) {
        var (values, ranks): ([[Double]], [[UInt32]]) = ([], [])
        for column in features.columns {
            let order = column.indices.sorted { column[$0] < column[$1] }
            var distinct: [Double] = []
            var own = [UInt32](repeating: 0, count: column.count)
            for place in order {
                if distinct.last != column[place] { distinct.append(column[place]) }
                own[place] = UInt32(distinct.count - 1)
            }
            values.append(distinct)
            ranks.append(own)
        }
        (self.values, self.ranks) = (values, ranks)
    }
}
