import Kernels

/// One level of the stationary (undecimated) wavelet transform with coiflets of order 1, as PyRadiomics computes it: axes
/// are periodic, after an odd axis was made even by repeating its first plane behind the last.
package enum StationaryWavelet {
    /// Sub-bands in the order of PyRadiomics: L and H for low and high pass along i, j, k.
    package static let bands = WaveletFilter.bandsOfVolume

    private static let filter = WaveletFilter(.coif1, bands: bands, edge: .periodicEven)

    /// The sub-bands over the box of a region, in the order of `bands`. Only the neighbourhood of the box is read.
    ///
    /// - Parameters:
    ///   - image: the image that the region was cut from.
    ///   - region: gives the box.
    ///   - scale: factor on the values of the image.
    package static func transform(_ image: Volume, over region: RegionImage, scale: Double = 1) -> [[Double]] {
        var result = [[Double]](repeating: [], count: bands.count)
        let box = RegionBox(lower: region.lower &+ 1, upper: region.lower &+ region.size &- 1)
        filter.forEachResponse(of: image, in: box, scale: scale) { number, map in
            result[number] = map.values(around: region)
        }
        return result
    }
}
