import Kernels

/// A convolutional filter, or several that share work, whose responses are images to measure (Image Biomarker
/// Standardisation Initiative, chapter 2: Whybra et al., Radiology 310 (2024) e231319; reference manual arXiv 2006.05470).
///
/// All convolutions are true ones: a kernel is mirrored against the image. i is the first axis of a kernel, j the second.
package protocol ImageFilter: Sendable {
    /// Types of the images it makes, as in the names of their features: letters, digits and hyphens.
    var names: [String] { get }

    /// Voxels around a place that its response depends on along each axis; nil where it may depend on all.
    func reach(_ spacingMillimetres: SIMD3<Double>) -> (x: Int?, y: Int?, z: Int?)

    /// - Parameters:
    ///   - spacing: voxel size, mm.
    ///   - threads: how many threads to use; the result does not depend on it.
    ///   - body: gets the number of a name and the response, in no particular order.
    func forEachResponse(
        of image: FilterImage, spacingMillimetres spacing: SIMD3<Double>, threads: Int,
        _ body: (Int, FilterImage) throws -> Void) rethrows
}

/// A filter with one response.
package protocol SingleFilter: ImageFilter {
    var name: String { get }
    func response(of image: FilterImage, spacingMillimetres spacing: SIMD3<Double>, threads: Int) -> FilterImage
}

extension SingleFilter {
    package var names: [String] { [name] }

    package func forEachResponse(
        of image: FilterImage, spacingMillimetres spacing: SIMD3<Double>, threads: Int,
        _ body: (Int, FilterImage) throws -> Void
    ) rethrows {
        try body(0, response(of: image, spacingMillimetres: spacing, threads: threads))
    }

    /// The response over a whole image, on its grid.
    package func response(of image: Volume, threads: Int = 1) -> Volume {
        let grid = image.grid
        let all = FilterImage(image, from: SIMD3(0, 0, 0), to: SIMD3(grid.nx, grid.ny, grid.nz))
        let found = response(of: all, spacingMillimetres: grid.spacingMillimetres, threads: threads)
        return Volume(grid: grid, values: found.values.map { Float($0) })
    }
}

extension ImageFilter {
    /// The responses in a box of an image. Of each axis no more is filtered than they depend on: all of it where that is
    /// more than there is, so that what lies beyond its edges is what the filter says.
    ///
    /// - Parameters:
    ///   - box: inside the image.
    ///   - scale: factor on the values of the image.
    package func forEachResponse(
        of image: Volume, in box: RegionBox, scale: Double = 1, threads: Int = 1,
        _ body: (Int, ResponseMap) throws -> Void
    ) rethrows {
        let spacing = image.grid.spacingMillimetres
        let reach = reach(spacing)
        let reaches = [reach.x, reach.y, reach.z]
        let counts = SIMD3(image.grid.nx, image.grid.ny, image.grid.nz)
        var (lower, upper) = (SIMD3(0, 0, 0), counts)
        for axis in 0..<3 {
            guard let reach = reaches[axis], box.lower[axis] >= reach, box.upper[axis] + reach <= counts[axis]
            else { continue }
            (lower[axis], upper[axis]) = (box.lower[axis] - reach, box.upper[axis] + reach)
        }
        let part = FilterImage(image, from: lower, to: upper, scale: scale)
        try forEachResponse(of: part, spacingMillimetres: spacing, threads: threads) { number, response in
            try body(number, ResponseMap(lower: lower, image: response))
        }
    }
}

/// A filtered part of an image.
package struct ResponseMap: Sendable {
    /// Index in the image of its first voxel.
    package let lower: SIMD3<Int>
    package let image: FilterImage

    /// The values in the box of a region, for `RegionImage.replacingValues`; zero in the margin of that.
    package func values(around region: RegionImage) -> [Double] {
        var result = [Double](repeating: 0, count: region.count)
        let shift = region.lower &- lower
        for k in 1..<region.size.z - 1 {
            for j in 1..<region.size.y - 1 {
                let target = region.size.x * (j + region.size.y * k)
                let source = shift.x + image.size.x * (shift.y + j + image.size.y * (shift.z + k))
                for i in 1..<region.size.x - 1 { result[target + i] = image.values[source + i] }
            }
        }
        return result
    }
}

/// Whether a filter works in each slice k or in the volume.
package enum FilterDimensions: Int, Sendable, Hashable {
    case slice = 2
    case volume = 3

    var suffix: String { self == .slice ? "2D" : "3D" }
    var axes: [Int] { self == .slice ? [0, 1] : [0, 1, 2] }
}

/// A number in the name of an image: 1.5 as `1-5`, as PyRadiomics writes it.
func nameOfNumber(_ number: Double) -> String {
    number == number.rounded() && abs(number) < 1e9
        ? String(Int(number)) : String(number).replacing(".", with: "-")
}
