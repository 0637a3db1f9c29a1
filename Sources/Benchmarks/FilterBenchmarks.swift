import Kernels
import Radiomics

/// A filter over a whole image of 1 mm voxels; for wavelets all sub-bands.
struct FilterBenchmark: Benchmark {
    let name: String
    let filter: any ImageFilter

    static let all: [any Benchmark] = [
        FilterBenchmark(name: "filter_mean", filter: MeanFilter(support: 15, dimensions: .volume)),
        FilterBenchmark(
            name: "filter_log", filter: LaplacianOfGaussian(sigmaMillimetres: 3, dimensions: .volume)),
        FilterBenchmark(name: "filter_laws", filter: LawsFilter([.L5, .E5, .S5])),
        FilterBenchmark(
            name: "filter_wavelet",
            filter: WaveletFilter(.coif1, bands: WaveletFilter.bandsOfVolume, edge: .periodic)),
        FilterBenchmark(
            name: "filter_gabor",
            filter: GaborFilter(
                sigmaMillimetres: 3, wavelengthMillimetres: 4, ellipticity: 1.5,
                orientations: GaborFilter.orientations(step: .pi / 4), dimensions: .slice)),
        FilterBenchmark(
            name: "filter_simoncelli", filter: RadialWavelet(.simoncelli, dimensions: .volume, edge: .periodic)),
    ]

    /// The checksum is the sum of every 997th value, the responses in the order of their names counted 1, 2, ….
    func prepare(edge: Int, threads: Int) throws -> () throws -> Double {
        let image = Input.noise(edge)
        let box = RegionBox(lower: SIMD3(0, 0, 0), upper: SIMD3(edge, edge, edge))
        return {
            var sums = [Double](repeating: 0, count: filter.names.count)
            filter.forEachResponse(of: image, in: box, threads: threads) { number, map in
                for n in stride(from: 0, to: map.image.count, by: 997) { sums[number] += map.image.values[n] }
            }
            return sums.enumerated().reduce(0) { $0 + Double($1.offset + 1) * $1.element }
        }
    }
}
