import Kernels

/// Interpolation to voxels of another size, as the IBSI defines it: the new grid has the same centre as the old one
/// (section 2.3), and where it reaches beyond the outermost voxel centres the nearest of them counts.
///
/// Old and new axes are parallel, so the interpolation is done axis by axis.
package struct GridResampling: Sendable {
    package enum Interpolation: Sendable, Equatable {
        case trilinear
        /// Cubic B-splines through the values, mirrored at the border.
        case tricubic
    }

    /// Of the image to interpolate.
    package let source: VoxelGrid
    /// The new grid.
    package let target: VoxelGrid

    /// - Parameter spacing: new voxel size in mm; nil keeps that of an axis (2-D interpolation within slices).
    package init(of source: VoxelGrid, toSpacingMillimetres spacing: (x: Double?, y: Double?, z: Double?)) {
        let old = source.spacingMillimetres
        let new = SIMD3(spacing.x ?? old.x, spacing.y ?? old.y, spacing.z ?? old.z)
        let counts = SIMD3(source.nx, source.ny, source.nz)
        var size = SIMD3<Int>()
        var shift = SIMD3<Double>()
        var step = SIMD3<Double>()
        for axis in 0..<3 {
            // A ratio that is whole but for rounding must not gain a voxel.
            size[axis] = max(1, Int((Double(counts[axis]) * old[axis] / new[axis] - 1e-6).rounded(.up)))
            step[axis] = new[axis] / old[axis]
            shift[axis] = (Double(counts[axis] - 1) - Double(size[axis] - 1) * step[axis]) / 2
        }
        self.source = source
        target = VoxelGrid(
            nx: size.x, ny: size.y, nz: size.z, affine: source.affine * (.translation(shift) * .scaling(step)))
    }

    /// The image on the new grid.
    ///
    /// - Parameter rounded: to whole numbers, for images whose values are whole (CT, section 2.3).
    package func image(_ image: Volume, _ interpolation: Interpolation, rounded: Bool = false) -> Volume {
        let values = resampled(image.values.map(Double.init), interpolation)
        return Volume(grid: target, values: values.map { Float(rounded ? $0.rounded() : $0) })
    }

    /// A region on the new grid: the voxels of which at least half is in it, by trilinear interpolation; nil where there
    /// are none.
    ///
    /// - Parameters:
    ///   - label: the region in `labels`, which lie on the old grid.
    ///   - box: the smallest box that holds it there.
    ///   - image: the image on the new grid.
    ///   - scale: factor on the values of the image.
    package func region(
        _ label: UInt16, of labels: LabelMap, in box: RegionBox, image: Volume, scale: Double = 1
    ) -> RegionImage? {
        precondition(image.grid == target, "the image is not on the new grid")
        let taps = (0..<3).map { self.taps(axis: $0, .trilinear) }
        let ranges = (0..<3).map { taps[$0].positions(touching: box.lower[$0]..<box.upper[$0]) }
        var inside = Set<Int>()
        var (lower, upper) = (SIMD3(repeating: Int.max), SIMD3(repeating: Int.min))
        for k in ranges[2] {
            for j in ranges[1] {
                for i in ranges[0] {
                    var share = 0.0
                    for corner in 0..<8 {
                        let (x, y, z) = (2 * i + corner & 1, 2 * j + corner >> 1 & 1, 2 * k + corner >> 2)
                        let place = source.index(taps[0].indices[x], taps[1].indices[y], taps[2].indices[z])
                        guard labels.values[place] == label else { continue }
                        share += taps[0].weights[x] * taps[1].weights[y] * taps[2].weights[z]
                    }
                    // A half that rounding took a little from is still a half.
                    guard share >= 0.5 - 1e-9 else { continue }
                    inside.insert(target.index(i, j, k))
                    lower = pointwiseMin(lower, SIMD3(i, j, k))
                    upper = pointwiseMax(upper, SIMD3(i, j, k) &+ 1)
                }
            }
        }
        guard !inside.isEmpty else { return nil }
        return RegionImage(image, box: RegionBox(lower: lower, upper: upper), scale: scale, isInside: inside.contains)
    }

    private func taps(axis: Int, _ interpolation: Interpolation) -> AxisTaps {
        AxisTaps(
            from: SIMD3(source.nx, source.ny, source.nz)[axis], to: SIMD3(target.nx, target.ny, target.nz)[axis],
            step: target.spacingMillimetres[axis] / source.spacingMillimetres[axis], interpolation)
    }

    private func resampled(_ values: [Double], _ interpolation: Interpolation) -> [Double] {
        var size = SIMD3(source.nx, source.ny, source.nz)
        let new = SIMD3(target.nx, target.ny, target.nz)
        var result = values
        for axis in 0..<3 {
            result = taps(axis: axis, interpolation).apply(to: result, size: size, axis: axis)
            size[axis] = new[axis]
        }
        return result
    }
}

/// For each new position along one axis the old ones that it is made of.
private struct AxisTaps {
    let width: Int
    let oldCount: Int
    let newCount: Int
    var indices: [Int] = []
    var weights: [Double] = []
    let isSpline: Bool

    init(from oldCount: Int, to newCount: Int, step: Double, _ interpolation: GridResampling.Interpolation) {
        (self.oldCount, self.newCount) = (oldCount, newCount)
        isSpline = interpolation == .tricubic && oldCount > 1
        width = isSpline ? 4 : 2
        for n in 0..<newCount {
            let free = Double(oldCount - 1) / 2 + (Double(n) - Double(newCount - 1) / 2) * step
            let position = min(max(free, 0), Double(oldCount - 1))
            // Positions that are whole but for rounding take their voxel alone.
            let nearest = position.rounded()
            let exact = abs(position - nearest) < 1e-9 ? nearest : position
            let low = Int(exact.rounded(.down))
            let t = exact - Double(low)
            if isSpline {
                let u = 1 - t
                weights += [
                    u * u * u / 6, (4 - 6 * t * t + 3 * t * t * t) / 6, (4 - 6 * u * u + 3 * u * u * u) / 6,
                    t * t * t / 6,
                ]
                indices += (low - 1...low + 2).map { Self.mirrored($0, oldCount) }
            } else {
                weights += [1 - t, t]
                indices += [low, min(low + 1, oldCount - 1)]
            }
        }
    }

    private static func mirrored(_ index: Int, _ count: Int) -> Int {
        if index < 0 { return min(-index, count - 1) }
        return index >= count ? max(2 * (count - 1) - index, 0) : index
    }

    /// New positions that are made of old ones of a range.
    func positions(touching range: Range<Int>) -> [Int] {
        (0..<newCount).filter { n in
            (0..<width).contains { weights[n * width + $0] > 0 && range.contains(indices[n * width + $0]) }
        }
    }

    func apply(to values: [Double], size: SIMD3<Int>, axis: Int) -> [Double] {
        var newSize = size
        newSize[axis] = newCount
        let stride = axis == 0 ? 1 : axis == 1 ? size.x : size.x * size.y
        let outer = values.count / (stride * oldCount)
        var result = [Double](repeating: 0, count: newSize.x * newSize.y * newSize.z)
        var line = [Double](repeating: 0, count: oldCount)
        for o in 0..<outer {
            for s in 0..<stride {
                for n in 0..<oldCount { line[n] = values[s + stride * (n + oldCount * o)] }
                if isSpline { Self.coefficients(&line) }
                for n in 0..<newCount {
                    var sum = 0.0
                    for tap in 0..<width { sum += weights[n * width + tap] * line[indices[n * width + tap]] }
                    result[s + stride * (n + newCount * o)] = sum
                }
            }
        }
        return result
    }

    /// Values to coefficients of the cubic B-spline through them, mirrored at the border (Unser, IEEE Signal Process Mag
    /// 16 (1999) 22–38).
    private static func coefficients(_ line: inout [Double]) {
        let n = line.count
        let pole = 3.0.squareRoot() - 2
        // The causal start is the exact sum over the mirrored, periodic signal of period 2n − 2.
        var start = line[0]
        var power = pole
        for index in 1..<n {
            start += power * line[index]
            power *= pole
        }
        for index in stride(from: n - 2, to: 0, by: -1) {
            start += power * line[index]
            power *= pole
        }
        line[0] = start / (1 - power)
        for index in 1..<n { line[index] += pole * line[index - 1] }
        line[n - 1] = pole / (pole * pole - 1) * (line[n - 1] + pole * line[n - 2])
        for index in stride(from: n - 2, through: 0, by: -1) { line[index] = pole * (line[index + 1] - line[index]) }
        for index in 0..<n { line[index] *= 6 }
    }
}
