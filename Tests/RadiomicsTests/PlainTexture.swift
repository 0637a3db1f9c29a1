import Foundation
import Radiomics

/// Texture by its definition, voxel by voxel and pair by pair: what the fast versions are compared with.
struct PlainTexture {
    typealias Place = SIMD3<Int>

    let levels: [Place: Int]
    let levelCount: Int
    /// Part of the region, for distances to the border.
    let morphological: Set<Place>

    init(_ region: RegionImage) {
        var levels: [Place: Int] = [:]
        var morphological = Set<Place>()
        for k in 0..<region.size.z {
            for j in 0..<region.size.y {
                for i in 0..<region.size.x {
                    let n = i + region.size.x * (j + region.size.y * k)
                    if region.intensityMask[n] != 0 { levels[Place(i, j, k)] = Int(region.values[n]) }
                    if region.morphologicalMask[n] != 0 { morphological.insert(Place(i, j, k)) }
                }
            }
        }
        (self.levels, self.morphological) = (levels, morphological)
        levelCount = levels.values.max() ?? 0
    }

    private init(levels: [Place: Int], levelCount: Int, morphological: Set<Place>) {
        (self.levels, self.levelCount, self.morphological) = (levels, levelCount, morphological)
    }

    /// One part per slice; the largest level stays that of the whole.
    var slices: [PlainTexture] {
        Set(levels.keys.map(\.z)).sorted().map { k in
            PlainTexture(
                levels: levels.filter { $0.key.z == k }, levelCount: levelCount,
                morphological: morphological.filter { $0.z == k })
        }
    }

    static func steps(inSlice: Bool) -> [Place] {
        var result: [Place] = []
        for k in -1...1 {
            for j in -1...1 { for i in -1...1 where (i, j, k) != (0, 0, 0) { result.append(Place(i, j, k)) } }
        }
        return result.filter { !inSlice || $0.z == 0 }
    }

    /// One of each pair of opposite steps.
    static func directions(inSlice: Bool) -> [Place] {
        steps(inSlice: inSlice).filter { ($0.z, $0.y, $0.x) > (0, 0, 0) }
    }

    // MARK: Matrices

    struct Pair: Hashable {
        var i: Int
        var j: Int
    }

    func cooccurrence(_ directions: [Place]) -> [Pair: Int] {
        var counts: [Pair: Int] = [:]
        for (place, level) in levels {
            for step in directions {
                for other in [place &+ step, place &- step] {
                    if let second = levels[other] { counts[Pair(i: level, j: second), default: 0] += 1 }
                }
            }
        }
        return counts
    }

    func runs(_ directions: [Place]) -> [Pair: Int] {
        var counts: [Pair: Int] = [:]
        for (place, level) in levels {
            for step in directions where levels[place &- step] != level {
                var length = 1
                while levels[place &+ step &* Place(repeating: length)] == level { length += 1 }
                counts[Pair(i: level, j: length), default: 0] += 1
            }
        }
        return counts
    }

    /// Sizes, and smallest distances to the border, of the connected zones.
    func zones(inSlice: Bool) -> (sizes: [Pair: Int], distances: [Pair: Int]) {
        var numbers = Dictionary(uniqueKeysWithValues: levels.keys.enumerated().map { ($1, $0) })
        var hasChanged = true
        while hasChanged {
            hasChanged = false
            for (place, level) in levels {
                for step in Self.steps(inSlice: inSlice) where levels[place &+ step] == level {
                    if let other = numbers[place &+ step], other < numbers[place, default: 0] {
                        numbers[place] = other
                        hasChanged = true
                    }
                }
            }
        }
        var (sizes, distances): ([Pair: Int], [Pair: Int]) = ([:], [:])
        for zone in Dictionary(grouping: levels.keys, by: { numbers[$0, default: 0] }).values {
            let level = levels[zone[0], default: 0]
            sizes[Pair(i: level, j: zone.count), default: 0] += 1
            let distance = zone.map { borderDistance($0, inSlice: inSlice) }.min() ?? 0
            distances[Pair(i: level, j: distance), default: 0] += 1
        }
        return (sizes, distances)
    }

    private func borderDistance(_ place: Place, inSlice: Bool) -> Int {
        var best = Int.max
        for k in -8...8 where !inSlice || k == 0 {
            for j in -8...8 {
                for i in -8...8 where !morphological.contains(place &+ Place(i, j, k)) {
                    best = min(best, abs(i) + abs(j) + abs(k))
                }
            }
        }
        return best
    }

    func dependences(inSlice: Bool) -> [Pair: Int] {
        var counts: [Pair: Int] = [:]
        for (place, level) in levels {
            let same = Self.steps(inSlice: inSlice).filter { levels[place &+ $0] == level }.count
            counts[Pair(i: level, j: same + 1), default: 0] += 1
        }
        return counts
    }

    // MARK: Features

    static func levelSize(_ counts: [Pair: Int], voxels: Int) -> [Double] {
        let total = Double(counts.values.reduce(0, +))
        func mean(_ term: (Double, Double) -> Double) -> Double {
            counts.reduce(0) { $0 + Double($1.value) * term(Double($1.key.i), Double($1.key.j)) } / total
        }
        func squares(_ key: (Pair) -> Int) -> Double {
            Dictionary(grouping: counts, by: { key($0.key) }).values.reduce(0) { sum, entries in
                let count = Double(entries.reduce(0) { $0 + $1.value })
                return sum + count * count
            }
        }
        let (level, size) = (mean { i, _ in i }, mean { _, j in j })
        return [
            mean { 1 / ($1 * $1) }, mean { $1 * $1 }, mean { i, _ in 1 / (i * i) }, mean { i, _ in i * i },
            mean { 1 / ($0 * $0 * $1 * $1) }, mean { $0 * $0 / ($1 * $1) }, mean { $1 * $1 / ($0 * $0) },
            mean { $0 * $0 * $1 * $1 }, squares(\.i) / total, squares(\.i) / (total * total), squares(\.j) / total,
            squares(\.j) / (total * total), total / Double(voxels), mean { i, _ in (i - level) * (i - level) },
            mean { _, j in (j - size) * (j - size) },
            -counts.values.reduce(0) { $0 + Double($1) / total * log2(Double($1) / total) },
            counts.values.reduce(0) { $0 + Double($1) / total * Double($1) / total },
        ]
    }

    /// In the order of `Cooccurrence.tags` without the last; nil for an empty matrix.
    func cooccurrenceFeatures(_ counts: [Pair: Int]) -> [Double]? {
        let total = Double(counts.values.reduce(0, +))
        guard total > 0 else { return nil }
        let p = counts.mapValues { Double($0) / total }
        func sum(_ term: (Double, Double) -> Double) -> Double {
            p.reduce(0) { $0 + $1.value * term(Double($1.key.i), Double($1.key.j)) }
        }
        func entropy(_ q: some Sequence<Double>) -> Double { -q.reduce(0) { $0 + $1 * log2($1) } }
        func grouped(_ key: (Pair) -> Int) -> [Int: Double] {
            Dictionary(p.map { (key($0.key), $0.value) }, uniquingKeysWith: +)
        }
        let (rows, sums, differences) = (grouped(\.i), grouped { $0.i + $0.j }, grouped { abs($0.i - $0.j) })
        let mean = sum { i, _ in i }
        let variance = sum { i, _ in (i - mean) * (i - mean) }
        let difference = sum { abs($0 - $1) }
        let n = Double(levelCount)
        let joint = entropy(p.values)
        var (first, second) = (0.0, 0.0)
        for (pair, value) in p { first -= value * log2(rows[pair.i, default: 0] * rows[pair.j, default: 0]) }
        for a in rows.values { for b in rows.values { second -= a * b * log2(a * b) } }
        let isFlat = rows.count == 1
        return [
            p.values.max() ?? 0, mean, variance, joint, difference,
            sum { (abs($0 - $1) - difference) * (abs($0 - $1) - difference) }, entropy(differences.values),
            sum { $0 + $1 },
            sum { ($0 + $1 - 2 * mean) * ($0 + $1 - 2 * mean) }, entropy(sums.values),
            p.values.reduce(0) { $0 + $1 * $1 },
            sum { ($0 - $1) * ($0 - $1) }, difference, sum { 1 / (1 + abs($0 - $1)) },
            sum { 1 / (1 + abs($0 - $1) / n) },
            sum { 1 / (1 + ($0 - $1) * ($0 - $1)) }, sum { 1 / (1 + ($0 - $1) * ($0 - $1) / (n * n)) },
            sum { $0 == $1 ? 0 : 1 / (($0 - $1) * ($0 - $1)) },
            isFlat ? 1 : sum { ($0 - mean) * ($1 - mean) } / variance, sum { $0 * $1 },
            sum { pow($0 + $1 - 2 * mean, 2) }, sum { pow($0 + $1 - 2 * mean, 3) }, sum { pow($0 + $1 - 2 * mean, 4) },
            isFlat ? 0 : (joint - first) / entropy(rows.values),
            isFlat ? 0 : max(0, 1 - exp(-2 * (second - joint))).squareRoot(),
        ]
    }

    func toneDifferences(inSlice: Bool) -> [Double]? {
        var (counts, differences): ([Int: Double], [Int: Double]) = ([:], [:])
        for (place, level) in levels {
            let others = Self.steps(inSlice: inSlice).compactMap { levels[place &+ $0] }
            guard !others.isEmpty else { continue }
            counts[level, default: 0] += 1
            differences[level, default: 0] += abs(Double(level) - Double(others.reduce(0, +)) / Double(others.count))
        }
        let total = counts.values.reduce(0, +)
        guard total > 0 else { return nil }
        let p = counts.mapValues { $0 / total }
        let sum = differences.values.reduce(0, +)
        let weighted = p.reduce(0) { $0 + $1.value * differences[$1.key, default: 0] }
        var (contrast, spread, complexity, strength) = (0.0, 0.0, 0.0, 0.0)
        for (i, a) in p {
            for (j, b) in p {
                let d = Double(i - j)
                contrast += a * b * d * d
                spread += abs(Double(i) * a - Double(j) * b)
                complexity += abs(d) * (a * differences[i, default: 0] + b * differences[j, default: 0]) / (a + b)
                strength += (a + b) * d * d
            }
        }
        let n = Double(p.count)
        return [
            weighted > 0 ? 1 / weighted : 1e6, n > 1 ? contrast / (n * (n - 1)) * sum / total : 0,
            spread > 0 ? weighted / spread : 0, complexity / total, sum > 0 ? strength / sum : 0,
        ]
    }
}
