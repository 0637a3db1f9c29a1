import Kernels
import Radiomics

/// What a lesion is like: where it lies, how large and round it is, and what maps show inside it.
struct LesionMeasures: Sendable {
    var lesion: LesionSet.Lesion
    /// Mean of its voxels, scanner RAS.
    var centreMillimetres: SIMD3<Double>
    var volumeCubicMillimetres: Double
    var shape: LesionShape
    /// Over voxels with a value; nil without one.
    var meanChi: Double?
    /// Of the largest magnitude, with its sign: iron is positive, calcium negative.
    var peakChi: Double?
    var meanProbability: Double?
    var largestProbability: Double?
    /// Sum of its voxels' probabilities, clipped to 0 … 1; nil without one.
    var probableVoxels: Double?
    /// Voxels at which the map of probabilities has no number.
    var voxelsWithoutProbability = 0
    /// The region that holds most of it, background aside, and its share of the lesion.
    var region: (label: UInt16, share: Double)?
    /// At the voxel nearest to its centre; 0 where none is.
    var centreRegion: UInt16?

    /// Maps on the grid of the lesions.
    struct Maps: Sendable {
        var chi: Volume?
        var regions: LabelMap?
        var probabilities: LesionProbabilities?
    }

    /// What to say where probabilities of lesions lack numbers; empty where none does.
    ///
    /// - Parameter name: of the map of probabilities.
    static func warnings(_ measured: [LesionMeasures], of name: String) -> [String] {
        let lacking = measured.filter { $0.voxelsWithoutProbability > 0 }
        guard !lacking.isEmpty else { return [] }
        let voxels = lacking.reduce(0) { $0 + $1.voxelsWithoutProbability }
        return [
            "\(name) has no number at \(voxels == 1 ? "1 voxel" : "\(voxels) voxels") of "
                + "\(lacking.count == 1 ? "1 lesion" : "\(lacking.count) lesions"), which means and sums of probabilities leave out; "
                + "write 0 where nothing is."
        ]
    }

    /// Of every lesion, in the order of their numbers.
    static func all(of set: LesionSet, _ maps: Maps, threads: Int) -> [LesionMeasures] {
        let boxes = RegionBox.all(of: set.map)
        let empty = maps.chi ?? Volume(grid: set.map.grid)
        return Parallel.map(set.lesions.count, threads: threads) { n in
            LesionMeasures(set.lesions[n], boxes[set.lesions[n].number]!, set.map, maps, image: empty)
        }
    }

    private init(_ lesion: LesionSet.Lesion, _ box: RegionBox, _ map: LabelMap, _ maps: Maps, image: Volume) {
        let grid = map.grid
        var sum = SIMD3<Double>.zero
        var indices: [Int] = []
        indices.reserveCapacity(lesion.voxels)
        for k in box.lower.z..<box.upper.z {
            for j in box.lower.y..<box.upper.y {
                for i in box.lower.x..<box.upper.x {
                    let index = grid.index(i, j, k)
                    guard map.values[index] == lesion.number else { continue }
                    indices.append(index)
                    sum += SIMD3(Double(i), Double(j), Double(k))
                }
            }
        }
        self.lesion = lesion
        let middle = sum / Double(indices.count)
        centreMillimetres = grid.affine(middle)
        volumeCubicMillimetres = Double(indices.count) * grid.voxelVolumeCubicMillimetres
        shape = LesionShape(RegionImage(image, box: box) { map.values[$0] == lesion.number })
        if let chi = maps.chi {
            let values = indices.map { Double(chi.values[$0]) }.filter(\.isFinite)
            meanChi = values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
            peakChi = values.max { abs($0) < abs($1) }
        }
        if let volume = maps.probabilities?.volume(of: lesion.className) {
            let values = indices.map { Double(volume.values[$0]) }.filter(\.isFinite)
            voxelsWithoutProbability = indices.count - values.count
            meanProbability = values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
            largestProbability = values.max()
            probableVoxels = values.isEmpty ? nil : values.reduce(0) { $0 + min(max($1, 0), 1) }
        }
        if let regions = maps.regions {
            var counts: [UInt16: Int] = [:]
            for index in indices where regions.values[index] > 0 { counts[regions.values[index], default: 0] += 1 }
            let most = counts.max { ($0.value, $1.key) < ($1.value, $0.key) }
            region = most.map { ($0.key, Double($0.value) / Double(indices.count)) }
            let nearest = middle.rounded(.toNearestOrAwayFromZero)
            centreRegion = regions.values[grid.index(Int(nearest.x), Int(nearest.y), Int(nearest.z))]
        }
    }
}
