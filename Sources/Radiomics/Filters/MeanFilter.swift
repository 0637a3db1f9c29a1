import Kernels

/// Mean over a square or cube of voxels (S60F).
package struct MeanFilter: SingleFilter, Hashable {
    /// Voxels along an edge (YNOF); odd.
    package let support: Int
    package let dimensions: FilterDimensions
    package let edge: EdgeRule

    package init(support: Int, dimensions: FilterDimensions, edge: EdgeRule = .mirror) {
        precondition(support > 0 && support % 2 == 1, "a mean over \(support) voxels has no middle")
        (self.support, self.dimensions, self.edge) = (support, dimensions, edge)
    }

    package var name: String { "mean-\(support)-\(dimensions.suffix)" }

    private var filter: SeparableFilter {
        let kernel = AxisKernel(centred: [Double](repeating: 1 / Double(support), count: support))
        return SeparableFilter([kernel], [kernel], dimensions == .volume ? [kernel] : [])
    }

    package func reach(_ spacing: SIMD3<Double>) -> (x: Int?, y: Int?, z: Int?) {
        (support / 2, support / 2, dimensions == .volume ? support / 2 : 0)
    }

    package func response(
        of image: FilterImage, spacingMillimetres: SIMD3<Double>, threads: Int
    ) -> FilterImage {
        image.response(to: filter, edge: edge, threads: threads)
    }
}
