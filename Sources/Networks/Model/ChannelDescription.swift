import Kernels

/// A channel of a model as people write it, in workflow files and in descriptions of imported networks:
/// `{modality: Chimap, units: ppm, normalise: clip, range: [-0.25, 0.25]}`.
package struct ChannelDescription: Sendable, Hashable, Decodable {
    /// BIDS suffix: Chimap, T1w, FLAIR …
    package var modality: String
    /// ppm for χ maps; otherwise arbitrary unless stated.
    package var units: String?
    /// none, clip (to `range`), zscore, zscore_padded (with zeros around the image to `size`), zscore_mask or percentiles
    /// (`range` in per cent, 0.5 and 99.5 by itself).
    package var normalise: String?
    package var range: [Double]?
    /// Voxels along left–right and back–front; 256 × 256 by itself.
    package var size: [Int]?

    private enum CodingKeys: String, CodingKey, CaseIterable { case modality, units, normalise, range, size }

    /// - Throws: `UnknownKey` for a key that means nothing here; `DecodingError` for values that do not belong.
    package init(from decoder: any Decoder) throws {
        try KnownKeys.check(decoder, among: CodingKeys.allCases.map(\.rawValue))
        let container = try decoder.container(keyedBy: CodingKeys.self)
        modality = try container.decode(String.self, forKey: .modality)
        units = try container.decodeIfPresent(String.self, forKey: .units)
        normalise = try container.decodeIfPresent(String.self, forKey: .normalise)
        range = try container.decodeIfPresent([Double].self, forKey: .range)
        size = try container.decodeIfPresent([Int].self, forKey: .size)
    }

    /// What is wrong with a description, as the end of a sentence.
    package struct Problem: Error, CustomStringConvertible {
        package let description: String
    }

    package func channel() throws(Problem) -> ModelCard.Channel {
        let isChi = modality == "Chimap"
        let units = units ?? (isChi ? "ppm" : "arbitrary")
        guard !isChi || units == "ppm" else {
            throw Problem(description: "a Chimap channel has the units ppm, not \(units)")
        }
        func bounds(_ low: Double, _ high: Double) throws(Problem) -> (Float, Float) {
            guard let range else { return (Float(low), Float(high)) }
            guard range.count == 2, range[0] < range[1] else {
                throw Problem(description: "the range of \(modality) is two rising numbers, not \(range)")
            }
            return (Float(range[0]), Float(range[1]))
        }
        let name = normalise ?? (isChi ? "clip" : "percentiles")
        let normalisation: IntensityNormalisation
        switch name {
        case "none": normalisation = .none
        case "clip":
            guard isChi || range != nil else {
                throw Problem(description: "clip of \(modality) needs range: [low, high]")
            }
            let (low, high) = try bounds(-0.25, 0.25)
            normalisation = .clip(lower: low, upper: high, low: -1, high: 1)
        case "zscore": normalisation = .zScore(over: .volume)
        case "zscore_padded":
            let size = size ?? [256, 256]
            guard size.count == 2, size.allSatisfy({ 1...65_536 ~= $0 }) else {
                throw Problem(description: "the size of \(modality) is two numbers of voxels, not \(size)")
            }
            normalisation = .zScore(over: .paddedVolume(size: Extent3(1, size[1], size[0])))
        case "zscore_mask": normalisation = .zScore(over: .mask, outsideMask: 0)
        case "percentiles":
            let (low, high) = try bounds(0.5, 99.5)
            normalisation = .percentiles(
                lower: Double(low), upper: Double(high), low: -1, high: 1, over: .nonZero)
        default:
            throw Problem(
                description:
                    "\(modality) is to be normalised by “\(name)”; there are none, clip, zscore, zscore_padded, "
                    + "zscore_mask, percentiles"
            )
        }
        return ModelCard.Channel(modality: modality, units: units, normalisation: normalisation)
    }
}
