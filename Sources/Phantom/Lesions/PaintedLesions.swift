import Kernels

/// The lesions of one person on the gradient-echo grid: what they do to χ, where they are, how images see them.
struct PaintedLesions {
    /// What is true of one lesion.
    struct Truth {
        /// Value in the map of lesions, from 1.
        let number: UInt16
        let lesion: Lesion
        /// World of the gradient echo and of the T1w image, mm.
        let centre: SIMD3<Double>
        let anatomicalCentre: SIMD3<Double>
        /// Of the shape in the brain (demyelination: in white matter), by parts of voxels.
        let volumeCubicMillimetres: Double
        /// Sum over voxels of what it changed, times their volume, ppm·mm³.
        let excess: Double
        /// Voxels that carry its number.
        var voxels = 0
        /// Mean over those of the noise-free map, before gain and offset, ppb.
        var meanPPB = Double.nan
    }

    let numbers: LabelMap
    /// Of calcifications within a deposit, the number of that.
    private var deposits: [UInt16: UInt16] = [:]
    private(set) var truth: [Truth] = []
    /// How much each voxel is darkened by T2* beyond what χ does there, 0…1, and how much of it is flow.
    private(set) var bloom: [Float]
    private(set) var flow: [Float]

    /// Paints lesions that lie in the brain into a map of χ.
    ///
    /// - Parameters:
    ///   - head: millimetres of the head to the world of `grid`; `anatomical`: to that of the T1w image.
    ///   - brain, white: which part of each voxel is brain, and white matter.
    ///   - chiPPB: changed in place.
    init(
        _ lesions: [Lesion], on grid: VoxelGrid, head: Affine, anatomical: Affine, brain: Mask, white: [Float],
        chiPPB: inout [Float]
    ) {
        let cell = grid.voxelVolumeCubicMillimetres
        var numbers = [UInt16](repeating: 0, count: grid.count)
        var bloom = [Float](repeating: 0, count: grid.count)
        var flow = bloom
        for lesion in lesions {
            guard let raster = LesionRaster(lesion.shape, on: grid, head: head) else { continue }
            var parts: [(voxel: Int, part: Float)] = []
            var inBrain = 0.0
            raster.forEach { voxel, fraction in
                let part = lesion.kind.isDemyelination ? fraction * white[voxel] : fraction
                guard part > 0 else { return }
                parts.append((voxel, part))
                if brain.values[voxel] == 1 { inBrain += Double(part) }
            }
            guard Self.counts(lesion.kind, inBrain: inBrain * cell, of: raster.total * cell) else { continue }

            var change = 0.0
            func set(_ voxel: Int, _ value: Float) {
                if brain.values[voxel] == 1 { change += Double(value - chiPPB[voxel]) }
                chiPPB[voxel] = value
            }
            let chi = Float(lesion.chiPPB)
            for (voxel, part) in parts {
                if lesion.kind.adds {
                    set(voxel, chiPPB[voxel] + part * chi)
                } else if lesion.kind != .flowVoid {
                    set(voxel, chiPPB[voxel] + part * (chi - chiPPB[voxel]))
                }
            }
            if let rim = lesion.rim {
                LesionRaster(rim, of: lesion.shape, on: grid, head: head)?.forEach { voxel, weight in
                    set(voxel, chiPPB[voxel] + weight * white[voxel] * Float(rim.chiPPB))
                }
            }
            if !lesion.kind.isDemyelination {
                let strength = lesion.kind == .flowVoid ? 1 : min(1, abs(chi) / 250)
                LesionRaster(lesion.shape, on: grid, head: head, widened: lesion.bloom)?.forEach { voxel, fraction in
                    if lesion.kind == .flowVoid {
                        flow[voxel] = max(flow[voxel], fraction)
                    } else {
                        bloom[voxel] = max(bloom[voxel], strength * fraction)
                    }
                }
            }

            let number = UInt16(truth.count + 1)
            // What fills half a voxel nowhere has the voxel that it fills most.
            let fullest = parts.map(\.part).max() ?? 0
            for (voxel, part) in parts where part >= min(0.5, fullest) && brain.values[voxel] == 1 {
                let below = numbers[voxel]
                if lesion.kind == .calcification, below > 0, truth[Int(below) - 1].lesion.kind == .ironDeposit {
                    deposits[number] = below
                }
                numbers[voxel] = number
            }
            let middle = lesion.shape.middle
            truth.append(
                Truth(
                    number: number, lesion: lesion, centre: head(middle), anatomicalCentre: anatomical(middle),
                    volumeCubicMillimetres: inBrain * cell, excess: change * 1e-3 * cell))
        }
        self.numbers = LabelMap(grid: grid, values: numbers)
        (self.bloom, self.flow) = (bloom, flow)
    }

    /// Whether enough of a lesion is in the brain, by its volumes in mm³.
    private static func counts(_ kind: Lesion.Kind, inBrain: Double, of whole: Double) -> Bool {
        switch kind {
        case .microbleed: inBrain >= 0.9 * whole && whole > 0
        case .rimPositive, .rimNegative: inBrain >= 12
        case .ironDeposit, .calcification, .vein, .flowVoid: inBrain > 0.02
        }
    }

    /// Counts the voxels of each and takes the mean of the finished map over them.
    mutating func measure(_ chiPPB: [Float]) {
        var sums = [Double](repeating: 0, count: truth.count + 1)
        var counts = [Int](repeating: 0, count: truth.count + 1)
        for (voxel, number) in numbers.values.enumerated() where number > 0 {
            sums[Int(number)] += Double(chiPPB[voxel])
            counts[Int(number)] += 1
        }
        for place in truth.indices {
            truth[place].voxels = counts[place + 1]
            if counts[place + 1] > 0 { truth[place].meanPPB = sums[place + 1] / Double(counts[place + 1]) }
        }
    }

    /// The number per voxel of lesions of some kinds; a calcification within a deposit is part of that.
    func numbers(of wanted: (Lesion.Kind) -> Bool) -> LabelMap {
        let shown = truth.map { lesion -> UInt16 in
            let number = deposits[lesion.number] ?? lesion.number
            return wanted(kind(of: number)) ? number : 0
        }
        return LabelMap(grid: numbers.grid, values: numbers.values.map { $0 > 0 ? shown[Int($0) - 1] : 0 })
    }

    func kind(of number: UInt16) -> Lesion.Kind { truth[Int(number) - 1].lesion.kind }
}
