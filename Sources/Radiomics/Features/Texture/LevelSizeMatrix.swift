import Foundation

/// How often each pair of grey level and size occurs: runs and their lengths, zones and their sizes or distances, voxels
/// and their dependence counts. All four matrices have the same features.
struct LevelSizeMatrix {
    private(set) var entries: [(level: Int, size: Int, count: Int)] = []

    /// From counts by rank of the level and size: `counts[rank * sizes + size - 1]`.
    init(counts: [Int32], levels: [Int], sizes: Int) {
        for rank in levels.indices {
            for size in 0..<sizes where counts[rank * sizes + size] != 0 {
                entries.append((levels[rank], size + 1, Int(counts[rank * sizes + size])))
            }
        }
    }

    /// From pairs, in any order.
    init(_ pairs: [(level: Int, size: Int)]) {
        for pair in pairs.sorted(by: { ($0.level, $0.size) < ($1.level, $1.size) }) {
            if let last = entries.last, last.level == pair.level, last.size == pair.size {
                entries[entries.count - 1].count += 1
            } else {
                entries.append((pair.level, pair.size, 1))
            }
        }
    }

    /// Emphasis of small and large sizes, of low and high levels and of their four combinations; non-uniformity of levels
    /// and of sizes, each plain and normalised; entries per voxel; variances of level and size; entropy in bits; energy.
    ///
    /// - Parameter voxels: voxels the matrix was made from, once per direction merged.
    /// - Returns: 17 values; NaN for an empty matrix.
    func features(voxels: Int) -> [Double] {
        guard !entries.isEmpty else { return [Double](repeating: .nan, count: 17) }
        var (total, levelSum, sizeSum) = (0.0, 0.0, 0.0)
        var emphases = [Double](repeating: 0, count: 8)
        var bySize = [Double](repeating: 0, count: (entries.map(\.size).max() ?? 0) + 1)
        var levelSquares = 0.0
        var (level, ofLevel) = (0, 0.0)
        for entry in entries {
            let (i, j, c) = (Double(entry.level), Double(entry.size), Double(entry.count))
            let (ii, jj) = (i * i, j * j)
            total += c
            levelSum += c * i
            sizeSum += c * j
            emphases[0] += c / jj
            emphases[1] += c * jj
            emphases[2] += c / ii
            emphases[3] += c * ii
            emphases[4] += c / (ii * jj)
            emphases[5] += c * ii / jj
            emphases[6] += c * jj / ii
            emphases[7] += c * ii * jj
            bySize[entry.size] += c
            // Entries are in the order of their levels.
            if entry.level != level {
                levelSquares += ofLevel * ofLevel
                (level, ofLevel) = (entry.level, 0)
            }
            ofLevel += c
        }
        levelSquares += ofLevel * ofLevel
        let sizeSquares = bySize.reduce(0) { $0 + $1 * $1 }
        let (meanLevel, meanSize) = (levelSum / total, sizeSum / total)
        var (levelVariance, sizeVariance, entropy, energy) = (0.0, 0.0, 0.0, 0.0)
        for entry in entries {
            let p = Double(entry.count) / total
            let (di, dj) = (Double(entry.level) - meanLevel, Double(entry.size) - meanSize)
            levelVariance += p * di * di
            sizeVariance += p * dj * dj
            entropy -= p * log2(p)
            energy += p * p
        }
        return emphases.map { $0 / total } + [
            levelSquares / total, levelSquares / (total * total), sizeSquares / total, sizeSquares / (total * total),
            total / Double(voxels), levelVariance, sizeVariance, entropy, energy,
        ]
    }
}
