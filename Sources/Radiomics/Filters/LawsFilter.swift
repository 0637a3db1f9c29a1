import Kernels

/// Kernels of Laws (JTXT): level, edge, spot, wave and ripple, of length 1 in the Euclidean norm.
package enum LawsKernel: String, Sendable, Hashable, CaseIterable {
    case L3, E3, S3, L5, E5, S5, W5, R5

    package var weights: [Double] {
        let whole: [Double]
        switch self {
        case .L3: whole = [1, 2, 1]
        case .E3: whole = [-1, 0, 1]
        case .S3: whole = [-1, 2, -1]
        case .L5: whole = [1, 4, 6, 4, 1]
        case .E5: whole = [-1, -2, 0, 2, 1]
        case .S5: whole = [-1, 0, 2, 0, -1]
        case .W5: whole = [-1, 2, 0, -2, 1]
        case .R5: whole = [1, -4, 6, -4, 1]
        }
        let norm = whole.reduce(0) { $0 + $1 * $1 }.squareRoot()
        return whole.map { $0 / norm }
    }
}

/// Response to kernels of Laws along the axes, alone or pooled over all right-angled rotations (O1AQ), and the energy of
/// that: the mean of its magnitude around each voxel (PQSD).
package struct LawsFilter: SingleFilter, Hashable {
    /// Along i, j and, in the volume, k.
    package let kernels: [LawsKernel]
    /// nil: no rotations.
    package let rotations: ResponsePooling?
    /// δ (I176): energy over voxels up to this distance along each axis; nil: the response itself.
    package let energyDistance: Int?
    package let edge: EdgeRule

    package init(
        _ kernels: [LawsKernel], rotations: ResponsePooling? = nil, energyDistance: Int? = nil,
        edge: EdgeRule = .mirror
    ) {
        precondition((2...3).contains(kernels.count), "\(kernels.count) kernels for the axes of a slice or a volume")
        (self.kernels, self.rotations, self.energyDistance, self.edge) = (kernels, rotations, energyDistance, edge)
    }

    /// Reads names one after the other, such as `L5E5E5`; nil for any other text.
    package static func kernels(_ text: String) -> [LawsKernel]? {
        var rest = Substring(text)
        var result: [LawsKernel] = []
        while !rest.isEmpty {
            guard let kernel = LawsKernel(rawValue: String(rest.prefix(2))) else { return nil }
            result.append(kernel)
            rest = rest.dropFirst(2)
        }
        return (2...3).contains(result.count) ? result : nil
    }

    package var name: String {
        let energy = energyDistance.map { "-energy-\($0)" } ?? ""
        return "laws-" + kernels.map(\.rawValue).joined() + (rotations.map { "-\($0.rawValue)" } ?? "") + energy
    }

    package func reach(_ spacing: SIMD3<Double>) -> (x: Int?, y: Int?, z: Int?) {
        let own = (kernels.map { $0.weights.count / 2 }.max() ?? 0) + (energyDistance ?? 0)
        return (own, own, kernels.count == 3 ? own : 0)
    }

    package func response(
        of image: FilterImage, spacingMillimetres spacing: SIMD3<Double>, threads: Int
    ) -> FilterImage {
        let chains = kernels.map { [AxisKernel(centred: $0.weights)] }
        let isFlat = kernels.count == 2
        let filter = SeparableFilter(chains[0], chains[1], isFlat ? [] : chains[2])
        let filters = rotations == nil ? [filter] : filter.rotations(inSlice: isFlat)
        var result = image.response(to: filters, pooling: rotations ?? .mean, edge: edge, threads: threads)
        guard let energyDistance else { return result }
        result.update(with: result, threads: threads) { abs($1) }
        let mean = MeanFilter(support: 2 * energyDistance + 1, dimensions: isFlat ? .slice : .volume, edge: edge)
        return mean.response(of: result, spacingMillimetres: spacing, threads: threads)
    }
}
