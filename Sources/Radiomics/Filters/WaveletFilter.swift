import Kernels

/// Undecimated separable wavelets (25BO): low or high pass along each axis, by the algorithm à trous, which spreads the
/// weights by a factor of two from level to level; before the last level all axes are low passed.
package struct WaveletFilter: ImageFilter, Hashable {
    package let family: WaveletFamily
    /// Of `L` and `H` along i, j and, in the volume, k (UK1F).
    package let bands: [String]
    /// Level of the decomposition (GCEK), from 1.
    package let level: Int
    /// How responses are pooled over all right-angled rotations (O1AQ); nil: no rotations.
    package let rotations: ResponsePooling?
    package let edge: EdgeRule

    /// - Parameter bands: at least one, all of two or all of three letters.
    package init(
        _ family: WaveletFamily, bands: [String], level: Int = 1, rotations: ResponsePooling? = nil,
        edge: EdgeRule = .mirror
    ) {
        precondition(level >= 1 && Self.problem(with: bands) == nil, "no such wavelet sub-bands: \(bands)")
        (self.family, self.bands, self.level, self.rotations, self.edge) = (family, bands, level, rotations, edge)
    }

    /// Sub-bands of a volume, in the order of PyRadiomics.
    package static let bandsOfVolume = ["LLH", "LHL", "LHH", "HLL", "HLH", "HHL", "HHH", "LLL"]
    /// Sub-bands of a slice.
    package static let bandsOfSlice = ["LH", "HL", "HH", "LL"]

    /// What keeps sub-bands from being those of one filter; nil for nothing.
    package static func problem(with bands: [String]) -> String? {
        guard let lead = bands.first else { return "no sub-bands" }
        for band in bands {
            guard (2...3).contains(band.count), band.allSatisfy({ $0 == "L" || $0 == "H" }) else {
                return "“\(band)” is no sub-band; they are such as \(bandsOfSlice[0]) or \(bandsOfVolume[0])"
            }
            if band.count != lead.count { return "\(lead) is of the slice and \(band) of the volume, or the reverse" }
        }
        return Set(bands).count == bands.count ? nil : "a sub-band is named twice"
    }

    private var isFlat: Bool { bands[0].count == 2 }

    /// `wavelet-LLH` for coiflets of order 1 as in PyRadiomics; others carry what differs.
    package var names: [String] {
        let own = family == .coif1 ? "" : "-\(family.rawValue)"
        let step = level == 1 ? "" : "\(level)"
        let pooled = rotations.map { "-\($0.rawValue)" } ?? ""
        return bands.map { "wavelet\(step)\(own)-\($0)\(pooled)" }
    }

    private func filter(_ band: String) -> SeparableFilter {
        var chains = band.map { letter in
            (0..<level).map { n -> AxisKernel in
                let isLast = n == level - 1
                let weights = letter == "H" && isLast ? family.highPass : family.lowPass
                return AxisKernel(weights, first: (weights.count / 2) << n, spacing: 1 << n)
            }
        }
        if isFlat { chains.append([]) }
        return SeparableFilter(chains[0], chains[1], chains[2])
    }

    package func reach(_ spacing: SIMD3<Double>) -> (x: Int?, y: Int?, z: Int?) {
        let own = family.lowPass.count / 2 * ((1 << level) - 1)
        return (own, own, isFlat ? 0 : own)
    }

    package func forEachResponse(
        of image: FilterImage, spacingMillimetres spacing: SIMD3<Double>, threads: Int,
        _ body: (Int, FilterImage) throws -> Void
    ) rethrows {
        guard let rotations else {
            return try image.forEachResponse(to: bands.map(filter), edge: edge, threads: threads, body)
        }
        for (number, band) in bands.enumerated() {
            let turned = filter(band).rotations(inSlice: isFlat)
            try body(number, image.response(to: turned, pooling: rotations, edge: edge, threads: threads))
        }
    }
}
