/// Enlargement of a map by whole factors.
package struct Upsampling: Hashable, Sendable, Codable {
    package enum Kind: String, Hashable, Sendable, Codable {
        case nearest
        /// Linear along every axis that grows: bilinear, trilinear.
        case linear
    }

    package var kind: Kind
    package var scale: Extent3
    /// Linear only: whether the first and last positions of input and output coincide, rather than their borders.
    package var alignCorners: Bool

    package init(_ kind: Kind, scale: Extent3, alignCorners: Bool = false) {
        (self.kind, self.scale, self.alignCorners) = (kind, scale, alignCorners)
    }

    package func outputSize(_ input: Extent3) -> Extent3 {
        Extent3(input.depth * scale.depth, input.height * scale.height, input.width * scale.width)
    }

    private func check(_ input: FeatureShape, _ output: FeatureShape) {
        let expected = FeatureShape(batch: input.batch, channels: input.channels, size: outputSize(input.size))
        precondition(output == expected, "The enlarged map is \(output), it must be \(expected)")
    }

    /// - Parameter y: x's shape times the scale.
    package func forward(_ x: FeatureMap, to y: FeatureMap, threads: Int) {
        check(x.shape, y.shape)
        let axes = Axes(self, x.shape.size, y.shape.size)
        let (input, output) = (x.shape.size, y.shape.size)
        Pooling.forEachRows(y.shape, threads: threads) { image, block, rows in
            let (source, target) = (x.block(block, image: image), y.block(block, image: image))
            func row(_ d: Int32, _ h: Int32) -> UnsafeMutablePointer<Float> {
                source + (Int(d) * input.height + Int(h)) * input.width * 16
            }
            withUnsafeTemporaryAllocation(byteCount: input.width * 64, alignment: 64) { scratch in
                let mixed = scratch.bindMemory(to: Float.self).baseAddress!
                for index in rows {
                    let (d, h) = (index / output.height, index % output.height)
                    let result = target + index * output.width * 16
                    let (d0, d1) = (axes.depth.low[d], axes.depth.high[d])
                    let (h0, h1) = (axes.height.low[h], axes.height.high[h])
                    switch kind {
                    case .nearest: takePositions(row(d0, h0), axes.width.low, result, output.width)
                    case .linear:
                        linearUpsampleRow(
                            row(d0, h0), row(d0, h1), row(d1, h0), row(d1, h1), axes.depth.weight[d],
                            axes.height.weight[h], input.width, axes.width.low, axes.width.high, axes.width.weight,
                            mixed, result, output.width)
                    }
                }
            }
        }
    }

    /// - Parameter dx: shape of what went in, overwritten.
    package func backward(gradient dy: FeatureMap, to dx: FeatureMap, threads: Int) {
        check(dx.shape, dy.shape)
        let (input, output) = (dx.shape.size, dy.shape.size)
        let axes = Axes(self, input, output)
        Pooling.forEachRows(dx.shape, threads: threads) { image, block, rows in
            let (source, target) = (dy.block(block, image: image), dx.block(block, image: image))
            withUnsafeTemporaryAllocation(byteCount: output.width * 64, alignment: 64) { scratch in
                let sum = scratch.bindMemory(to: Float.self).baseAddress!
                for index in rows {
                    let (d, h) = (index / input.height, index % input.height)
                    // Every row of the output that has a part of this one.
                    var overwrites = 1
                    for od in axes.depth.users(of: d) {
                        for oh in axes.height.users(of: h) {
                            let share = axes.depth.share(of: d, in: od) * axes.height.share(of: h, in: oh)
                            if share == 0 { continue }
                            let row = source + (od * output.height + oh) * output.width * 16
                            addScaled(row, share, sum, output.width, overwrites)
                            overwrites = 0
                        }
                    }
                    let result = target + index * input.width * 16
                    switch kind {
                    case .nearest: sumPositions(sum, axes.width.firstUser, result, input.width)
                    case .linear:
                        linearUpsampleBackwardRow(
                            sum, output.width, axes.width.low, axes.width.high, axes.width.weight, result,
                            input.width)
                    }
                }
            }
        }
    }

    private struct Axes {
        let depth, height, width: Axis

        init(_ layer: Upsampling, _ input: Extent3, _ output: Extent3) {
            depth = Axis(layer, input.depth, output.depth)
            height = Axis(layer, input.height, output.height)
            width = Axis(layer, input.width, output.width)
        }
    }

    /// What each output position along one axis takes from the input: two positions and the weight of the second.
    ///
    /// Unchecked because of the pointers: written here, read only afterwards.
    private final class Axis: @unchecked Sendable {
        let low, high: UnsafeMutablePointer<Int32>
        let weight: UnsafeMutablePointer<Float>
        /// Nearest: first output position that takes an input position; one entry more than positions.
        let firstUser: UnsafeMutablePointer<Int32>
        private let input, output: Int

        init(_ layer: Upsampling, _ input: Int, _ output: Int) {
            (self.input, self.output) = (input, output)
            low = .allocate(capacity: output)
            high = .allocate(capacity: output)
            weight = .allocate(capacity: output)
            firstUser = .allocate(capacity: input + 1)
            for o in 0..<output {
                switch layer.kind {
                case .nearest:
                    low[o] = Int32(o * input / output)
                    (high[o], weight[o]) = (low[o], 0)
                case .linear:
                    let place: Double
                    if layer.alignCorners {
                        place = output > 1 ? Double(o) * Double(input - 1) / Double(output - 1) : 0
                    } else {
                        place = max(0, (Double(o) + 0.5) * Double(input) / Double(output) - 0.5)
                    }
                    let whole = min(Int(place), input - 1)
                    low[o] = Int32(whole)
                    high[o] = Int32(min(whole + 1, input - 1))
                    weight[o] = Float(place - Double(whole))
                }
            }
            var o = 0
            for i in 0...input {
                while o < output && low[o] < i { o += 1 }
                firstUser[i] = Int32(o)
            }
        }

        deinit {
            low.deallocate()
            high.deallocate()
            weight.deallocate()
            firstUser.deallocate()
        }

        /// Output positions that take something of an input position.
        func users(of i: Int) -> Range<Int> {
            // Those whose lower position is i or, for the upper one, i − 1.
            Int(firstUser[max(0, i - 1)])..<Int(firstUser[i + 1])
        }

        func share(of i: Int, in o: Int) -> Float {
            (low[o] == i ? 1 - weight[o] : 0) + (high[o] == i ? weight[o] : 0)
        }
    }
}
