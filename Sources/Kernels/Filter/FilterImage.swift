/// Values in double precision, i fastest: what filters of images work on. (Grey levels are cut at edges that values of
/// filtered images meet exactly; and differences of large values, as in wavelets, lose single precision.)
package struct FilterImage: Sendable {
    package let size: SIMD3<Int>
    package var values: [Double]

    package init(size: SIMD3<Int>, values: [Double]) {
        precondition(values.count == size.x * size.y * size.z, "\(values.count) values for an image of \(size)")
        (self.size, self.values) = (size, values)
    }

    /// A box of an image.
    ///
    /// - Parameters:
    ///   - lower, upper: its first voxel and the one after its last, inside the image.
    ///   - scale: factor on the values.
    package init(_ image: Volume, from lower: SIMD3<Int>, to upper: SIMD3<Int>, scale: Double = 1) {
        let size = upper &- lower
        self.size = size
        values = [Double](unsafeUninitializedCapacity: size.x * size.y * size.z) { target, count in
            image.values.withUnsafeBufferPointer { source in
                for k in 0..<size.z {
                    for j in 0..<size.y {
                        let from = image.grid.index(lower.x, lower.y + j, lower.z + k)
                        for i in 0..<size.x {
                            target.initializeElement(at: count, to: Double(source[from + i]) * scale)
                            count += 1
                        }
                    }
                }
            }
        }
    }

    package var count: Int { values.count }

    /// Convolved along one axis.
    ///
    /// - Parameter threads: how many threads to use; the result does not depend on it.
    package func convolved(_ kernel: AxisKernel, axis: Int, edge: EdgeRule, threads: Int = 1) -> FilterImage {
        let result = [Double](unsafeUninitializedCapacity: count) { target, initialised in
            values.withUnsafeBufferPointer { source in
                Self.convolve(
                    source.baseAddress!, size, kernel, axis, edge, threads, into: target.baseAddress!, isAdded: false)
            }
            initialised = count
        }
        return FilterImage(size: size, values: result)
    }

    /// Convolves along one axis in place.
    package mutating func convolve(_ kernel: AxisKernel, axis: Int, edge: EdgeRule, threads: Int = 1) {
        let size = size
        values.withUnsafeMutableBufferPointer { values in
            Self.convolve(
                UnsafePointer(values.baseAddress!), size, kernel, axis, edge, threads, into: values.baseAddress!,
                isAdded: false)
        }
    }

    /// Convolved along one axis by kernels one after the other.
    package func convolved(_ chain: [AxisKernel], axis: Int, edge: EdgeRule, threads: Int = 1) -> FilterImage {
        guard let first = chain.first else { return self }
        var result = convolved(first, axis: axis, edge: edge, threads: threads)
        for kernel in chain.dropFirst() { result.convolve(kernel, axis: axis, edge: edge, threads: threads) }
        return result
    }

    /// Adds the convolution of another image of this size along one axis.
    package mutating func addConvolution(
        of image: FilterImage, _ kernel: AxisKernel, axis: Int, edge: EdgeRule, threads: Int = 1
    ) {
        precondition(image.size == size, "images of different sizes")
        let size = size
        values.withUnsafeMutableBufferPointer { target in
            image.values.withUnsafeBufferPointer { source in
                Self.convolve(
                    source.baseAddress!, size, kernel, axis, edge, threads, into: target.baseAddress!, isAdded: true)
            }
        }
    }

    private static func convolve(
        _ source: Doubles, _ size: SIMD3<Int>, _ kernel: AxisKernel, _ axis: Int, _ edge: EdgeRule, _ threads: Int,
        into target: MutableDoubles, isAdded: Bool
    ) {
        let length = size[axis]
        let (before, after) = kernel.reach
        let places = (-before..<length + after).map { edge.place($0, count: length) ?? -1 }
        let first = before + kernel.first
        let (weights, taps, spacing) = (kernel.weights, kernel.weights.count, kernel.spacing)
        let (nx, ny, nz) = (size.x, size.y, size.z)
        switch axis {
        case 0:
            Parallel.forRanges(ny * nz, piece: 64, threads: threads) { rows in
                let extended = MutableDoubles.allocate(capacity: places.count + 32)
                defer { extended.deallocate() }
                convolveAlongRows(
                    source + rows.lowerBound * nx, target + rows.lowerBound * nx, nx, rows.count, places, before,
                    places.count, weights, taps, first, spacing, isAdded, extended)
            }
        case 1:
            Parallel.forRanges(nz, piece: 4, threads: threads) { slices in
                let extended = MutableDoubles.allocate(capacity: 32 * (places.count + 1))
                defer { extended.deallocate() }
                for k in slices {
                    convolveAcrossLines(
                        source + k * nx * ny, target + k * nx * ny, nx, ny, nx, places, places.count, weights,
                        taps, first, spacing, isAdded, extended)
                }
            }
        default:
            // Values beside each other, whichever line they are of.
            Parallel.forRanges(nx * ny, piece: 512, threads: threads) { values in
                let extended = MutableDoubles.allocate(capacity: 32 * (places.count + 1))
                defer { extended.deallocate() }
                convolveAcrossLines(
                    source + values.lowerBound, target + values.lowerBound, values.count, nz, nx * ny, places,
                    places.count, weights, taps, first, spacing, isAdded, extended)
            }
        }
    }
}
