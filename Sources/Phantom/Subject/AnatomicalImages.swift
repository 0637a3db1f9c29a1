import Foundation
import Kernels

/// Anatomical images of one head on one grid, and what they show.
struct AnatomicalImages {
    /// In the order asked for.
    let images: [Volume]
    let labels: LabelMap
    /// Numbers of lesions; nil without any to paint.
    let lesions: LabelMap?

    /// How an image comes out of the scanner.
    struct Exposure {
        let weighting: Weighting
        /// Signal of white matter.
        let whiteMatter: Double
        /// How much tissues differ in brightness between people (fraction).
        let contrastSpread: Double
        /// Standard deviation with white matter at 1.
        let noise: Double
        /// Standard deviation of the receive field about 1.
        let biasSpread: Double
        var random: RandomStream
    }

    /// - Parameters:
    ///   - pose: template axes to the world of `grid`.
    ///   - painted: lesions by number; `head`: millimetres of the head to the world of `grid`.
    init(
        _ sampler: TissueSampler, _ grid: VoxelGrid, pose: Affine, exposures: [Exposure],
        lesions painted: [Lesion]? = nil,
        head: Affine = .identity
    ) {
        var exposures = exposures
        var tables: [[Float]] = []
        for place in exposures.indices { tables.append(Self.brightness(&exposures[place])) }
        if painted != nil { tables.append((0..<Tissue.count).map { UInt8($0) == Tissue.white ? 1 : 0 }) }
        var sampled = sampler.sample(grid, pose: pose, tables: tables, pattern: sampler.template.brightnessPattern)
        labels = LabelMap(grid: grid, values: SubjectImages.labels(sampled.codes))
        if let painted {
            let white = sampled.means.removeLast()
            lesions = Self.paint(
                painted, on: grid, head: head, white: white, exposures.map(\.weighting), &sampled.means)
        } else {
            lesions = nil
        }
        var images: [Volume] = []
        for place in exposures.indices {
            let values = Self.expose(sampled.means[place], pattern: sampled.pattern, grid, &exposures[place])
            sampled.means[place] = []
            images.append(Volume(grid: grid, values: values))
        }
        self.images = images
    }

    /// Tissues of a kind vary together, left and right nuclei nearly so.
    private static func brightness(_ exposure: inout Exposure) -> [Float] {
        var brightness = (0..<Tissue.count).map { Float(exposure.weighting.brightness(of: UInt8($0))) }
        for pair in stride(from: 1, to: 2 * Nucleus.allCases.count, by: 2) {
            let factor = Float(1 + exposure.random.normal(0, exposure.contrastSpread))
            brightness[pair] *= factor
            brightness[pair + 1] *= factor
        }
        for code in Int(Tissue.white)..<Tissue.count {
            brightness[code] *= Float(1 + exposure.random.normal(0, exposure.contrastSpread))
        }
        return brightness
    }

    private static func paint(
        _ painted: [Lesion], on grid: VoxelGrid, head: Affine, white: [Float], _ weightings: [Weighting],
        _ images: inout [[Float]]
    ) -> LabelMap {
        var numbers = [UInt16](repeating: 0, count: grid.count)
        for (place, lesion) in painted.enumerated() {
            LesionRaster(lesion.shape, on: grid, head: head)?.forEach { voxel, fraction in
                let part = lesion.kind.isDemyelination ? fraction * white[voxel] : fraction
                for (n, weighting) in weightings.enumerated() {
                    images[n][voxel] *= 1 + part * weighting.change(by: lesion.kind)
                }
                if part >= 0.5 { numbers[voxel] = UInt16(place + 1) }
            }
        }
        return LabelMap(grid: grid, values: numbers)
    }

    /// Texture, receive field and Rician noise.
    private static func expose(
        _ clean: [Float], pattern: [Float], _ grid: VoxelGrid, _ exposure: inout Exposure
    ) -> [Float] {
        let counts = (grid.nx, grid.ny, grid.nz)
        let voxel = grid.spacingMillimetres.max()
        let texture = SmoothNoise.field(counts, spacingVoxels: max(1, 3 / voxel), &exposure.random)
        let bias = SmoothNoise.field(counts, spacingVoxels: 60 / voxel, &exposure.random)
        var values = clean
        let (sigma, biasSpread) = (Float(exposure.noise), Float(exposure.biasSpread))
        var random = exposure.random
        for v in values.indices {
            let variation = 1 + 0.025 * pattern[v] + 0.012 * texture[v]
            let signal = values[v] * variation * (1 + biasSpread * bias[v])
            let (re, im) = (signal + sigma * Float(random.normal()), sigma * Float(random.normal()))
            values[v] = (Float(exposure.whiteMatter) * (re * re + im * im).squareRoot()).rounded()
        }
        exposure.random = random
        return values
    }
}
