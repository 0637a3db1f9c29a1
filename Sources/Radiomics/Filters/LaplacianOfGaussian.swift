import Foundation
import Kernels

/// Laplacian of a Gaussian (L6PA): the sampled kernel −(1/σ²) (D − r²/σ²) g(r) with g the normal density in D dimensions, cut at
/// a box. It is a sum of products over the axes, so it is convolved axis by axis.
package struct LaplacianOfGaussian: SingleFilter, Hashable {
    /// σ (41LN).
    package let sigmaMillimetres: Double
    /// Where the kernel ends, in σ (WGPM).
    package let cutoff: Double
    package let dimensions: FilterDimensions
    /// Times σ² in mm², so that responses of different σ compare, as PyRadiomics has it; else per square of the shortest
    /// edge of a voxel, as the IBSI has it. (PyRadiomics filters recursively, with a response that differs from this one by
    /// up to 0.6 % of its range.)
    package let isNormalised: Bool
    package let edge: EdgeRule

    package init(
        sigmaMillimetres: Double, cutoff: Double = 4, dimensions: FilterDimensions, isNormalised: Bool = false,
        edge: EdgeRule = .mirror
    ) {
        precondition(sigmaMillimetres > 0 && cutoff > 0, "a Gaussian without width")
        (self.sigmaMillimetres, self.cutoff, self.dimensions) = (sigmaMillimetres, cutoff, dimensions)
        (self.isNormalised, self.edge) = (isNormalised, edge)
    }

    package var name: String { "log-sigma-\(nameOfNumber(sigmaMillimetres))-mm-\(dimensions.suffix)" }

    private func radius(_ spacing: Double) -> Int { Int((cutoff * sigmaMillimetres / spacing + 0.5).rounded(.down)) }

    package func reach(_ spacing: SIMD3<Double>) -> (x: Int?, y: Int?, z: Int?) {
        (radius(spacing.x), radius(spacing.y), dimensions == .volume ? radius(spacing.z) : 0)
    }

    package func response(
        of image: FilterImage, spacingMillimetres spacing: SIMD3<Double>, threads: Int
    ) -> FilterImage {
        let shortest = dimensions.axes.map { spacing[$0] }.min() ?? 1
        let scale = isNormalised ? 1 : (shortest / sigmaMillimetres) * (shortest / sigmaMillimetres)
        // Density and σ² times its second derivative along each axis.
        let kernels = dimensions.axes.map { axis -> (density: AxisKernel, curvature: AxisKernel) in
            let sigma = sigmaMillimetres / spacing[axis]
            let radius = radius(spacing[axis])
            let squares = (-radius...radius).map { Double($0 * $0) / (sigma * sigma) }
            let density = squares.map { exp(-$0 / 2) / ((2 * Double.pi).squareRoot() * sigma) }
            return (
                AxisKernel(centred: density), AxisKernel(centred: zip(squares, density).map { ($0 - 1) * $1 * scale })
            )
        }
        // Smoothed along the axes so far, and the sum of the curvatures along them, smoothed along the others.
        var (smoothed, curved) = (image, image)
        for (axis, kernel) in zip(dimensions.axes, kernels) {
            if axis == 0 {
                curved = image.convolved(kernel.curvature, axis: axis, edge: edge, threads: threads)
                smoothed = image.convolved(kernel.density, axis: axis, edge: edge, threads: threads)
                continue
            }
            curved.convolve(kernel.density, axis: axis, edge: edge, threads: threads)
            curved.addConvolution(of: smoothed, kernel.curvature, axis: axis, edge: edge, threads: threads)
            if axis != dimensions.axes.last {
                smoothed.convolve(kernel.density, axis: axis, edge: edge, threads: threads)
            }
        }
        return curved
    }
}
