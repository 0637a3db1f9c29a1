/// A filter that is convolutions along the axes, for each axis one after the other.
package struct SeparableFilter: Sendable, Hashable {
    /// Along i, j and k; none leaves an axis as it is.
    package var kernels: [[AxisKernel]]

    package init(_ x: [AxisKernel], _ y: [AxisKernel], _ z: [AxisKernel] = []) { kernels = [x, y, z] }

    /// Values needed around a place, along each axis.
    package var reach: SIMD3<Int> {
        var result = SIMD3<Int>()
        for axis in 0..<3 {
            result[axis] = max(
                kernels[axis].reduce(0) { $0 + $1.reach.before }, kernels[axis].reduce(0) { $0 + $1.reach.after })
        }
        return result
    }

    /// The filter in all positions into which right angles turn it: 4 in the slice, 24 in the volume. Some may be equal.
    package func rotations(inSlice: Bool) -> [SeparableFilter] {
        // Orders of the axes, and whether they exchange two of them, which turns a right hand into a left one.
        let orders: [(axes: [Int], isOdd: Bool)] =
            inSlice
            ? [([0, 1, 2], false), ([1, 0, 2], true)]
            : [
                ([0, 1, 2], false), ([1, 2, 0], false), ([2, 0, 1], false), ([1, 0, 2], true), ([0, 2, 1], true),
                ([2, 1, 0], true),
            ]
        return orders.flatMap { order in
            (0..<(inSlice ? 4 : 8)).compactMap { flips -> SeparableFilter? in
                guard (flips.nonzeroBitCount % 2 == 1) == order.isOdd else { return nil }
                var turned = self
                for axis in 0..<3 {
                    let chain = kernels[order.axes[axis]]
                    turned.kernels[axis] = flips >> axis & 1 == 1 ? chain.map(\.mirrored) : chain
                }
                return turned
            }
        }
    }

    /// An equal filter, or its negative, that all filters which differ by their sign alone have in common.
    fileprivate var withoutSign: (filter: SeparableFilter, isNegated: Bool) {
        var (result, isNegated) = (self, false)
        for axis in 0..<3 {
            for n in result.kernels[axis].indices {
                let kernel = result.kernels[axis][n]
                guard let lead = kernel.weights.first(where: { $0 != 0 }), lead < 0 else { continue }
                result.kernels[axis][n] = kernel.negated
                isNegated.toggle()
            }
        }
        return (result, isNegated)
    }
}

/// How the responses to a filter in several positions become one.
package enum ResponsePooling: String, Sendable, Hashable, CaseIterable {
    case mean, max, min
}

extension FilterImage {
    /// The responses to separable filters; convolutions that filters have in common are done once.
    ///
    /// - Parameter body: gets the number of a filter and its response, in no particular order.
    package func forEachResponse(
        to filters: [SeparableFilter], edge: EdgeRule, threads: Int = 1, _ body: (Int, FilterImage) throws -> Void
    ) rethrows {
        try respond(Array(filters.indices), filters, axis: 0, edge, threads, body)
    }

    private func respond(
        _ numbers: [Int], _ filters: [SeparableFilter], axis: Int, _ edge: EdgeRule, _ threads: Int,
        _ body: (Int, FilterImage) throws -> Void
    ) rethrows {
        guard axis < 3 else {
            for number in numbers { try body(number, self) }
            return
        }
        var rest = numbers
        while let lead = rest.first {
            let chain = filters[lead].kernels[axis]
            let same = rest.filter { filters[$0].kernels[axis] == chain }
            rest.removeAll { filters[$0].kernels[axis] == chain }
            try convolved(chain, axis: axis, edge: edge, threads: threads).respond(
                same, filters, axis: axis + 1, edge, threads, body)
        }
    }

    /// The response to a separable filter.
    package func response(to filter: SeparableFilter, edge: EdgeRule, threads: Int = 1) -> FilterImage {
        let all = filter.kernels.enumerated().flatMap { axis, chain in chain.map { (axis: axis, kernel: $0) } }
        guard let first = all.first else { return self }
        var result = convolved(first.kernel, axis: first.axis, edge: edge, threads: threads)
        for (axis, kernel) in all.dropFirst() { result.convolve(kernel, axis: axis, edge: edge, threads: threads) }
        return result
    }

    /// The responses to separable filters, pooled voxel by voxel.
    package func response(
        to filters: [SeparableFilter], pooling: ResponsePooling, edge: EdgeRule, threads: Int = 1
    ) -> FilterImage {
        precondition(!filters.isEmpty, "no filters to pool")
        guard filters.count > 1 else { return response(to: filters[0], edge: edge, threads: threads) }
        // Filters that differ by their sign need one convolution: (how often as it is, how often negated).
        var distinct: [SeparableFilter] = []
        var counts: [(plain: Int, negated: Int)] = []
        for filter in filters {
            let (plain, isNegated) = filter.withoutSign
            var place = distinct.firstIndex(of: plain)
            if place == nil {
                place = distinct.count
                distinct.append(plain)
                counts.append((0, 0))
            }
            if isNegated { counts[place!].negated += 1 } else { counts[place!].plain += 1 }
        }
        let total = Double(filters.count)
        let start: Double
        switch pooling {
        case .mean: start = 0
        case .max: start = -.infinity
        case .min: start = .infinity
        }
        var pooled = FilterImage(size: size, values: [Double](repeating: start, count: count))
        forEachResponse(to: distinct, edge: edge, threads: threads) { number, response in
            let (plain, negated) = counts[number]
            let share = Double(plain - negated) / total
            // What is not a number stays so.
            switch (pooling, plain > 0, negated > 0) {
            case (.mean, _, _): pooled.update(with: response, threads: threads) { $0 + $1 * share }
            case (.max, true, true):
                pooled.update(with: response, threads: threads) { abs($1) > $0 || $1.isNaN ? abs($1) : $0 }
            case (.max, true, _):
                pooled.update(with: response, threads: threads) { $1 > $0 || $1.isNaN ? $1 : $0 }
            case (.max, _, _):
                pooled.update(with: response, threads: threads) { -$1 > $0 || $1.isNaN ? -$1 : $0 }
            case (.min, true, true):
                pooled.update(with: response, threads: threads) { -abs($1) < $0 || $1.isNaN ? -abs($1) : $0 }
            case (.min, true, _):
                pooled.update(with: response, threads: threads) { $1 < $0 || $1.isNaN ? $1 : $0 }
            case (.min, _, _):
                pooled.update(with: response, threads: threads) { -$1 < $0 || $1.isNaN ? -$1 : $0 }
            }
        }
        return pooled
    }

    /// Replaces each value by what `body` makes of it and the value of another image there.
    @inline(__always)
    package mutating func update(
        with other: FilterImage, threads: Int, _ body: (Double, Double) -> Double
    ) {
        precondition(other.size == size, "images of different sizes")
        let count = count
        values.withUnsafeMutableBufferPointer { target in
            other.values.withUnsafeBufferPointer { source in
                let (target, source) = (target.baseAddress!, source.baseAddress!)
                Parallel.forRanges(count, piece: 1 << 15, threads: threads) { range in
                    for n in range { target[n] = body(target[n], source[n]) }
                }
            }
        }
    }
}
