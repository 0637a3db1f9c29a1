import Kernels

/// Looks tissues up for every voxel of a grid, with several points per voxel, so that borders have partial volume.
struct TissueSampler {
    let template: TemplateAnatomy
    let deformation: Deformation

    /// What a voxel holds.
    struct Result {
        /// The commonest tissue.
        var codes: [UInt8]
        /// Per table asked for: its mean over the points of the voxel.
        var means: [[Float]]
        /// The shared variation within tissues at the middle of the voxel.
        var pattern: [Float]
    }

    /// - Parameters:
    ///   - pose: template axes to the world of `grid`.
    ///   - tables: a value per tissue code each.
    ///   - pattern: which of the template's patterns to read along.
    func sample(
        _ grid: VoxelGrid, pose: Affine, tables: [[Float]], pattern: TemplateAnatomy.Pattern
    ) -> Result {
        guard let inverse = pose.inverse else { preconditionFailure("a pose is a rotation and a scale") }
        let toTemplate = inverse * grid.affine
        let spacing = grid.spacingMillimetres.max()
        // Points as dense as the template, but at least two per axis.
        let points = max(2, Int((spacing / template.grid.spacingMillimetres.x).rounded()))
        var offsets: [SIMD3<Double>] = []
        for c in 0..<points {
            for b in 0..<points {
                for a in 0..<points {
                    let place = SIMD3(Double(a), Double(b), Double(c)) + 0.5
                    offsets.append(toTemplate.direction(place / Double(points) - 0.5))
                }
            }
        }
        let share = 1 / Float(offsets.count)
        var result = Result(
            codes: [UInt8](repeating: 0, count: grid.count),
            means: tables.map { _ in [Float](repeating: 0, count: grid.count) },
            pattern: [Float](repeating: 0, count: grid.count))
        var votes = [Int32](repeating: 0, count: Tissue.count)
        var found = [UInt8](repeating: 0, count: offsets.count)
        var place = 0
        for k in 0..<grid.nz {
            for j in 0..<grid.ny {
                for i in 0..<grid.nx {
                    let q = toTemplate(SIMD3(Double(i), Double(j), Double(k)))
                    let centre = q + deformation.displacement(at: q)
                    result.pattern[place] = pattern.value(at: centre)
                    var isPure = true
                    for (n, offset) in offsets.enumerated() {
                        found[n] = template.code(at: centre + offset)
                        if found[n] != found[0] { isPure = false }
                    }
                    if isPure {
                        result.codes[place] = found[0]
                        for t in tables.indices { result.means[t][place] = tables[t][Int(found[0])] }
                    } else {
                        var best = found[0]
                        for code in found {
                            votes[Int(code)] += 1
                            for t in tables.indices { result.means[t][place] += tables[t][Int(code)] }
                        }
                        for code in found where votes[Int(code)] > votes[Int(best)] { best = code }
                        for code in found { votes[Int(code)] = 0 }
                        result.codes[place] = best
                        for t in tables.indices { result.means[t][place] *= share }
                    }
                    place += 1
                }
            }
        }
        return result
    }
}
